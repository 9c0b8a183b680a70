"""any text -> inert text: what could steer a terminal or a page is written as an escape.

Names, code and messages come from models, files and other processes. Everything that is shown
goes through here first, in text, in HTML and in the explorer alike; escaping for HTML comes after.
"""

from __future__ import annotations

import re

# Control characters but tab and newline, bidirectional controls, invisible joiners, line and
# paragraph separators, lone surrogates: https://trojansource.codes, CVE-2021-42574.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(text: str) -> str:
    """The text with steering characters written as Python escapes; newlines and tabs stay."""
    return _STEERING.sub(_escape, text)


def clean_line(text: str) -> str:
    """`clean`, and a single line: newlines and tabs become escapes, too."""
    return clean(text).replace("\n", "\\n").replace("\t", "\\t")


def shorten(text: str, length: int) -> str:
    """The text in at most ``length`` characters, the middle cut out where it is longer."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"
