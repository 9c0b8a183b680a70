"""Two keys -> the components that differ, old -> new, down to the source line or the flag."""

from __future__ import annotations

from collections.abc import Mapping

from ..artifact.inert import inert
from ..frozen import frozen
from .changed_kinds import NOTHING, OF_KINDS, describe_kinds, other_kinds, without_kinds
from .line_changes import CODE, LineChange, became, line_changes, shown

_SHOWN_LINES = 20


@frozen
class Change:
    """A component that differs. ``lines`` say how, inert and ready to show.

    ``old`` and ``new`` are the whole texts, None where the component is absent or not recorded.
    ``differing`` are the lines of both that differ, and ``kinds`` says what is to be said of kinds
    of call that came or went.
    """

    component: str
    old: str | None
    new: str | None
    lines: tuple[str, ...]
    differing: tuple[LineChange, ...] = ()
    kinds: tuple[str, ...] = ()

    def __repr__(self) -> str:
        more = f" and {len(self.lines) - 1} more" if self.lines[1:] else ""
        return f"<{inert(self.component)}: {''.join(self.lines[:1])}{more}>"

    def __str__(self) -> str:
        name = inert(self.component)
        if len(self.lines) == 1:
            return f"{name}: {self.lines[0]}"
        return "\n".join([f"{name}:", *(f"  {line}" for line in self.lines)])


def diff_components(
    old: Mapping[str, str | None], new: Mapping[str, str | None]
) -> tuple[Change, ...]:
    """Every component that differs, in the order of ``new``; a None text is not recorded."""
    kinds = other_kinds(old, new), other_kinds(new, old)
    return tuple(
        _change(name, old, new, kinds)
        for name in {**new, **old}
        if name not in old or name not in new or old[name] != new[name]
    )


def _change(
    name: str,
    old: Mapping[str, str | None],
    new: Mapping[str, str | None],
    kinds: tuple[tuple[str, ...], tuple[str, ...]],
) -> Change:
    before, after = old.get(name), new.get(name)
    if name not in old or name not in new:
        only = "that the entry does not have" if name not in old else "that only the entry has"
        return Change(name, before, after, (f"a component {only}",))
    if before is None or after is None:
        said = "differs; the text is not recorded in the entry"
        return Change(name, before, after, (said,))
    told: tuple[str, ...] = ()
    left, right = before, after
    if name in OF_KINDS and any(kinds):
        gone, come = kinds
        told = (
            *map(shown, describe_kinds(before, gone, "only the entry has")),
            *map(shown, describe_kinds(after, come, "the entry does not have")),
        )
        left, right = without_kinds(before, gone), without_kinds(after, come)
    if "\n" in left + right or NOTHING in (left, right):
        found = tuple(line_changes(*("" if text == NOTHING else text for text in (left, right))))
        lines = [str(line) for line in found if not line.place.startswith(CODE)]
        lines = lines or list(map(str, found)) or ["the same lines in another order"]
    else:
        of_one_line = line_changes(left, right)
        found = tuple(LineChange("", line.old, line.new, line.name) for line in of_one_line)
        lines = [became(left, right)] if left != right else []
    lines = [*told, *lines] if left != right else list(told)
    rest = len(lines) - _SHOWN_LINES
    lines = lines if rest <= 0 else [*lines[:_SHOWN_LINES], f"and {rest} more lines"]
    return Change(name, before, after, tuple(lines), found, told)
