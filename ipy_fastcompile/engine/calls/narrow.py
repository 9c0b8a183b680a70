"""a kind of call -> a graph of it, and further ones for the calls that it does not serve.

A model may do another thing beyond some size, once a window is full for one; a graph is of what it
does with the example. What is left gets a graph of its own, with an example that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...errors import CaptureError, warn_user
from .asked_kinds import Asked, as_asked
from .captured import Captured
from .kinds import Kind, Seen, make_kind
from .served import Served
from .varying import Row

# The graphs that one kind of call may become.
MOST = 6


def graphs_of(kind: Kind, capture: Callable[[Kind], Captured]) -> list[tuple[Kind, Captured]]:
    """The graphs that serve the calls of a kind, each with the part of the kind it was made of.

    Raises CaptureError where ``capture`` does, and nothing else can be tried. Warns of calls that
    are left when there are `MOST` graphs.
    """
    found: list[tuple[Kind, Captured]] = []
    served: list[Served] = []
    notes: tuple[str, ...] = ()
    left: Kind | None = kind
    while left is not None:
        part, why = left, ""
        try:
            captured = capture(part)
        except CaptureError as error:
            if not part.count:  # nobody has made such a call
                left = _unserved(_without_example(part), served)
                continue
            left, why = _simpler(part), error.what
            if left is None:
                raise
        else:
            graph = Served(captured)
            if not part.tried or not part.count or graph.serves_any(part):
                found.append((part, replace(captured, notes=(*captured.notes, *notes))))
                served.append(graph)
                left = _unserved(_without_example(part, graph), served)
                continue
            left, why = _simpler(part), "The graph of 2 serves none of the calls that were seen."
        if part.tried and left is not None and not left.tried:
            notes = (f"A size that was 1 stays 1 in {part.name}. {why}",)
    return found


def graphs_of_kinds(
    kinds: Sequence[Asked], capture: Callable[[Asked], Captured]
) -> list[tuple[Asked, Captured]]:
    """A graph for each kind, and further ones for recorded calls that it does not serve.

    What each was made of comes first. Raises CaptureError where ``capture`` does.
    """
    found: list[tuple[Asked, Captured]] = []
    for kind in kinds:
        if kind.recorded is None:
            found.append((kind, capture(kind)))
            continue
        is_alone = not kind.name

        def capture_part(part: Kind, is_alone: bool = is_alone) -> Captured:
            asked = as_asked(part)
            return capture(replace(asked, name="") if is_alone else asked)

        graphs = graphs_of(kind.recorded, capture_part)
        is_alone = is_alone and len(graphs) == 1
        parts = [(as_asked(part), graph) for part, graph in graphs]
        found += [(replace(part, name="") if is_alone else part, graph) for part, graph in parts]
    return found


def _unserved(kind: Kind, served: Sequence[Served]) -> Kind | None:
    """The calls of a kind that no graph serves, as a kind of their own; None where none is left."""
    rows = {
        row: count
        for row, count in kind.seen.rows.items()
        if not any(graph.serves(kind, row) for graph in served)
    }
    if rows and len(served) >= MOST:
        _warn_of(kind, sum(rows.values()))
        return None
    number = len(served) + 1
    name = kind.name.partition(".")[0] + (f".{number}" if number > 1 else "")
    return _made(kind, name, rows) if rows else None


def _without_example(kind: Kind, graph: Served | None = None) -> Kind:
    """The kind without the call that a graph was made of, with what to try beyond it."""
    rows = {row: count for row, count in kind.seen.rows.items() if row != kind.sizes}
    if graph is not None and kind.seen.auto and kind.count:
        rows |= {row: 0 for row in graph.beyond(kind) if row not in kind.seen.rows}
    return replace(kind, seen=replace(kind.seen, rows=rows))


def _simpler(kind: Kind) -> Kind | None:
    """What to try when there is no graph for a kind as it is; None when there is nothing."""
    places = kind.seen.places
    numbers = {p for p in kind.tried if places[p].dim is None}
    if not kind.tried:
        return _with_fixed_numbers(kind)
    if numbers and numbers <= kind.seen.ones:
        return _again(kind, replace(kind.seen, ones=kind.seen.ones - numbers))
    return _again(kind, replace(kind.seen, is_exact=True))


def _with_fixed_numbers(kind: Kind) -> Kind | None:
    """The kind with a graph for each value of the whole numbers that varied; None if none did."""
    places = kind.seen.places
    names = {p: word for p, word in kind.seen.names.items() if places[p].dim is not None}
    if len(names) == len(kind.seen.names):
        return None
    return _again(kind, replace(kind.seen, names=names))


def _again(kind: Kind, seen: Seen) -> Kind:
    return _made(replace(kind, seen=seen), kind.name, seen.rows)


def _made(kind: Kind, name: str, rows: Mapping[Row, int]) -> Kind:
    seen = replace(kind.seen, rows=rows)
    return make_kind(name, (kind.args, kind.kwargs), kind.sizes, seen, kind.autocast)


def _warn_of(kind: Kind, count: int) -> None:
    if count:
        name = kind.name.partition(".")[0]
        said = f"A call like {name} is" if count == 1 else f"{count} calls like {name} are"
        warn_user(
            f"{said} not compiled: the model does another thing for the sizes, and of one kind of "
            f"call {MOST} programs are made."
        )
