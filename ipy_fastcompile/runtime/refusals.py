"""what does not fit -> the error that says so, or a mark where nobody is going to read it.

Where several programs could take a call, most of them do not, and the words for it would cost more
than the check. So whoever checks hands over what makes the error, and its facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Refuse = Callable[..., Exception]


class Misfit(Exception):
    """A call does not fit a program; it never leaves the package."""


def told(make: Callable[..., Exception], *facts: Any) -> Exception:
    """The error, in words."""
    return make(*facts)


def untold(_make: Callable[..., Exception], *_facts: Any) -> Exception:
    """Only that there is one."""
    return Misfit()
