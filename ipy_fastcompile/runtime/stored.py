"""bytes of a safetensors file -> its tensors, by name.

The library takes a millisecond to import, which is a tenth of a load. So tensors that it wrote in
the plain way are read here; whatever is otherwise in the file, the library itself reads or refuses.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import sys

import torch

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool, "C64": torch.complex64,
}  # fmt: skip


def read_tensors(data: bytes) -> dict[str, torch.Tensor]:
    """The tensors of a file, in memory of their own.

    Raises what the library raises for a file that is none.
    """
    found = None if sys.byteorder == "big" else _read_plain(data)
    if found is None:
        from safetensors.torch import load

        found = load(data)
    return found


def _read_plain(data: bytes) -> dict[str, torch.Tensor] | None:
    """The same, or None unless tensors of usual dtypes fill the file, one behind the other."""
    start = 8 + int.from_bytes(data[:8], "little")
    rows = []
    try:
        header = json.loads(data[8:start])
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                rows.append((begin, end, name, _DTYPES[entry["dtype"]], entry["shape"]))
        rows.sort(key=lambda row: row[:2])
        at = 0
        for begin, end, _, dtype, shape in rows:
            size = math.prod(shape) * dtype.itemsize
            if (begin, end) != (at, at + size) or not all(type(n) is int and n >= 0 for n in shape):
                return None
            at = end
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    if start + at != len(data):
        return None
    tensors = {}
    for begin, end, name, dtype, shape in rows:
        content = bytearray(data[start + begin : start + end])
        made = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        tensors[name] = made.view(shape)
    return tensors
