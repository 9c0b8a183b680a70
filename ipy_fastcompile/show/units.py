"""numbers -> short text with its unit: seconds, counts, values."""

from __future__ import annotations

from ..artifact.inert import inert
from ..artifact.units import three_digits
from ..records import Value

TIMES = "\u00d7"  # the multiplication sign

_DTYPES = {
    "float64": "f64",
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "complex64": "c64",
    "complex128": "c128",
    "int64": "i64",
    "int32": "i32",
    "int16": "i16",
    "int8": "i8",
    "uint8": "u8",
    "bool": "bool",
}


def shorten(text: str, length: int) -> str:
    """The text in at most ``length`` characters, the middle cut out where it is longer."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def format_seconds(seconds: float | None) -> str:
    """``31 µs``, ``2.9 ms``, ``12.6 s``, ``254 s``; nothing for None."""
    if seconds is None:
        return ""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if abs(seconds) * factor < 999.5:
            return f"{three_digits(seconds * factor)} {unit}"
    return f"{three_digits(seconds)} s"


def format_count(number: int, singular: str = "", plural: str = "") -> str:
    """``5,657`` or, given the noun, ``1 kernel``, ``3 kernels``."""
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}" if singular else f"{number:,}"


def format_ratio(larger: float, smaller: float) -> str:
    """How many times larger, ``28`` and a multiplication sign; nothing to divide by: nothing."""
    if smaller <= 0:
        return ""
    ratio = larger / smaller
    return f"{ratio:,.0f}{TIMES}" if ratio >= 10 else f"{ratio:.1f}{TIMES}"


def format_value(value: Value | None, length: int = 60) -> str:
    """``f32[1, seq, 64]`` for tensors, ``int seq`` for numbers."""
    if value is None:
        return ""
    if value.kind != "tensor":
        return shorten(inert(f"{value.kind} {value.text}".strip()), length)
    dtype = _DTYPES.get(value.dtype, value.dtype)
    return shorten(inert(f"{dtype}[{', '.join(map(str, value.shape))}]"), length)


def block_bar(share: float, width: int) -> str:
    """A bar of ``width`` characters made of eighths of a block: legible in any text."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)
