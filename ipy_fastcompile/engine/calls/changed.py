"""arguments before and after the model ran -> what it changed in them, or a CaptureError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import torch

from ...errors import CaptureError
from ...runtime.nests import Nest, Unknown, flatten
from ...torch_compat import symbolic
from .observed import holder_of
from .snapshot import Change

# A nest and its leaves.
Flat = tuple[Any, list[Any]]


def flat(value: Any) -> Flat:
    """How a value is nested, and its leaves. Raises `Unknown` for what can be no part of a call."""
    found = flatten(value)
    return found.nest, found.leaves


def changed_objects(
    paths: Sequence[str],
    values: Sequence[Any],
    before: Sequence[Flat],
    changes: Sequence[Change],
) -> dict[int, Flat]:
    """The arguments that the model gave other tensors, or more of them, by position: how they
    are nested now, and their leaves. Only plain objects may be among them.

    What it changes in any other container is refused: the compiled call would not do it.
    """
    changed: dict[int, Flat | None] = {}
    for position, (value, was) in enumerate(zip(values, before, strict=True)):
        now = _flat_or_none(value)
        if now is None or not _is_same(now, was):
            changed[position] = now
    objects = {
        position: now
        for position, now in changed.items()
        if now is not None and isinstance(now[0], Nest) and now[0].kind == "object"
    }
    _check_attributes(paths, changes, {paths[position] for position in objects})
    for position in changed.keys() - objects.keys():
        raise CaptureError(
            f"The model changes what its argument {paths[position]} holds, a "
            f"{type(values[position]).__name__}, which a compiled call would not do.",
            "Let it work on a copy, and return what is new.",
            argument=paths[position],
        )
    return objects


def changed_numbers(given: Mapping[str, Any], objects: Mapping[str, Any]) -> frozenset[str]:
    """The ways to the whole numbers in ``objects`` that are others than what was ``given``."""
    return frozenset(
        path
        for path, leaf in _leaves(objects)
        if type(given.get(path)) is int and not (type(leaf) is int and leaf == given[path])
    )


def sized_numbers(given: Mapping[str, Any], objects: Mapping[str, Any]) -> frozenset[str]:
    """The ways to the whole numbers in ``objects`` that are a size of a tensor beside them.

    It is a size that varies of a tensor that was ``given``, or any of one that is new.
    """
    sizes: dict[str, set[int]] = {}
    for path, leaf in _leaves(objects):
        was = given.get(path)
        if isinstance(leaf, torch.Tensor):
            found = sizes.setdefault(holder_of(path), set())
            if isinstance(was, torch.Tensor):
                pairs = zip(was.shape, leaf.shape, strict=False)
                found |= {size for size, now in pairs if symbolic.varies(now)}
            else:
                found |= {size for size in leaf.shape if type(size) is int}
    return frozenset(
        path
        for path, value in given.items()
        if type(value) is int and value in sizes.get(holder_of(path), ())
    )


def _leaves(objects: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for path, value in objects.items():
        try:
            found = flatten(value, path)
        except Unknown:
            continue
        yield from zip(found.paths, found.leaves, strict=True)


def _check_attributes(paths: Sequence[str], changes: Sequence[Change], objects: Set[str]) -> None:
    """Refuse a change of what is no leaf, too: a counter, an attribute that nothing flattens.

    What begins with an underscore is the object's own affair. Of ``objects``, by the way to
    them, all that they hold is returned.
    """
    for change in changes:
        if not change.where.rpartition(".")[2].startswith("_"):
            named = [path for path in paths if change.where.startswith(path)]
            if max(named, key=len) in objects:
                continue
            raise CaptureError(
                f"The model changes what its argument {max(named, key=len)} holds: {change}, "
                "which a compiled call would not do.",
                "Let it work on a copy, and return what is new.",
                argument=max(named, key=len),
            )


def _flat_or_none(value: Any) -> Flat | None:
    try:
        return flat(value)
    except Unknown:
        return None


def _is_same(now: Flat, before: Flat) -> bool:
    """Whether it holds the very same tensors, and equal values, in the same containers."""
    return (
        now[0] == before[0]
        and len(now[1]) == len(before[1])
        and all(
            a is b or (not isinstance(a, torch.Tensor) and _is_equal(a, b))
            for a, b in zip(now[1], before[1], strict=True)
        )
    )


def _is_equal(one: Any, other: Any) -> bool:
    """Whether two leaves that are no tensors are equal whatever the sizes are."""
    if symbolic.is_symbolic_int(one) or symbolic.is_symbolic_int(other):
        both = symbolic.is_symbolic_int(one) and symbolic.is_symbolic_int(other)
        return both and bool(
            symbolic.symbolic_expression(one) == symbolic.symbolic_expression(other)
        )
    return bool(one == other)
