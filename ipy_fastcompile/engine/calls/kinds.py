"""A kind of call that a model was given, and how it is made of what was seen."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from .example import Call, resized
from .observed import Part, Place, by_name
from .varying import Row, dynamic_of, name_groups, thinness, varying_groups


@dataclass(frozen=True)
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
    signature:
        The signature of what was called.
    auto:
        Whether all that can vary may, seen to or not.
    """

    parts: tuple[Part, ...] = ()
    places: tuple[Place, ...] = ()
    rows: Mapping[Row, int] = field(default_factory=dict)
    signature: inspect.Signature = field(default_factory=inspect.Signature)
    auto: bool = False


@dataclass(frozen=True, repr=False)
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
    seen: Seen = field(default_factory=Seen)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the example, by name."""
        return by_name(self.seen.signature, self.args, self.kwargs)

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

    Where it is none of them, it is made one of them.
    """
    places, rows = seen.places, seen.rows
    if sizes not in rows:
        sizes = min(rows, key=thinness)
        wanted = {(p.path, p.dim): size for p, size in zip(places, sizes, strict=True)}
        example = resized(example, seen.signature, wanted)
    args, kwargs = example
    named = name_groups(places, varying_groups(list(rows)))
    least = [min(column) for column in zip(*rows, strict=True)]
    # Of a size of 0 or 1 torch cannot tell how it would vary, and no size is below 0.
    names = {p: word for p, word in named.items() if sizes[p] > 1 and least[p] >= 0}
    wishes = {(places[p].path, places[p].dim): word for p, word in names.items()}
    dynamic: Any = dynamic_of(by_name(seen.signature, args, kwargs), wishes)
    if seen.auto:
        dynamic = {"*": "auto", **dynamic} if dynamic else "auto"
    return Kind(
        name=name,
        args=args,
        kwargs=kwargs,
        dynamic=dynamic,
        count=sum(rows.values()),
        autocast=autocast,
        sizes=sizes,
        names=names,
        seen=seen,
    )
