"""Members -> the bytes of one strict ZIP file, and back.

The layout is a subset of ZIP (PKWARE APPNOTE 6.3.10) with a single spelling: members STORED one
behind the other from byte 0, then the central directory, then its end record, nothing else. Every
header byte is implied by name, size and CRC-32, so the reader writes the header that it expects
and compares. No byte of a file is free to change, and no second parser can see other members.
"""

from __future__ import annotations

import string
import struct
import zlib
from collections.abc import Mapping

from ..errors import ArtifactTooLarge, ContainerCorrupt, SaveError
from . import limits

# signature, version needed, flags, method, time, date, crc, compressed, size, name, extra
_LOCAL = struct.Struct("<4s5H3I2H")
# signature, made by, version needed, flags, method, time, date, crc, compressed, size, name,
# extra, comment, disk, internal attributes, external attributes, offset
_CENTRAL = struct.Struct("<4s6H3I5H2I")
# signature, disk, directory disk, entries here, entries, directory size, its offset, comment
_END = struct.Struct("<4s4H2IH")

END_BYTES = _END.size
_VERSION = 20
_MADE_BY = 3 << 8 | _VERSION  # Unix, so that the attributes below are read as a file mode
_DATE = 0x21  # 1980-01-01, the first day ZIP knows: equal members give equal bytes
_ATTRIBUTES = 0o100644 << 16

_LETTERS = string.ascii_letters + string.digits + "_"
_FIRST = frozenset(_LETTERS)
_WITHOUT_ALLOWED = dict.fromkeys(map(ord, _LETTERS + ".-/"))


def is_member_name(name: str) -> bool:
    """Whether ``name`` may name a member: relative, ASCII, no part that starts with a dot."""
    return (
        0 < len(name) <= limits.MAX_NAME_BYTES
        and not name.translate(_WITHOUT_ALLOWED)
        and all(part[:1] in _FIRST for part in name.split("/"))
    )


def pack_members(members: Mapping[str, bytes]) -> bytes:
    """The ZIP file that holds ``members``, in their order.

    Raises `SaveError` for a name or a size that the format does not allow.
    """
    if len(members) > limits.MAX_MEMBERS:
        raise SaveError(
            f"An artifact holds at most {limits.MAX_MEMBERS} members, not {len(members)}.",
            "Put several texts into one member.",
        )
    pieces: list[bytes] = []
    directory: list[bytes] = []
    offset = directory_size = 0
    for name, data in members.items():
        if not is_member_name(name):
            raise SaveError(
                f"{name!r} cannot name a member of an artifact.",
                "Use letters, digits, '_', '-', '.' and '/', no part starting with a dot.",
                member=name,
            )
        encoded = name.encode("ascii")
        crc = zlib.crc32(data)
        directory.append(_central_header(encoded, crc, len(data), offset))
        pieces += (_local_header(encoded, crc, len(data)), data)
        offset += _LOCAL.size + len(encoded) + len(data)
        directory_size += _CENTRAL.size + len(encoded)
        if offset + directory_size + END_BYTES > limits.MAX_FILE_BYTES:
            raise SaveError(
                f"The artifact would be larger than {limits.MAX_FILE_BYTES} bytes (at {name}).",
                "Pass large constants as parameters or buffers of the model.",
                member=name,
            )
    return b"".join([*pieces, *directory, _end_record(len(directory), directory_size, offset)])


def parse_container(data: bytes, path: str) -> dict[str, tuple[int, int]]:
    """Where each member's content starts and ends in ``data``, in file order.

    Raises `ContainerCorrupt` unless ``data`` is, byte for byte, what `pack_members` writes for
    these names, sizes and CRCs; the CRCs themselves are left to `check_crc`.
    """
    start, count = check_end_record(data[-END_BYTES:], len(data), path)
    members = parse_directory(data[start:-END_BYTES], start, count, path)
    spans = {}
    for name, (begin, end, crc) in members.items():
        encoded = name.encode("ascii")
        header = begin - _LOCAL.size - len(encoded)
        if data[header:begin] != _local_header(encoded, crc, end - begin):
            raise _corrupt(path, f"the header of member {name} disagrees with the directory")
        spans[name] = (begin, end)
    return spans


def parse_directory(
    directory: bytes, start: int, count: int, path: str
) -> dict[str, tuple[int, int, int]]:
    """Start, end and CRC-32 of every member, from the central directory that begins at ``start``.

    Raises `ContainerCorrupt` unless the members fill the file from byte 0 to the directory.
    """
    members: dict[str, tuple[int, int, int]] = {}
    at = entry = 0
    for _ in range(count):
        if entry + _CENTRAL.size > len(directory):
            raise _corrupt(path, "its directory is cut short")
        fields = _CENTRAL.unpack_from(directory, entry)
        crc, size, name_size = fields[7], fields[9], fields[10]
        next_entry = entry + _CENTRAL.size + name_size
        encoded = directory[entry + _CENTRAL.size : next_entry]
        name = encoded.decode("latin-1")
        if not is_member_name(name):
            raise _corrupt(path, f"{name!r:.80} cannot name a member")
        if directory[entry:next_entry] != _central_header(encoded, crc, size, at):
            raise _corrupt(path, f"the directory entry of {name} is not a plain one")
        if name in members:
            raise _corrupt(path, f"member {name} is there twice")
        begin = at + _LOCAL.size + name_size
        if begin + size > start:
            raise _corrupt(path, f"member {name} reaches beyond its place")
        members[name] = (begin, begin + size, crc)
        at, entry = begin + size, next_entry
    if at != start or entry != len(directory):
        raise _corrupt(path, "it holds bytes that belong to no member")
    return members


def check_end_record(record: bytes, file_size: int, path: str) -> tuple[int, int]:
    """Offset and entries of the directory, from the last 22 bytes of a file of ``file_size``.

    It runs before the file is read, so that a huge file that is no artifact costs 22 bytes.
    Raises `ArtifactTooLarge` and `ContainerCorrupt`.
    """
    if file_size > limits.MAX_FILE_BYTES:
        raise ArtifactTooLarge(
            f"{path} has {file_size} bytes, more than the {limits.MAX_FILE_BYTES} of the format.",
            "It was not written by this package; save the artifact again.",
            path=path,
        )
    if file_size < END_BYTES or len(record) != END_BYTES:
        raise _corrupt(path, f"it is only {file_size} bytes long")
    fields = _END.unpack(record)
    count, directory_size, start = fields[4:7]
    if record != _end_record(count, directory_size, start):
        raise _corrupt(path, "its last 22 bytes are not the end record of a plain ZIP file")
    if start + directory_size + END_BYTES != file_size:
        raise _corrupt(path, "its directory is not where the end record says")
    if count > limits.MAX_MEMBERS:
        raise ArtifactTooLarge(
            f"{path} holds {count} members, more than the {limits.MAX_MEMBERS} of the format.",
            "It was not written by this package; save the artifact again.",
            path=path,
        )
    return start, count


def check_crc(data: memoryview, span: tuple[int, int], name: str, path: str) -> None:
    """Raise `ContainerCorrupt` unless member ``name`` has the CRC-32 that its header states."""
    start, end = span
    (stated,) = struct.unpack_from("<I", data, start - len(name) - _LOCAL.size + 14)
    if zlib.crc32(data[start:end]) != stated:
        raise _corrupt(path, f"the CRC-32 of member {name} is wrong")


def _local_header(name: bytes, crc: int, size: int) -> bytes:
    fields = (b"PK\x03\x04", _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0)
    return _LOCAL.pack(*fields) + name


def _central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    return (
        _CENTRAL.pack(
            *(b"PK\x01\x02", _MADE_BY, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name)),
            *(0, 0, 0, 0, _ATTRIBUTES, offset),
        )
        + name
    )


def _end_record(count: int, directory_size: int, start: int) -> bytes:
    return _END.pack(b"PK\x05\x06", 0, 0, count, count, directory_size, start, 0)


def _corrupt(path: str, how: str) -> ContainerCorrupt:
    return ContainerCorrupt(
        f"{path} is not a whole artifact: {how}.",
        "Copy the file again, or save the artifact again.",
        path=path,
        reason=how,
    )
