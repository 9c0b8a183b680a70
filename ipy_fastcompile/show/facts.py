"""Report -> what matters of it in a line or a few: summary, alarms, facts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..records import ConditionRecord, FixedSize, KernelRecord, ReloadRecord, Report, Symbol
from ..timings import ProfileRecord
from .pays import call_fact, eager_fact, losses
from .units import format_count, format_ratio, format_seconds

WEIGHTS_NOTE = (
    "Fresh processes: each gets tensors made from the artifact's parameter specifications, not the "
    "model's weights. What `import torch` takes is shown, but is no part of the load."
)


def programs_of(report: Report) -> tuple[Report, ...]:
    """The report of each program; a report of a single one is that itself."""
    return report.programs or (report,)


def summary(report: Report) -> tuple[tuple[str, str], ...]:
    """Label and text of what matters most, in the order in which it is told."""
    cold, warm = report.cold_seconds, report.warm_seconds
    programs = programs_of(report)
    # Of what somebody else compiled no times are known.
    facts = [("call", call_fact(report))] if report.stages else []
    facts += [("programs", format_count(len(programs)))] if report.programs else []
    facts += [
        ("submodules", format_count(sum(len(p.submodules) for p in programs))),
        ("kernels", format_count(_count_kernels(report))),
        ("nodes", format_count(sum(p.n_nodes for p in programs))),
        ("parameters", _parameters(max(programs, key=lambda p: p.n_parameters))),
    ]
    if report.artifact:
        facts.append(("artifact", format_bytes(report.artifact.size)))
    if report.cache == "hit":  # what follows is of the day when it was compiled
        facts.append(("cache", "hit"))
    if report.stages:
        facts.append(("cold", format_seconds(cold)))
    if warm is not None:
        ratio = format_ratio(cold, warm)
        facts.append(
            ("warm", f"{format_seconds(warm)} ({ratio})" if ratio else format_seconds(warm))
        )
    if report.max_error is not None:
        facts.append(("max error", f"{report.max_error:.2g}"))
    return tuple(facts)


def _count_kernels(report: Report) -> int:
    """Kernels that programs share are stored, and counted, once."""
    if not report.programs:
        return len(report.kernels)
    return len({same_kernel(kernel) for program in report.programs for kernel in program.kernels})


def same_kernel(kernel: KernelRecord) -> tuple[str, str]:
    """What is equal for two kernels that are one: what they compute, and the code that does it."""
    return kernel.digest, kernel.output_code


def _parameters(report: Report) -> str:
    count = format_count(report.n_parameters)
    # Somebody else's artifact names its parameters, not always their sizes.
    return f"{count} ({format_bytes(report.parameter_bytes)})" if report.parameter_bytes else count


def summary_line(report: Report) -> str:
    """``LlamaForCausalLM · 161 submodules · 3 kernels · ... · warm 2.9 ms``."""
    nouns = {
        "programs": "program",
        "submodules": "submodule",
        "kernels": "kernel",
        "nodes": "node",
    }
    words = [inert(report.model)]
    for label, text in summary(report):
        noun = nouns.get(label, "") if text == "1" else label
        words.append(f"{text} {noun}" if label in nouns else f"{label} {text}")
    return " · ".join(words)


def alarms(report: Report) -> tuple[str, ...]:
    """What stands before everything else: a line each, none when all is as it was asked for."""
    lines = _own_alarms(report)
    own = [(p.name, alarm) for p in report.programs for alarm in _own_alarms(p)]
    told = [f"{name}: {alarm}" for name, alarm in own if alarm not in lines]
    return tuple(map(inert, dict.fromkeys((*lines, *told))))


def _own_alarms(report: Report) -> tuple[str, ...]:
    return (*((report.difference,) if report.difference else ()), *report.alarms)


def notes(report: Report) -> tuple[str, ...]:
    """The notes of the compile; a program's own begin with its name."""
    if not report.programs:
        return tuple(map(inert, report.notes))
    own = [f"{p.name}: {note}" for p in report.programs for note in p.notes]
    return (*_notes_of_all(report), *map(inert, own))


def _notes_of_all(report: Report) -> tuple[str, ...]:
    """Notes that are no program's own."""
    own = {note for program in report.programs for note in program.notes}
    return tuple(inert(note) for note in report.notes if note not in own)


def report_facts(report: Report) -> tuple[str, ...]:
    """Where, what for, and what the cache said, one line each.

    Of several programs, what is true of all; `program_facts` has what is one's own.
    """
    lines = [f"torch {report.torch} · {report.machine} · {report.created}"]
    lines += [] if report.programs else _sizes_and_profile(report)
    if report.artifact:
        signed = "signed" if report.artifact.signed else "not signed"
        lines.append(f"artifact {report.artifact.path} · {report.artifact.digest[:19]}… · {signed}")
    if report.tolerance:
        lines.append(f"tolerance against eager: {report.tolerance}")
    lines += _notes_of_all(report)
    if report.key:
        cache = f" · cache {report.cache}" if report.cache else ""
        lines.append(f"key {report.key[:12]}…{cache}")
    lines += [f"why a miss: {why}" for why in report.why_miss]
    return tuple(inert(line) for line in lines)


def miss_title(report: Report) -> str:
    """What is folded away of a miss, or nothing where all is told."""
    count = len(report.miss_details)
    return f"All that differs from the nearest entry, {format_count(count, 'line')}" * bool(count)


def reload_note(report: Report) -> str:
    """What to know of how the reloads were measured."""
    if not report.programs:
        return WEIGHTS_NOTE
    count, first = format_count(len(report.programs)), inert(report.programs[0].name)
    return f"{WEIGHTS_NOTE} All {count} programs are loaded, and {first} is called."


def medians_note(records: Sequence[ReloadRecord]) -> str:
    """Of how many runs the medians are, when they ran, and where."""
    ran = [record for record in records if record.runs]
    counts = {record.runs for record in ran}
    if len(counts) < 2:
        said = f"Medians of {format_count(max(counts, default=0), 'run')}."
    else:
        each = [
            f"{format_count(r.runs, 'run')} of {inert(r.path)}{' as shipped' if r.shipped else ''}"
            for r in ran
        ]
        said = f"Medians of {', '.join(each[:-1])} and {each[-1]}."
    told = dict.fromkeys((r.measured, r.machine) for r in records if r.measured)
    places = [f"{inert(day[:16].replace('T', ' '))} on {inert(machine)}" for day, machine in told]
    # Runs of one race differ by minutes; the first tells its day.
    return f"{said} Measured {places[0]}." if places else said


def program_facts(program: Report) -> tuple[str, ...]:
    """What is known of one program of several, one line each: sizes, profile, notes."""
    return tuple(inert(line) for line in (*_sizes_and_profile(program), *program.notes))


def _sizes_and_profile(report: Report) -> list[str]:
    sizes, lines = [], []
    if report.symbols:
        sizes.append(f"sizes: {', '.join(map(_range_text, report.symbols))}")
    if report.conditions:
        sizes.append(f"conditions: {'; '.join(map(_condition_text, report.conditions))}")
    if report.predicted_peak is not None:
        peak = f"peak of intermediates: {format_bytes(report.predicted_peak)} predicted"
        if report.measured_peak is not None:
            peak += f", {format_bytes(report.measured_peak)} measured"
        sizes.append(peak)
    if sizes:
        lines.append(" · ".join(sizes))
    lines += map(_fixed_text, report.fixed)
    if report.eager:
        lines.append(eager_fact(report))
    if report.profile:
        lines.append(_profile_fact(report.profile))
    return [*losses(report), *lines]


def _range_text(symbol: Symbol) -> str:
    """``2 ≤ seq ≤ 512 (example 16; 2 as asked)``."""
    most = "" if symbol.max is None else f" ≤ {symbol.max}"
    told = [f"example {symbol.example}"]
    if symbol.min >= _WONDERED and symbol.why:
        source = symbol.source
        line = f" at {PurePath(source.file).name}:{source.line}" if source else ""
        since = "" if symbol.why.startswith("as ") else "since "
        told.append(f"{symbol.min} {since}{symbol.why}{line}")
    return f"{symbol.min} ≤ {symbol.name}{most} ({'; '.join(told)})"


_WONDERED = 2  # that a size is at least 1 surprises nobody


def _fixed_text(fixed: FixedSize) -> str:
    more = len(fixed.paths) - 1
    of = fixed.paths[0] + (f" and {more} more" if more else "")
    what = of if fixed.dim is None else f"dimension {fixed.dim} of {of}"
    source = fixed.source
    line = f" ({PurePath(source.file).name}:{source.line}: {source.text})" if source else ""
    return f"fixed: {what}, always {fixed.size}: {fixed.why}{line}"


def _profile_fact(profile: ProfileRecord) -> str:
    at = ", ".join(f"{name} = {size}" for name, size in profile.sizes)
    return (
        f"profiled{f' at {at}' if at else ''}: a call takes {format_seconds(profile.call)}, median "
        f"of {format_count(profile.runs, 'run')} after {profile.warm_up}; timing a line costs "
        f"{format_seconds(profile.overhead)}, which is subtracted; peak "
        f"{format_bytes(profile.predicted_peak)} predicted, "
        f"{format_bytes(profile.measured_peak)} measured"
        + (f", {format_bytes(profile.eager_peak)} in eager" if profile.eager_peak else "")
    )


def _condition_text(condition: ConditionRecord) -> str:
    source = condition.source
    line = f" ({PurePath(source.file).name}:{source.line})" if source else ""
    return condition.words + line
