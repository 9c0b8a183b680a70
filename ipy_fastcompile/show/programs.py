"""Report -> its programs: a view of each, a line about each, and which kernels they share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ..artifact.inert import inert
from ..records import Report, Value
from .facts import programs_of, same_kernel
from .palette import kernel_badge
from .tables import Cell, Table, cap_rows
from .units import TIMES, format_count, format_value, shorten
from .view import View, make_view

# An input's line in a list of programs; a cache alone may have a hundred tensors.
_LONGEST_INPUTS = 160
_LONGEST_LABEL = 48
_NUMBER = re.compile(r"\[\d+\]")


def program_views(report: Report) -> tuple[View, ...]:
    """A view of each program, of one at least."""
    programs = programs_of(report)
    elsewhere = also_in(programs)
    return tuple(map(make_view, programs, elsewhere))


def also_in(programs: Sequence[Report]) -> tuple[dict[int, str], ...]:
    """For each program: its kernels that others run too, by index, and what is said of them.

    ``also in call_1``, or where it has another number there, ``also in call_1 as K2``.
    """
    badges = [{same_kernel(k): kernel_badge(k.index).label for k in p.kernels} for p in programs]
    told = []
    for number, program in enumerate(programs):
        shared = {}
        for kernel in program.kernels:
            own = kernel_badge(kernel.index).label
            places = [
                programs[other].name + ("" if label == own else f" as {label}")
                for other, labels in enumerate(badges)
                if other != number and (label := labels.get(same_kernel(kernel)))
            ]
            if places:
                shared[kernel.index] = inert(f"also in {', '.join(places)}")
        told.append(shared)
    return tuple(told)


def inputs_line(values: Sequence[Value]) -> str:
    """``input_ids i64[1, seq], past_key_values.layers[*].keys f32[1, 4, past, 64] x 16``.

    Plain data is told where it is an argument of its own, as ``use_cache=True``.
    """
    counts = Counter(filter(None, map(_input, values)))
    words = [text if n == 1 else f"{text} {TIMES} {n}" for text, n in counts.items()]
    return shorten(", ".join(words) or "no inputs", _LONGEST_INPUTS)


def _input(value: Value) -> str:
    """A tensor under the name that it has in every layer, or an argument that is plain data."""
    if value.kind == "tensor":
        return f"{_NUMBER.sub('[*]', inert(value.name))} {format_value(value)}"
    is_argument = value.name.isidentifier() and value.kind != "none"
    return inert(f"{value.name}={value.text}") if is_argument else ""


def program_title(view: View) -> str:
    """``call_1: input_ids i64[1, 1], ...``, which tells one program from the others."""
    return f"{inert(view.report.name)}: {inputs_line(view.report.inputs)}"


def program_label(view: View) -> str:
    """Its beginning, for a chooser: what comes first tells most."""
    title = program_title(view)
    return title if len(title) <= _LONGEST_LABEL else f"{title[: _LONGEST_LABEL - 1]}…"


def program_table(views: Sequence[View]) -> Table:
    """What each program takes, and how much of it is its own."""
    heads = ("program", "submodules", "kernels", "shared", "nodes", "inputs")
    rows = tuple(
        (
            Cell(inert(view.report.name)),
            Cell(format_count(len(view.report.submodules))),
            Cell(format_count(len(view.report.kernels))),
            Cell(format_count(len(view.also)) if view.also else ""),
            Cell(format_count(view.report.n_nodes)),
            Cell(inputs_line(view.report.inputs)),
        )
        for view in views
    )
    return cap_rows(Table(heads, rows, frozenset({1, 2, 3, 4})))
