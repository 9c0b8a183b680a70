"""Text from an artifact -> text that a terminal only shows.

Escape sequences, carriage returns, bidirectional controls and invisible characters are written
out as Python escapes, so that a name cannot recolour, reorder, hide or overwrite anything.
See Unicode TR36 and "Trojan Source" (CVE-2021-42574).
"""

from __future__ import annotations

import re

# The categories Cc (but tab and newline), Cf, Cs, Zl and Zp of Unicode 15.1, and what shows as
# nothing: fillers, Khmer and Mongolian vowel marks, variation selectors.
_ACTIVE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def inert(text: str, *, limit: int = 0) -> str:
    """``text`` on one line, its active characters written out; cut after ``limit`` when given."""
    return inert_lines(text, limit=limit).replace("\n", "\\n").replace("\t", "\\t")


def inert_lines(text: str, *, limit: int = 0) -> str:
    """As `inert`, keeping newlines and tabs."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return _ACTIVE.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
