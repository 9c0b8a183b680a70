"""bytes of a library -> the libraries that it needs."""

from __future__ import annotations

import struct


def needed_libraries(data: bytes) -> tuple[str, ...]:
    """The shared libraries an ELF binary names as needed (DT_NEEDED), () for other formats.

    Format: ELF-64, https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html
    """
    if data[:6] != b"\x7fELF\x02\x01":
        return ()
    try:
        (headers,) = struct.unpack_from("<Q", data, 0x20)
        size, count = struct.unpack_from("<HH", data, 0x36)
        segments = [struct.unpack_from("<IIQQQQQQ", data, headers + i * size) for i in range(count)]
        loads = [(s[3], s[2], s[5]) for s in segments if s[0] == 1]
        dynamic = next((s for s in segments if s[0] == 2), None)
        if dynamic is None:
            return ()
        entries = [
            struct.unpack_from("<QQ", data, dynamic[2] + i) for i in range(0, dynamic[5], 16)
        ]
        table = next(value for tag, value in entries if tag == 5)
        start = next(off + table - addr for addr, off, size in loads if addr <= table < addr + size)
        names = [value for tag, value in entries if tag == 1]
        return tuple(
            data[start + n : data.index(b"\0", start + n)].decode("ascii", "replace") for n in names
        )
    except (struct.error, StopIteration, ValueError):
        return ()
