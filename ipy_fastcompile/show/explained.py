"""Report, kernel -> its passes and fusions as text, and why two of its nodes are not fused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..artifact.inert import inert
from ..explained import (
    DiffLine,
    Explained,
    PassRecord,
    ScheduledNode,
    TriedRecord,
    Tuning,
    of_kernel,
)
from ..fused import APART, FUNCTION, LOOPS, SAME, Pair, answers, meaning
from ..records import KernelRecord, Report, Source
from .buffers import buffers_of
from .units import format_count, format_seconds, shorten

_LONGEST = 110  # of a line of a graph
_MOST_REFUSALS = 12  # in a text; a question about two nodes looks at all
_NOT_RECORDED = "Inductor recorded no reason."


def passes_text(report: Report, kernel: int) -> str:
    """All passes of a kernel; those that changed nothing are one line."""
    record, explained = _asked(report, kernel)
    if explained.missing:
        return f"{_title(record)}: {explained.missing}"
    changed = [each for each in explained.passes if each.changed]
    seconds = sum(each.seconds for each in explained.passes)
    lines = [
        (
            f"{_title(record)}: {format_count(len(explained.passes), 'pass', 'passes')} in "
            f"{format_seconds(seconds)}, {len(changed) or 'none'} of which changed the graph"
        )
    ]
    for each in changed:
        title = inert(f"{each.name} ({each.stage})")
        lines += ["", f"{title}, {format_seconds(each.seconds)}"]
        lines += [f"  {line}" for line in diff_lines(each)]
    if unchanged := unchanged_line(explained):
        lines += ["", unchanged]
    return "\n".join(lines)


def unchanged_line(explained: Explained) -> str:
    """The passes that changed nothing, by stage; empty where there is none."""
    unchanged = [each for each in explained.passes if not each.changed]
    if not unchanged:
        return ""
    stages: dict[str, Counter[str]] = {}
    for each in unchanged:
        stages.setdefault(each.stage, Counter())[each.name] += 1
    told = [
        f"{inert(stage)}: "
        + ", ".join(
            inert(n) + (f" ({count} times)" if count > 1 else "") for n, count in names.items()
        )
        for stage, names in stages.items()
    ]
    return f"{len(unchanged)} changed nothing. {'; '.join(told)}."


def diff_lines(record: PassRecord) -> list[str]:
    """The graph before and after a pass where they differ, each line with that of the model."""
    lines = [_diff_line(line) for line in record.diff]
    return lines + ([f"and {record.left_out} more lines"] if record.left_out else [])


def _diff_line(line: DiffLine) -> str:
    text = shorten(inert(line.text, limit=2_000), _LONGEST)
    said = f"{line.mark} {text}"
    return f"{said}  # {place(line.source)}" if line.source and line.mark != " " else said


def fusions_text(report: Report, kernel: int) -> str:
    """What the scheduler of a kernel fused, by function, and what not."""
    record, explained = _asked(report, kernel)
    if explained.missing:
        return f"{_title(record)}: {explained.missing}"
    nodes = {node.name: node for node in explained.nodes}
    functions: dict[str, list[tuple[str, ...]]] = {}
    for group in explained.groups:
        # Every call of a library is one for itself, also of the same function.
        key = group.kernel or "no function"
        functions.setdefault(key, []).append(group.nodes)
    lines = [f"{_title(record)}: {_counts(explained)}"]
    for name, groups in functions.items():
        lines += ["", inert(name)]
        for at, members in enumerate(groups):
            is_call = any(nodes[n].kind == "extern" for n in members if n in nodes)
            label = "call" if is_call else f"group {at + 1}" if len(groups) > 1 else "group"
            for position, member in enumerate(members):
                node = nodes.get(member)
                said = node_line(node) if node else member
                lines.append(f"  {label if not position else '':8} {said}")
    lines += _refusal_lines(explained)
    lines += _buffer_lines(record, explained)
    for tuning in explained.tunings:
        lines += ["", f"{inert(tuning.kernel)}, a configuration of {len(tuning.tried)}"]
        lines += [f"  {line}" for line in tuning_lines(tuning)]
    return "\n".join(line.rstrip() for line in lines)


def _counts(explained: Explained) -> str:
    calls = sum(node.kind == "extern" for node in explained.nodes)
    fused = sum(len(group.nodes) > 1 for group in explained.groups)
    return ", ".join(
        (
            f"{format_count(len(explained.nodes), 'scheduled node')} before fusion",
            f"{format_count(len(explained.groups), 'group')} after it",
            f"{fused or 'none'} of several nodes",
            f"{calls or 'no'} {'call' if calls == 1 else 'calls'} of a library",
        )
    )


def node_line(node: ScheduledNode) -> str:
    """``op5  reduction  float32[4, 64]  layer_norm, sum_1  model.py:12: return x.sum(1)``."""
    made_from = ", ".join(node.sources or node.origins) or ", ".join(node.ops)
    parts = [node.name, node.kind, node.value, made_from]
    return inert("  ".join([*filter(None, parts), *([place(node.source)] if node.source else [])]))


def place(source: Source) -> str:
    """``model.py:12: return x.sum(1)``."""
    text = f": {source.text}" if source.text else ""
    return inert(shorten(f"{Path(source.file).name}:{source.line}{text}", _LONGEST))


def _refusal_lines(explained: Explained) -> list[str]:
    """What was refused of groups as they are now, the reasons that Inductor gave."""
    finals = [set(group.nodes) for group in explained.groups]
    told = [r for r in explained.refusals if {*r.first} in finals and {*r.second} in finals]
    told = list({frozenset((r.first, r.second)): r for r in told}.values())
    if len(explained.groups) < 2:
        return []
    if not told and not explained.left_out:
        return ["", "Inductor recorded no reason for what it did not fuse."]
    lines = ["", "Not fused, as Inductor says:"]
    for each in told[:_MOST_REFUSALS]:
        first, second = ("+".join(names) for names in (each.first, each.second))
        lines.append(inert(f"  {first} and {second}: {each.reason}"))
    rest = len(told) - _MOST_REFUSALS
    if rest > 0:
        lines.append(f"  and {rest} more; ask for two nodes: report.why_not_fused(kernel, a, b)")
    if explained.left_out:
        lines.append(f"  {explained.left_out} refusals were beyond what a report keeps")
    return lines


def _buffer_lines(record: KernelRecord, explained: Explained) -> list[str]:
    buffers = buffers_of(record, explained)
    lines = [
        *[f"  {name} takes the memory of {old}" for name, old in buffers.reused],
        *[f"  {name} is written in place by {kernel}" for name, kernel in buffers.in_place],
    ]
    allocated = ", ".join(f"{name} {value}" for name, value in buffers.allocated)
    if allocated:
        lines.insert(0, f"  allocated: {allocated}")
    return ["", "Buffers", *map(inert, lines)] if lines else []


def tuning_lines(tuning: Tuning) -> list[str]:
    """The configurations of a kernel on a GPU, the fastest first, the chosen one marked."""
    order = sorted(tuning.tried, key=lambda each: (each.seconds is None, each.seconds or 0.0))
    return [_tried_line(each, each.configuration == tuning.chosen) for each in order]


def _tried_line(each: TriedRecord, is_chosen: bool) -> str:
    taken = format_seconds(each.seconds) or "not timed"
    held = "registers not recorded"
    if each.registers is not None:
        held = f"{format_count(each.registers, 'register')}, {each.spills or 'none'} spilled"
    return inert(f"{'chosen' if is_chosen else 'tried'}: {taken}, {held}, {each.configuration}")


def pair_text(report: Report, kernel: int, first: str, second: str) -> str:
    """Whether two nodes are fused, and if not, why."""
    record, explained = _asked(report, kernel)
    if explained.missing:
        return f"{_title(record)}: {explained.missing}"
    return "\n\n".join(answer(pair) for pair in answers(explained, first, second))


def answer(pair: Pair) -> str:
    """One pair: the two nodes with their lines, and what became of them."""
    lines = [node_line(pair.first)]
    if pair.relation != SAME:
        lines.append(node_line(pair.second))
    return "\n".join([*lines, *verdict(pair)])


def verdict(pair: Pair) -> list[str]:
    """What became of a pair: a line, and one for each reason, with what it means."""
    one, other = map(inert, pair.kernels)
    if pair.relation == SAME:
        return [
            f"They are computed as one, by one node of the scheduler, in {one or 'no function'}."
        ]
    if pair.relation == LOOPS:
        return [f"Fused: they are one group, written together in {one or 'no function'}."]
    said = f"Not fused: {one or 'no function'} and {other or 'no function'}."
    if pair.relation == FUNCTION:
        said = f"Not fused: both are in {one}, each in loops of its own."
    if not pair.reasons:
        calls = [node.call for node in (pair.first, pair.second) if node.call]
        if pair.relation == APART and calls:
            return [said, f"{_NOT_RECORDED} {inert(calls[0])} is a call of a library."]
        return [said, _NOT_RECORDED]
    return [said, *(_reason(text) for text in pair.reasons)]


def _reason(text: str) -> str:
    words = meaning(text)
    return f'Inductor: "{inert(text)}".' + (f" {words}" if words else "")


def _title(record: KernelRecord) -> str:
    names = ", ".join(f"submod_{n}" for n in record.submodules[:4])
    rest = len(record.submodules) - 4
    return f"kernel {record.index} ({names}{f' and {rest} more' if rest > 0 else ''})"


def _asked(report: Report, kernel: int) -> tuple[KernelRecord, Explained]:
    """A kernel, and what was recorded of it. Raises LookupError where there is none."""
    explained = of_kernel(report, kernel)
    return next(record for record in report.kernels if record.index == kernel), explained
