"""The kinds of calls that a model was given: a sequence that `compile` takes and people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from ...errors import CallError
from ...views import view_of
from .call_table import call_table, write_table
from .inside import Inside
from .kinds import Kind
from .observed import argument_of


class Calls(Sequence[Kind]):
    """What `ipy_fastcompile.record` saw: the kinds of calls that a model was given.

    ``calls[0]`` and ``calls["call_0"]`` are kinds, and a slice is `Calls` again. Printed, it is a
    table.

    Attributes
    ----------
    model:
        The name of the model.
    """

    def __init__(
        self, model: str, read: Callable[[], Sequence[Kind]], inside: Sequence[Inside] = ()
    ) -> None:
        self.model = model
        self._read = read
        self._inside = inside

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds, in the order in which they were first seen."""
        return tuple(self._read())

    def with_dynamic(self, dynamic: Mapping[str, Any]) -> Calls:
        """The same calls, of which more may vary than what was seen to.

        Each kind that has such an argument takes what is said of it, in the place of what was seen.
        A dimension that its example has at 1 stays 1.

        Parameters
        ----------
        dynamic:
            ``{argument: {dimension: "name"}}``, as `ipy_fastcompile.compile` takes it.

        Raises CallError where no kind has such an argument.
        """
        known = {name: None for kind in self.kinds for name in kind.arguments}
        for path in dynamic:
            if argument_of(path) not in (*known, "*"):
                raise CallError(
                    f"dynamic names {path!r}, which is an argument of no call.",
                    f"Their arguments are {', '.join(known) or 'none'}.",
                    argument=path,
                )
        chosen = [kind.with_dynamic(dynamic) for kind in self.kinds]
        return Calls(self.model, lambda: chosen)

    @overload
    def __getitem__(self, which: int | str) -> Kind: ...
    @overload
    def __getitem__(self, which: slice) -> Calls: ...
    def __getitem__(self, which: int | str | slice) -> Kind | Calls:
        kinds = self.kinds
        if isinstance(which, slice):
            chosen = kinds[which]
            return Calls(self.model, lambda: chosen)
        if isinstance(which, int):
            return kinds[which]
        for kind in kinds:
            if kind.name == which:
                return kind
        raise CallError(
            f"There is no kind of call {which!r:.60}.",
            f"There are {', '.join(kind.name for kind in kinds) or 'none'}.",
        )

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def called_instead(self) -> Inside | None:
        """What was called inside the model, where the model itself was not."""
        return None if self.kinds else next((each for each in self._inside if each.calls), None)

    @property
    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
        """What is printed: the heads and rows of the table, and what is said below it."""
        return call_table(self.kinds)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("Calls._repr_mimebundle_")(self)
        return bundle

    def __repr__(self) -> str:
        if self.kinds:
            return write_table(self.kinds)
        other = self.called_instead
        also = f", and {other.calls} of its {other.path} ({other.name})" if other else ""
        return f"No call of {self.model}{also}."
