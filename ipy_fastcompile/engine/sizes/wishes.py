"""what a user writes in ``dynamic`` -> what is wanted of each dimension and each whole number.

A wish for a place is a wish for all that it holds: ``{2: "past"}`` for a cache is one for dimension
2 of every tensor in it that has one, and ``"auto"`` one for everything in it that can vary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import CallError
from .hints import AUTO, STATIC, is_auto, is_dim, is_hint
from .paths import find_places, listing
from .places import Place

# A place by the way to it, and its dimension; None for a whole number.
Spot = tuple[str, int | None]


@dataclass(frozen=True)
class Wish:
    """What is wanted of one dimension, or of a whole number.

    ``value`` is a name, ``(name, least, most)``, torch.export's `Dim` or a hint. ``many`` is the
    place that was named when it was one that holds several: then it is no fault if it is fixed.
    """

    place: Place
    dim: int | None
    value: Any
    many: str = ""

    @property
    def size(self) -> int:
        """The size in the example."""
        return int(self.place.value if self.dim is None else self.place.value.shape[self.dim])

    @property
    def where(self) -> str:
        """In words that an error can have."""
        return self.place.where if self.dim is None else f"{self.place.where}:{self.dim}"

    @property
    def spot(self) -> Spot:
        """What it is about."""
        return self.place.where, self.dim


def wishes_of(root: Place, dynamic: Any) -> dict[Spot, Wish]:
    """All wishes, those for one place before those for several.

    Raises CallError naming the entry that cannot be: an argument, a key or a dimension that is not
    there, a value that is no dimension, two wishes for one dimension.
    """
    found: dict[Spot, Wish] = {}
    for wish in _at_root(root, dynamic):
        other = found.get(wish.spot)
        found[wish.spot] = wish if other is None else _agreed(other, wish)
    wanted = [w for w in found.values() if not _is_static(w)]
    wanted.sort(key=lambda w: (bool(w.many), is_auto(w.value)))
    return {wish.spot: wish for wish in wanted}


def _at_root(root: Place, dynamic: Any) -> Iterator[Wish]:
    """A sequence has an entry for each argument, as torch.export's has."""
    if dynamic == "auto":
        dynamic = {"*": "auto"}
    if isinstance(dynamic, (tuple, list)):
        names = [str(label) for label in root.labels]
        if len(dynamic) != len(names):
            raise CallError(
                f"dynamic has {len(dynamic)} entries, and the call has {len(names)} arguments.",
                f"Give one for each of {', '.join(names)}, or a dict with those that vary.",
            )
        dynamic = dict(zip(names, dynamic, strict=True))
    if not isinstance(dynamic, Mapping):
        raise CallError(
            f"dynamic is {dynamic!r:.60}, not a dict of arguments.",
            'Write {argument: {dimension: "name"}}, for instance {"x": {0: "batch"}}, or "auto".',
        )
    for path, wanted in dynamic.items():
        if not isinstance(path, str):
            raise CallError(
                f"dynamic names {path!r:.60}, which is not an argument of this call.",
                listing(path, root.labels, "Its arguments are"),
            )
        yield from _at(find_places(root, path), wanted, path)


def _at(places: Sequence[Place], wanted: Any, path: str) -> Iterator[Wish]:
    """What is wanted of the places that one path names."""
    if wanted is None:
        return
    if len(places) > 1 and (wanted == "auto" or _is_for_dimensions(wanted, None)):
        yield from _of_many([leaf for one in places for leaf in one.leaves()], wanted, path)
        return
    for place in places:
        if place.is_tensor:
            yield from _of_tensor(place, wanted)
        elif place.is_number:
            yield from _of_number(place, wanted)
        elif place.opened is None:
            raise CallError(
                f"dynamic names {place.where}, which is {place.value!r:.40}: only the dimensions "
                "of tensors, and whole numbers, can vary.",
                f"Leave {place.where} out of dynamic and compile for each of its values, or pass "
                "it as a tensor.",
                argument=place.where,
            )
        elif wanted == "auto" or _is_for_dimensions(wanted, place):
            yield from _of_many(list(place.leaves()), wanted, place.where)
        else:
            yield from _of_children(place, wanted)


def _of_children(place: Place, wanted: Any) -> Iterator[Wish]:
    where, children = place.where, place.children
    if isinstance(wanted, Mapping):
        for key, wish in wanted.items():
            held = [child for label, child in children if label == key and type(key) is not bool]
            if not held and isinstance(key, str):
                held = find_places(place, key)
            if not held:
                raise CallError(
                    f"dynamic names {key!r} in {where}, which is not there.",
                    listing(key, place.labels, "There are"),
                    argument=where,
                )
            yield from _at(held, wish, f"{where}.{key}")
        return
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if len(wanted) != len(children):
            raise CallError(
                f"dynamic has {len(wanted)} entries for {where}, which holds {len(children)}.",
                "Give one for each, None for what is static, or a dict with those that vary.",
                argument=where,
            )
        for (_, child), wish in zip(children, wanted, strict=True):
            yield from _at([child], wish, child.where)
        return
    held_type = place.opened.type.__name__ if place.opened else ""
    raise CallError(
        f"dynamic[{where!r}] is {wanted!r:.60}, and {where} is a {held_type} of {len(children)}.",
        'Write a dict with what varies in it, a list with an entry for each, {1: "seq"} for a '
        'dimension of every tensor in it, or "auto".',
        argument=where,
    )


# --- one place -----------------------------------------------------------------------------------


def _of_tensor(place: Place, wanted: Any) -> Iterator[Wish]:
    where, tensor = place.where, place.value
    if wanted == "auto":
        yield from _of_many([place], wanted, where)
        return
    if isinstance(wanted, (tuple, list)):
        if len(wanted) != tensor.dim():
            raise CallError(
                f"dynamic has {len(wanted)} entries for {where}, and the tensor has "
                f"{tensor.dim()} dimensions.",
                'Give one for each, None for what is static, or a dict such as {0: "batch"}.',
                argument=where,
            )
        wanted = dict(enumerate(wanted))
    if not isinstance(wanted, Mapping):
        raise CallError(
            f"dynamic[{where!r}] is {wanted!r:.40}, not a mapping of dimensions.",
            'Write {dimension: "name"}, for instance {1: "seq"}.',
            argument=where,
        )
    named: set[int] = set()
    for dim, value in wanted.items():
        if not _is_whole(dim) or not -tensor.dim() <= dim < tensor.dim():
            raise CallError(
                f"dynamic asks for dimension {dim!r} at {where}, and the tensor has "
                f"{tensor.dim()}.",
                "Dimensions are numbers that count from 0, or back from -1.",
                argument=where,
            )
        if dim % tensor.dim() in named:
            raise CallError(
                f"dynamic names dimension {dim % tensor.dim()} of {where} twice.",
                "Name it once; -1 is the last dimension.",
                argument=where,
            )
        named.add(dim % tensor.dim())
        if value is not None:
            yield Wish(place, dim % tensor.dim(), value)


def _of_number(place: Place, wanted: Any) -> Iterator[Wish]:
    if isinstance(wanted, Mapping):
        raise CallError(
            f"dynamic asks for dimensions of {place.where}, which is the number {place.value}.",
            f'Write {{"{place.where}": "name"}} to let the number itself vary.',
            argument=place.where,
        )
    if place.value < 0:
        raise CallError(
            f"dynamic names {place.where}, which is {place.value}: a number below 0 cannot vary.",
            f"Leave {place.where} out of dynamic, or give an example of 0 or more.",
            argument=place.where,
        )
    yield Wish(place, None, wanted)


# --- many places ---------------------------------------------------------------------------------


def _of_many(leaves: Sequence[Place], wanted: Any, where: str) -> Iterator[Wish]:
    tensors = [leaf for leaf in leaves if leaf.is_tensor]
    if wanted == "auto":
        for leaf in leaves:
            for dim in range(leaf.value.dim() if leaf.is_tensor else 0):
                yield Wish(leaf, dim, AUTO, where)
            if leaf.is_number and leaf.owner == "object":
                yield Wish(leaf, None, AUTO, where)
        return
    for dim, value in wanted.items():
        if value is None:
            continue
        found = [t for t in tensors if -t.value.dim() <= dim < t.value.dim()]
        able = [t for t in found if t.value.shape[dim] > 1]
        if not able:
            raise _fits_none(where, dim, tensors, found)
        for tensor in able:
            many = where if len(able) > 1 else ""
            yield Wish(tensor, dim % tensor.value.dim(), value, many)


def _fits_none(where: str, dim: int, tensors: Sequence[Place], found: Sequence[Place]) -> CallError:
    shown = ", ".join(f"{t.where} {list(t.value.shape)}" for t in (found or tensors)[:3])
    more = len(found or tensors) - 3
    shown += f" and {more} more" if more > 0 else ""
    why = (
        f"no tensor in it has one: there {'is' if len(tensors) == 1 else 'are'} {shown or 'none'}."
    )
    if found:
        why = (
            f"it is 0 or 1 in each tensor that has it, which torch.export makes constant: {shown}."
        )
    return CallError(
        f"dynamic asks for dimension {dim} of {where}, and {why}",
        "Dimensions are numbers that count from 0, or back from -1."
        if not found
        else "Give an example with 2 or more there.",
        argument=where,
    )


def _is_for_dimensions(wanted: Any, place: Place | None) -> bool:
    """Whether a mapping is about dimensions, and not about what is held under these numbers."""
    if not isinstance(wanted, Mapping) or not wanted or not all(map(_is_whole, wanted)):
        return False
    if not all(_is_dimension(value) for value in wanted.values()):
        return False
    held = dict(place.children) if place else {}
    return not any(key in held and held[key].is_number for key in wanted)


def _is_dimension(value: Any) -> bool:
    """Whether it may be said of a dimension: a name, with a range, a `Dim`, a hint, a size."""
    if isinstance(value, tuple):
        return len(value) == 3 and isinstance(value[0], str) and not isinstance(value[1], str)
    return value is None or isinstance(value, (str, int)) or is_dim(value) or is_hint(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# --- two wishes ----------------------------------------------------------------------------------


def _is_static(wish: Wish) -> bool:
    return wish.value is STATIC or (type(wish.value) is int and wish.value == wish.size)


def _agreed(one: Wish, other: Wish) -> Wish:
    """The wish for a dimension that two entries are about: one that says more than "auto"."""
    if one.value is other.value or _said(one.value) == _said(other.value):
        return replace(one, many=one.many and other.many)
    for first, second in ((one, other), (other, one)):
        if is_auto(first.value) and first.many:
            return second
    raise CallError(
        f"dynamic says two things of {one.where}: {_said(one.value)} and {_said(other.value)}.",
        "Say one of them.",
        argument=one.place.where,
    )


def _said(value: Any) -> str:
    name = getattr(value, "__name__", None)
    return str(name) if name is not None and not isinstance(value, type) else repr(value)
