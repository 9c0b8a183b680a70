"""What a load was asked for: an artifact, the path it takes, and what to do with a misfit.

What a function was loaded from is kept, for the pickle of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..artifact.schema import Member, Program
from ..artifact.squeeze import unsqueeze
from ..errors import FastCompileError
from ..frozen import frozen

if TYPE_CHECKING:
    from .parts import Parts

PATHS = ("native", "torch", "fx")


@frozen
class Request:
    """One load. ``via`` is one of `PATHS`, ``on_mismatch`` ``"error"`` or ``"recompile"``."""

    parts: Parts
    program: Program
    stamp: Mapping[str, Any]
    via: str
    on_mismatch: str

    @property
    def may_recompile(self) -> bool:
        """Whether kernels that do not fit are compiled again from the FX graph."""
        return self.on_mismatch == "recompile"

    def unsqueezed(self, member: str) -> bytes:
        """The content of a member that is stored compressed."""
        return unsqueeze(self.parts.read(member), member)


def check_options(via: str, on_mismatch: str) -> None:
    """Raise FastCompileError for a path or a wish that there is not."""
    if via not in PATHS:
        raise FastCompileError(
            f"via is {via!r}, which is no reload path.", f"Use one of {', '.join(PATHS)}."
        )
    if on_mismatch not in ("error", "recompile"):
        raise FastCompileError(f"on_mismatch is {on_mismatch!r}.", 'Use "error" or "recompile".')


@frozen
class Origin:
    """What a function was loaded from; ``members`` tell whether the file is still the same.

    ``again`` is what a pickle calls: `runtime.load.load_again`.
    """

    again: Callable[..., Any]
    path: str
    trust: str | None
    on_mismatch: str
    members: Mapping[str, Member]


def origin_of(
    again: Callable[..., Any],
    path: str | os.PathLike[str],
    trust: str | None,
    on_mismatch: str,
    members: Mapping[str, Member],
) -> Origin:
    """Where an artifact was loaded from."""
    where = os.path.abspath(os.fsdecode(path))
    return Origin(again, where, trust, on_mismatch, members)
