"""a compile by Inductor, watched -> Explained: its passes, its fusions, and what it refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ...explained import (
    FROM_CACHE,
    MOST_DIFF_LINES,
    MOST_REFUSALS,
    DiffLine,
    Explained,
    FusedGroup,
    PassRecord,
    Refusal,
    ScheduledNode,
    TriedRecord,
    Tuning,
)
from ...torch_compat.fusions import SeenFusions, watched_fusions
from ...torch_compat.launches import CudaLaunch, Tried
from ...torch_compat.passes import NodeLine, SeenPass, watched_passes
from ..code.sources import read_source

_CONTEXT = 2  # unchanged lines around those that differ
_NOTHING = Explained(missing="Inductor compiled this kernel without a scheduler of its own.")


class Recorder:
    """Notes what one kernel's compile does; of several compiles, the last one counts."""

    def __init__(self) -> None:
        self._passes: list[SeenPass] = []
        self._fusions = SeenFusions()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts, what Inductor does is noted in the place of what was."""
        self._passes, self._fusions = [], SeenFusions()
        with watched_passes(self._passes.append), watched_fusions(self._fusions):
            yield

    def explained(self, *, anew: bool) -> Explained:
        """What was noted, as plain data; ``anew`` says that nothing came out of a cache."""
        seen = self._fusions
        if not seen.was_scheduled:
            return _NOTHING if anew else FROM_CACHE
        refusals = _refusals(seen)
        return Explained(
            passes=_pass_records(self._passes),
            nodes=tuple(
                ScheduledNode(
                    name=node.name,
                    kind=node.kind,
                    buffers=node.buffers,
                    sources=node.sources,
                    origins=node.origins,
                    ops=node.ops,
                    value=node.value,
                    call=node.call,
                    source=read_source(node.trace),
                )
                for node in seen.nodes
            ),
            groups=_groups(seen),
            refusals=refusals[:MOST_REFUSALS],
            left_out=max(0, len(refusals) - MOST_REFUSALS),
        )


def _pass_records(seen: Sequence[SeenPass]) -> tuple[PassRecord, ...]:
    """The passes in their order; the diffs of all of them together are within the limit."""
    room = MOST_DIFF_LINES
    found = []
    for each in seen:
        diff = _diff(each.before, each.after)
        kept, room = diff[:room], max(0, room - len(diff))
        found.append(
            PassRecord(
                stage=each.stage,
                name=each.name,
                seconds=each.seconds,
                changed=bool(diff),
                diff=tuple(kept),
                left_out=len(diff) - len(kept),
            )
        )
    return tuple(found)


def _diff(before: Sequence[NodeLine], after: Sequence[NodeLine]) -> list[DiffLine]:
    """The lines that went and came, with some that stayed; none where all stayed."""
    old, new = ([line.text for line in lines] for lines in (before, after))
    if old == new:
        return []
    found: list[DiffLine] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if found:
            found.append(DiffLine(" ", "..."))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                found += _lines(" ", after[j1:j2])
            else:
                found += _lines("-", before[i1:i2]) + _lines("+", after[j1:j2])
    return found


def _lines(mark: str, lines: Sequence[NodeLine]) -> list[DiffLine]:
    return [DiffLine(mark, line.text, read_source(line.trace)) for line in lines]


def _groups(seen: SeenFusions) -> tuple[FusedGroup, ...]:
    """What became of the nodes: those of one group are one nest of loops, or one call."""
    function_of = {name: function for function, names in seen.functions for name in names}
    call_of = {node.name: node.call for node in seen.nodes}
    return tuple(
        FusedGroup(names, function_of.get(names[0]) or call_of.get(names[0], ""))
        for names in seen.groups
    )


def _refusals(seen: SeenFusions) -> tuple[Refusal, ...]:
    """Each reason once for two groups: the scheduler asks in several rounds, and both ways."""
    return tuple(Refusal(*each) for each in dict.fromkeys(seen.refusals))


def tunings_of(launches: Mapping[str, CudaLaunch | str], tried: Tried) -> tuple[Tuning, ...]:
    """What the Triton kernels of a compile were timed with; of one without a launch nothing."""
    return tuple(
        Tuning(
            name,
            launch.chosen,
            tuple(TriedRecord(*each) for each in tried.get(name, ((launch.chosen,),))),
        )
        for name, launch in launches.items()
        if isinstance(launch, CudaLaunch)
    )
