"""A kind of call that a model was given, and how it is made of what was seen."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

import torch

from ...frozen import frozen
from .example import Call, resized
from .observed import Part, Place, argument_of, by_name
from .varying import Row, dynamic_of, thinness


@frozen
class Seen:
    """What calls of one kind have in common, and the sizes that they had.

    Attributes
    ----------
    parts:
        The way to each container, tensor and value, and what it is.
    places:
        All that is a size.
    rows:
        How many calls there were of each combination of sizes, one for each of ``places``.
    names:
        What each place is called that took several sizes, by its position.
    signature:
        The signature of what was called.
    auto:
        Whether all that can vary may, seen to or not.
    ones:
        Positions of a batch that was only seen at 1, and that may vary.
    is_exact:
        Whether the example is one of the calls, and has no size of 2 where it was seen at 1.
    asked:
        What the user said of arguments, which counts more than what was seen.
    """

    parts: tuple[Part, ...] = ()
    places: tuple[Place, ...] = ()
    rows: Mapping[Row, int] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    signature: inspect.Signature = field(default_factory=inspect.Signature)
    auto: bool = False
    ones: frozenset[int] = frozenset()
    is_exact: bool = False
    asked: Mapping[str, Any] = field(default_factory=dict)


@frozen
class Kind:
    """Calls that differ in nothing but sizes.

    Attributes
    ----------
    name:
        ``"call_0"``, ``"call_1"``, in the order in which the kinds were first seen.
    args, kwargs:
        An example, as it was before its call.
    dynamic:
        What of it may vary, as `ipy_fastcompile.compile` takes it.
    count:
        How many calls of this kind there were.
    autocast:
        The kinds of devices for which autocast was on around the calls, and what it casts to.
    sizes, names:
        The sizes of the example, and by position what each of them is called that varied.
    loose:
        The names in ``dynamic`` that nobody asked for: the model may fix what has them.
    tried:
        Positions of sizes that are 2 in the example, and 1 in the call that it is made of: of 1
        torch cannot tell how it would vary.
    seen:
        All that is known of these calls.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dynamic: Any
    count: int
    autocast: tuple[tuple[str, torch.dtype], ...] = ()
    sizes: Row = ()
    names: Mapping[int, str] = field(default_factory=dict)
    loose: frozenset[str] = frozenset()
    tried: frozenset[int] = frozenset()
    seen: Seen = field(default_factory=Seen)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the example, by name."""
        return by_name(self.seen.signature, self.args, self.kwargs)

    def with_dynamic(self, dynamic: Mapping[str, Any]) -> Kind:
        """The kind, of which more may vary than what was seen to."""
        seen = replace(self.seen, asked={**self.seen.asked, **dynamic})
        return _as_asked(replace(self, seen=seen))

    def __repr__(self) -> str:
        return f"<{self.name}, seen {self.count} times>"


def make_kind(
    name: str,
    example: Call,
    sizes: Row,
    seen: Seen,
    autocast: tuple[tuple[str, torch.dtype], ...] = (),
) -> Kind:
    """The kind of the calls that were ``seen``; the ``example`` has these ``sizes``.

    Where it is none of them, it is made the largest that was seen: where a model does one thing up
    to some size and another beyond, what it does at the very first size beyond may be of neither.
    """
    places, rows = seen.places, seen.rows
    given = sizes
    if sizes not in rows:
        sizes = max(rows, key=lambda row: (rows[row] > 0, -thinness(row), sum(row)))
    tried = frozenset[int]()
    if not seen.is_exact:
        tried = frozenset(p for p in seen.ones | seen.names.keys() if sizes[p] == 1)
    sizes = tuple(2 if p in tried else size for p, size in enumerate(sizes))
    if sizes != given:
        wanted = {(p.path, p.dim): size for p, size in zip(places, sizes, strict=True)}
        example = resized(example, seen.signature, wanted)
    args, kwargs = example
    least = [min(column) for column in zip(*rows, strict=True)]
    # Of a size of 0 nothing can be told either, and no size is below that.
    names = {p: word for p, word in seen.names.items() if sizes[p] > 1 and least[p] >= 0}
    wishes = {(places[p].path, places[p].dim): word for p, word in names.items()}
    dynamic: Any = dynamic_of(by_name(seen.signature, args, kwargs), wishes)
    if seen.auto:
        dynamic = {"*": "auto", **dynamic} if dynamic else "auto"
    kind = Kind(
        name=name,
        args=args,
        kwargs=kwargs,
        dynamic=dynamic,
        count=sum(rows.values()),
        autocast=autocast,
        sizes=sizes,
        names=names,
        loose=frozenset(names.values()),
        tried=tried,
        seen=seen,
    )
    return _as_asked(kind)


def _as_asked(kind: Kind) -> Kind:
    """The kind with what the user said of its arguments in the place of what was seen of them."""
    own = {"*": "auto"} if kind.dynamic == "auto" else dict(kind.dynamic or {})
    asked = kind.seen.asked
    for path, wish in asked.items():
        value = kind.arguments.get(path)
        if isinstance(value, torch.Tensor) and isinstance(wish, Mapping):
            wish = {dim: word for dim, word in wish.items() if value.shape[dim] > 1}
        if path.startswith("*") or argument_of(path) in kind.arguments:
            own[path] = wish
    dynamic: Any = {path: wish for path, wish in own.items() if wish} or None
    dynamic = "auto" if dynamic == {"*": "auto"} else dynamic
    return replace(kind, dynamic=dynamic, loose=kind.loose - {*_words(list(asked.values()))})


def _words(wish: Any) -> Iterator[str]:
    """The names of sizes in a wish, however it is nested."""
    if isinstance(wish, str):
        yield wish
    elif isinstance(wish, (Mapping, list, tuple)):
        for inner in wish.values() if isinstance(wish, Mapping) else wish:
            yield from _words(inner)
