"""the user's dynamic dimensions -> torch.export's ``dynamic_shapes``, with names kept.

All of it is checked here, before anything is captured: what is misspelt or cannot be is refused
with its place, never left static in silence.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from ...errors import CallError
from ...runtime.containers import Opened, open_container
from ..calls.containers import plain_container
from .dims import Dims

Names = dict[tuple[int, int], Any]


def dynamic_shapes_of(
    module: torch.nn.Module, bound: inspect.BoundArguments, dynamic: Any
) -> tuple[Any, Names]:
    """torch.export's ``dynamic_shapes`` for the user's, and the Dim of (tensor id, dimension).

    Raises CallError naming the entry that cannot be: an argument, a key or a dimension that is not
    there, a value that is no dimension, two ranges for one name.
    """
    parameters = inspect.signature(module.forward).parameters.values()
    var_keyword = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), "")
    extra = bound.arguments.get(var_keyword, {}) if var_keyword else {}
    plain = {name: value for name, value in bound.arguments.items() if name != var_keyword}
    wanted = _by_argument(dynamic, {**plain, **extra})
    if not wanted:
        return None, {}
    dims, names = Dims(), Names()
    for name, wish in wanted.items():
        value = extra[name] if name in extra else bound.arguments[name]
        _collect(name, value, wish, dims)
    shapes: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if var_keyword and name == var_keyword:
            shapes[name] = {k: _shape(k, v, wanted.get(k), dims, names) for k, v in value.items()}
        else:
            shapes[name] = _shape(name, value, wanted.get(name), dims, names)
    return shapes, names


def _by_argument(dynamic: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted of each argument; a sequence has an entry for each, as torch.export's has."""
    if isinstance(dynamic, (tuple, list)):
        if len(dynamic) != len(arguments):
            raise CallError(
                f"dynamic has {len(dynamic)} entries, and the call has {len(arguments)} arguments.",
                f"Give one for each of {', '.join(arguments)}, or a dict with those that vary.",
            )
        dynamic = dict(zip(arguments, dynamic, strict=True))
    if not isinstance(dynamic, Mapping):
        raise CallError(
            f"dynamic is {dynamic!r:.60}, not a dict of arguments.",
            'Write {argument: {dimension: "name"}}, for instance {"x": {0: "batch"}}.',
        )
    for name in dynamic:
        if name not in arguments:
            raise CallError(
                f"dynamic names {name!r}, which is not an argument of this call.",
                _listing(name, arguments, "Its arguments are"),
                argument=name,
            )
    return {name: wish for name, wish in dynamic.items() if wish is not None}


def _listing(name: Any, known: Iterable[Any], opening: str) -> str:
    """What there is, and the nearest to what was written."""
    words = [str(k) for k in known]
    near = difflib.get_close_matches(str(name), words, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return f"{opening} {', '.join(words) or 'none'}{guess}"


def _wishes(where: str, opened: Opened, wanted: Any) -> list[Any]:
    """What is wanted of each child of a container, by its key, name or position."""
    children = len(opened.children)
    if wanted is None:
        return [None] * children
    labels = [*(opened.keys or range(len(opened.items))), *opened.names]
    if isinstance(wanted, Mapping):
        for key in wanted:
            if key not in labels or isinstance(key, bool):
                raise CallError(
                    f"dynamic names {key!r} in {where}, which is not there.",
                    _listing(key, labels, "There are"),
                    argument=where,
                )
        return [wanted.get(label) for label in labels]
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if len(wanted) != children:
            raise CallError(
                f"dynamic has {len(wanted)} entries for {where}, which holds {children}.",
                "Give one for each, None for what is static, or a dict with those that vary.",
                argument=where,
            )
        return list(wanted)
    raise CallError(
        f"dynamic[{where!r}] is {wanted!r:.60}, and {where} is a {opened.type.__name__} of "
        f"{children}.",
        "Write a dict with what varies in it, or a list with an entry for each.",
        argument=where,
    )


def _of_tensor(where: str, tensor: torch.Tensor, wanted: Any) -> dict[int, Any]:
    """What is wanted of each dimension, counted from 0."""
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
    found: dict[int, Any] = {}
    for dim, wish in wanted.items():
        is_number = isinstance(dim, int) and not isinstance(dim, bool)
        if not is_number or not -tensor.dim() <= dim < tensor.dim():
            raise CallError(
                f"dynamic asks for dimension {dim!r} at {where}, and the tensor has "
                f"{tensor.dim()}.",
                "Dimensions are numbers that count from 0.",
                argument=where,
            )
        if dim % tensor.dim() in found:
            raise CallError(
                f"dynamic names dimension {dim % tensor.dim()} of {where} twice.",
                "Name it once; -1 is the last dimension.",
                argument=where,
            )
        found[dim % tensor.dim()] = wish
    return found


def _collect(where: str, value: Any, wanted: Any, dims: Dims) -> None:
    """Check all that is wanted, and note every name with its range."""
    if wanted is None:
        return
    if isinstance(value, torch.Tensor):
        for dim, wish in _of_tensor(where, value, wanted).items():
            dims.add(f"{where}:{dim}", value.shape[dim], wish)
        return
    opened = open_container(value)
    if opened is None:
        raise CallError(
            f"dynamic names {where}, which is {value!r:.40}: only the dimensions of tensors can "
            "vary.",
            f"Leave {where} out of dynamic and compile for each of its values, or pass it as a "
            "tensor.",
            argument=where,
        )
    wishes = _wishes(where, opened, wanted)
    for child, step, wish in zip(opened.children, opened.steps(), wishes, strict=True):
        _collect(where + step, child, wish, dims)


def _shape(where: str, value: Any, wanted: Any, dims: Dims, names: Names) -> Any:
    """The entry of ``dynamic_shapes`` for a value, in the containers that export sees."""
    if isinstance(value, torch.Tensor):
        if wanted is None:
            return None
        shape = {d: dims.get(wish) for d, wish in _of_tensor(where, value, wanted).items()}
        for dim, wish in shape.items():
            if hasattr(wish, "__name__"):
                names[id(value), dim] = wish
        return shape
    opened = open_container(value)
    if opened is None:
        return None
    wishes = _wishes(where, opened, wanted)
    held = [
        _shape(where + step, child, wish, dims, names)
        for child, step, wish in zip(opened.children, opened.steps(), wishes, strict=True)
    ]
    return plain_container(opened.kind, opened.keys, opened.names, held)
