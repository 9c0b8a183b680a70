"""kinds of calls -> a table as text: how often, of what, and what varies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .kinds import Kind
from .observed import argument_of

_LONGEST = 50  # of paths that are listed
_HEADS = ("kind", "calls", "input", "", "varies")


def call_table(kinds: Sequence[Kind]) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Heads, a row for each group of inputs that are alike, and lines to put below them."""
    rows: list[tuple[str, ...]] = []
    for kind in kinds:
        first, count = kind.name, str(kind.count)
        for paths, text, varies in _inputs(kind):
            rows.append((first, count, paths, text, varies))
            first = count = ""
    auto = 'dynamic="auto": sizes without a name vary, too, where the model lets them'
    return _HEADS, rows, [auto] if any(kind.seen.auto for kind in kinds) else []


def write_table(kinds: Sequence[Kind]) -> str:
    """The table as text."""
    heads, found, below = call_table(kinds)
    rows = [heads, *found]
    # A list of values may run on to the right: nothing stands there.
    wide = [row for row in rows if any(row[3:])]
    widths = [
        max(len(row[column]) for row in (rows if column < 2 else wide))
        for column in range(len(_HEADS) - 1)
    ]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if head == "calls" else cell.ljust(width)
            for head, cell, width in zip(_HEADS, row, widths, strict=False)
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join([*lines, *below])


def _inputs(kind: Kind) -> Iterator[tuple[str, str, str]]:
    """(paths, what they are, what of it varies): tensors that are alike, then all the rest."""
    places: dict[str, list[int]] = {}
    for position, place in enumerate(kind.seen.places):
        places.setdefault(place.path, []).append(position)
    alike: dict[str, list[str]] = {}
    for part in kind.seen.parts:
        if part.kind == "tensor":
            shape = ", ".join(_size(kind, p) for p in places.get(part.path, []))
            alike.setdefault(f"{part.text}[{shape}]", []).append(part.path)
        elif part.kind == "number" and places[part.path][0] in kind.names:
            alike.setdefault(f"int {kind.names[places[part.path][0]]}", []).append(part.path)
        elif part.kind == "container" and not _has_tensors(kind, part.path):
            alike.setdefault(f"{part.text} without tensors", []).append(part.path)
    told: set[str] = set()
    for text, paths in alike.items():
        shown = [p for path in paths for p in places.get(path, []) if p in kind.names]
        yield _listed(paths), text, _varying(kind, shown, told)
    values = [
        f"{p.path}={p.text}" for p in kind.seen.parts if p.kind == "value" and _is_top(p.path)
    ]
    values += [
        f"{place.path}={_size(kind, position)}"
        for position, place in enumerate(kind.seen.places)
        if place.dim is None and position not in kind.names and _is_top(place.path)
    ]
    if values or not alike:
        yield ", ".join(values) or "nothing", "", ""
    for device, dtype in kind.autocast:
        yield f"under autocast of {device} to {str(dtype).removeprefix('torch.')}", "", ""


def _size(kind: Kind, position: int) -> str:
    """The name of a size that may vary, or the sizes that were seen."""
    return kind.names.get(position) or _shown(kind, position, " or ")


def _varying(kind: Kind, positions: Sequence[int], told: set[str]) -> str:
    """``past: 9 to 39`` for each name that was not told yet."""
    said = []
    for position in positions:
        name = kind.names[position]
        if name not in told:
            told.add(name)
            tried = kind.sizes[position]
            more = f", tried at {tried}" if position in kind.tried else ""
            said.append(f"{name}: {_shown(kind, position, ', ')}{more}")
    return "; ".join(said)


def _shown(kind: Kind, position: int, between: str) -> str:
    """The sizes that were seen, or the least and the largest of many."""
    sizes = sorted({row[position] for row in kind.seen.rows})
    return between.join(map(str, sizes)) if len(sizes) < 4 else f"{sizes[0]} to {sizes[-1]}"


def _has_tensors(kind: Kind, path: str) -> bool:
    return any(p.kind == "tensor" and argument_of(p.path) == path for p in kind.seen.parts)


def _is_top(path: str) -> bool:
    return argument_of(path) == path


def _listed(paths: Sequence[str]) -> str:
    whole = ", ".join(paths)
    is_long = len(paths) > 1 and len(whole) > _LONGEST
    return f"{paths[0]} and {len(paths) - 1} more" if is_long else whole
