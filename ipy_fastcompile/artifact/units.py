"""a size in bytes -> short text with its unit."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_bytes(size: int) -> str:
    """``0 B``, ``812 kB``, ``1.21 GB``: decimal units, three digits."""
    number, position = float(size), 0
    while abs(number) >= 999.5 and position < len(_UNITS) - 1:
        number, position = number / 1000, position + 1
    return f"{three_digits(number)} {_UNITS[position]}"


def three_digits(number: float) -> str:
    """Three significant digits, none of them after the point from 100 on."""
    return f"{number:.0f}" if number >= 99.95 else f"{number:.3g}"
