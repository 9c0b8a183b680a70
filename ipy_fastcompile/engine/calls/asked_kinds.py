"""one call, or calls of several kinds -> what each program is compiled of, or a CallError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Protocol

import torch

from ...errors import CallError
from ...frozen import frozen
from ...torch_compat import surroundings
from . import kinds as recorded


class Kind(Protocol):
    """A kind of call: an example of it, and which of its dimensions may vary."""

    @property
    def name(self) -> str:
        """What its program is called."""

    @property
    def args(self) -> Sequence[Any]:
        """The positional arguments."""

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The arguments by name."""

    @property
    def dynamic(self) -> Any:
        """What `ipy_fastcompile.compile` takes as ``dynamic``."""


@frozen
class Asked:
    """A call to compile; ``name`` is "" where it is the only one. See `Kind`.

    ``autocast`` are the kinds of devices and dtypes of the autocast that a call was recorded in;
    None where the one around the compile counts. ``loose`` are names in ``dynamic`` that the model
    may fix. ``recorded`` is all that is known of such calls, None where there is but the example.
    """

    name: str
    args: Any
    kwargs: Any
    dynamic: Any
    autocast: tuple[tuple[str, torch.dtype], ...] | None = None
    loose: frozenset[str] = frozenset()
    recorded: recorded.Kind | None = None

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """The autocast that the call is made in."""
        if self.autocast is None:
            yield
            return
        with ExitStack() as stack:
            stack.enter_context(surroundings.without_autocast())
            for kind, dtype in self.autocast:
                stack.enter_context(torch.autocast(kind, dtype=dtype))
            yield


def asked_kinds(args: Any, kwargs: Any, dynamic: Any, calls: Sequence[Kind] | None) -> list[Asked]:
    """What is to be compiled: the one call that is given, or all kinds in ``calls``.

    Raises CallError where both are given, or ``calls`` are none.
    """
    if calls is None:
        return [Asked("", args, kwargs, dynamic)]
    if args or kwargs or dynamic:
        raise CallError(
            "calls has examples and dynamic dimensions of its own, and args, kwargs or dynamic are "
            "given besides.",
            "Leave them out, or leave calls out.",
        )
    kinds = [as_asked(kind, position) for position, kind in enumerate(_listed(calls))]
    if not kinds:
        raise _no_calls(calls)
    if len(kinds) == 1:
        return [replace(kinds[0], name="")]
    if len({kind.autocast for kind in kinds}) > 1:
        raise CallError(
            "calls were recorded with and without autocast, which arguments do not tell apart.",
            "Record the calls of each autocast for themselves, and compile two artifacts.",
        )
    names = [kind.name for kind in kinds]
    if len({*names}) != len(names) or not all(names):
        raise CallError(
            f"calls has the names {', '.join(map(repr, names))}, which do not tell programs apart.",
            "Give every kind of call a name of its own.",
        )
    return kinds


def _no_calls(calls: Any) -> CallError:
    what = "calls is empty: the model was not called while they were recorded"
    if other := getattr(calls, "called_instead", None):
        return CallError(
            f"{what}, and what it wraps was: {other.path} ({other.name}).",
            f"Record the model's {other.path} in its place, compile that, and load for it.",
        )
    return CallError(
        f"{what}.", "Call it in the block of record, by its own name or through what runs it."
    )


def _listed(calls: Any) -> list[Any]:
    if not isinstance(calls, Sequence) or isinstance(calls, (str, bytes)):
        raise CallError(
            f"calls is {calls!r:.60}, not a sequence of calls.",
            "Pass what record gives: with record(model) as calls: ...",
        )
    return list(calls)


def as_asked(kind: Any, position: int = 0) -> Asked:
    """A kind of call as it is asked for, the one at ``position``. Raises CallError for others."""
    try:
        autocast = getattr(kind, "autocast", None)
        known = kind if isinstance(kind, recorded.Kind) else getattr(kind, "recorded", None)
        loose: frozenset[str] = getattr(kind, "loose", frozenset())
        return Asked(str(kind.name), kind.args, kind.kwargs, kind.dynamic, autocast, loose, known)
    except AttributeError as error:
        raise CallError(
            f"calls[{position}] is a {type(kind).__name__}, which has no {error.name}.",
            "Pass what record gives: with record(model) as calls: ...",
        ) from error
