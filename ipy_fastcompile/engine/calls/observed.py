"""a call about to be made -> what kind of call it is, and its sizes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Hashable, Mapping
from typing import Any

import torch

from ...frozen import frozen
from ...runtime.nests import Flattened, Nest, Unknown, flatten
from ...runtime.signature import literal_of
from ...torch_compat import surroundings


@frozen
class Place:
    """What is a size in a call: a dimension of the tensor at ``path``, or the whole number there.

    ``dim`` is None for a number, and ``rank`` 0.
    """

    path: str
    dim: int | None
    rank: int = 0


@frozen
class Part:
    """A part of a call: the way to it, and what it is beside its sizes.

    ``text`` is the type of a container, the dtype of a tensor, a value as it is written, and
    nothing for a number, which is a size.
    """

    path: str
    kind: str  # "container" | "tensor" | "value" | "number"
    text: str


@frozen
class Observed:
    """A call. Two of one ``key`` differ in nothing but ``sizes``, one for each of ``places``.

    ``autocast`` are the kinds of devices for which it was on, and what it casts to.
    """

    key: Hashable
    places: tuple[Place, ...]
    sizes: tuple[int, ...]
    parts: tuple[Part, ...]
    autocast: tuple[tuple[str, torch.dtype], ...]


def observe(
    signature: inspect.Signature, defaults: Mapping[str, str], args: Any, kwargs: Any
) -> Observed | None:
    """What can be told of a call before it is made; None where its arguments do not fit.

    An argument that has its default says no more than one that is left out.
    """
    try:
        arguments = by_name(signature, args, kwargs)
    except TypeError:  # the call itself will say so
        return None
    parts: list[Part] = []
    places: list[Place] = []
    sizes: list[int] = []
    autocast = tuple(surroundings.autocasts().items())
    key: list[Hashable] = [autocast]
    order = {name: position for position, name in enumerate(signature.parameters)}
    for name in sorted(arguments, key=lambda name: (order.get(name, len(order)), name)):
        value = arguments[name]
        if name in defaults and literal_of(value) == defaults[name]:
            continue
        found = Flattened()
        try:
            flatten(value, name, found)
        except Unknown:  # compile refuses it, and says why
            key.append((name, type(value)))
            parts.append(Part(name, "container", type(value).__name__))
            continue
        key.append((name, repr(found.nest)))
        if isinstance(found.nest, Nest):
            parts.append(Part(name, "container", type(value).__name__))
        for number, (path, leaf) in enumerate(zip(found.paths, found.leaves, strict=True)):
            part = _part(path, leaf, found.fixed.get(number, ""))
            parts.append(part)
            if isinstance(leaf, torch.Tensor):
                key.append((part.text, leaf.layout, leaf.dim()))
                places += [Place(path, dim, leaf.dim()) for dim in range(leaf.dim())]
                sizes += leaf.shape
            elif part.kind == "number":
                places.append(Place(path, None))
                sizes.append(leaf)
            else:
                key.append(part.text)
    return Observed(tuple(key), tuple(places), tuple(sizes), tuple(parts), autocast)


def by_name(signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name, as `dynamic` speaks of them."""
    bound = signature.bind(*args, **kwargs)
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            found |= value
        else:
            found[name] = value
    return found


def argument_of(path: str) -> str:
    """The argument that a way begins with: ``cache`` of ``cache.layers[0].keys``."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def holder_of(path: str) -> str:
    """What the end of a way is held by: ``cache.layers[0]`` of ``cache.layers[0].keys``."""
    return path.rpartition(".")[0]


def _part(path: str, leaf: Any, fixed: str) -> Part:
    if isinstance(leaf, torch.Tensor):
        kind = "" if type(leaf) in _PLAIN else f"{type(leaf).__name__} "
        place = "" if leaf.device.type == "cpu" else f" on {leaf.device}"
        return Part(path, "tensor", f"{kind}{str(leaf.dtype).removeprefix('torch.')}{place}")
    if type(leaf) is int:
        return Part(path, "number", "")
    return Part(path, "value", fixed or repr(leaf))


_PLAIN = (torch.Tensor, torch.nn.Parameter)
