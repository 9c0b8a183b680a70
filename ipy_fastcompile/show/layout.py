"""nodes and edges -> coordinates, by Graphviz' dot inside pygraphviz; no `dot` binary is needed.

Only coordinates come from dot (`-Tplain`); names never reach it, so none can confuse it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

# Points (1/72 inch), which the drawing uses as pixels.
RANK_GAP = 34.0
NODE_GAP = 16.0
MARGIN = 12.0


@dataclass(frozen=True)
class Layout:
    """Top left corners of the boxes, and each edge as the control points of its cubic curves."""

    width: float
    height: float
    boxes: tuple[Point, ...]
    edges: tuple[tuple[Point, ...], ...]


def has_graphviz() -> bool:
    """Whether pygraphviz is installed; without it the explorer shows tables, no drawings."""
    return importlib.util.find_spec("pygraphviz") is not None


def lay_out(
    count: int,
    edges: Sequence[tuple[int, int]],
    *,
    size: tuple[float, float],
    rank_gap: float = RANK_GAP,
) -> Layout:
    """Place ``count`` boxes of one ``size`` in ranks from top to bottom.

    Raises ImportError when pygraphviz is missing; ask `has_graphviz` first.
    """
    if not count:
        return Layout(2 * MARGIN, 2 * MARGIN, (), ())
    width, height = size
    lines = [
        "digraph{",
        f"graph[nodesep={NODE_GAP / 72:.4f},ranksep={rank_gap / 72:.4f}];",
        'node[shape=box,fixedsize=true,label=" "];',
        f"node[width={width / 72:.4f},height={height / 72:.4f}];",
        *(f"{index};" for index in range(count)),
        *(f"{tail}->{head};" for tail, head in edges),
        "}",
    ]
    return _read_plain(_run_dot("\n".join(lines)), count, edges, size, height + rank_gap)


def _run_dot(source: str) -> str:
    import pygraphviz

    # pygraphviz itself warns on sys.stderr when a graph is large; Graphviz and fontconfig on fd 2.
    with _silent_stderr(), contextlib.redirect_stderr(io.StringIO()):
        plain = pygraphviz.AGraph(string=source).draw(format="plain", prog="dot")
    return str(plain, "utf-8") if isinstance(plain, bytes) else str(plain)


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Point file descriptor 2 elsewhere: a kernel copies what is written there into the cell."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
        finally:
            os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _read_plain(
    plain: str,
    count: int,
    edges: Sequence[tuple[int, int]],
    size: tuple[float, float],
    rank_step: float,
) -> Layout:
    """Numbers of dot's plain format, in points, y downwards.

    dot prints five digits, which is half an inch of jitter in a tall graph; so every rank gets its
    exact height, and what lies between ranks moves along.
    """
    total = 0.0
    centres: list[Point] = [(0.0, 0.0)] * count
    curves: dict[tuple[int, int], list[list[Point]]] = {}
    for line in plain.splitlines():
        word = line.split()
        if word[:1] == ["graph"]:
            total = float(word[3])
        elif word[:1] == ["node"]:
            centres[int(word[1])] = (float(word[2]) * 72, (total - float(word[3])) * 72)
        elif word[:1] == ["edge"]:
            numbers = [float(x) * 72 for x in word[4 : 4 + 2 * int(word[3])]]
            points = [(x, total * 72 - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            curves.setdefault((int(word[1]), int(word[2])), []).append(points)
    ranks: list[float] = []
    for y in sorted({y for _, y in centres}):
        if not ranks or y - ranks[-1] > rank_step / 2:
            ranks.append(y)

    def snap(y: float) -> float:
        right = min(max(bisect_left(ranks, y), 1), len(ranks) - 1)
        if len(ranks) < 2:
            return MARGIN + size[1] / 2 + y - ranks[0]
        low, high = ranks[right - 1], ranks[right]
        return MARGIN + size[1] / 2 + (right - 1 + (y - low) / (high - low)) * rank_step

    def nearest(y: float) -> float:
        number = min(max(bisect_left(ranks, y - rank_step / 2), 0), len(ranks) - 1)
        return MARGIN + size[1] / 2 + number * rank_step

    left = min((x for x, _ in centres), default=0.0) - size[0] / 2
    for pieces in curves.values():
        left = min([left, *(x for points in pieces for x, _ in points)])
    boxes = [(x - left + MARGIN - size[0] / 2, nearest(y) - size[1] / 2) for x, y in centres]
    drawn = []
    for tail, head in edges:
        points = [(x - left + MARGIN, snap(y)) for x, y in curves[tail, head].pop(0)]
        points[0] = (points[0][0], boxes[tail][1] + size[1])
        points[-1] = (points[-1][0], boxes[head][1])
        drawn.append(tuple(points))
    right = max([x + size[0] for x, _ in boxes] + [x for e in drawn for x, _ in e], default=0.0)
    bottom = max([y + size[1] for _, y in boxes], default=0.0)
    return Layout(right + MARGIN, bottom + MARGIN, tuple(boxes), tuple(drawn))
