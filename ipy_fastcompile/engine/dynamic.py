"""the user's dynamic dimensions -> torch.export's ``dynamic_shapes``, with names kept."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import CallError


def dynamic_shapes_of(
    module: torch.nn.Module, bound: inspect.BoundArguments, dynamic: Mapping[str, Any]
) -> tuple[Any, dict[tuple[int, int], str]]:
    """torch.export's ``dynamic_shapes`` for the user's, and the name of (tensor id, dimension)."""
    if not dynamic:
        return None, {}
    unknown = [name for name in dynamic if name not in bound.arguments]
    var_keyword = [
        p.name
        for p in inspect.signature(module.forward).parameters.values()
        if p.kind is p.VAR_KEYWORD
    ]
    extra = bound.arguments.get(var_keyword[0], {}) if var_keyword else {}
    unknown = [name for name in unknown if name not in extra]
    if unknown:
        raise CallError(
            f"dynamic names {unknown[0]!r}, which is not an argument of this call.",
            f"Its arguments are {', '.join([*bound.arguments, *extra])}.",
            argument=unknown[0],
        )
    dims: dict[str, Any] = {}
    names: dict[tuple[int, int], str] = {}

    def spec_of(name: str, value: Any, wanted: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if wanted is None:
                return None
            if not isinstance(wanted, Mapping):
                raise CallError(
                    f"dynamic[{name!r}] is {wanted!r:.40}, not a mapping of dimensions.",
                    'Write {dimension: "name"}, for instance {1: "seq"}.',
                )
            shape = {d: _dim(f"{name}:{d}", value, d, w, dims) for d, w in wanted.items()}
            for dim, wish in shape.items():
                if hasattr(wish, "__name__"):
                    names[id(value), dim % value.dim()] = wish.__name__
            return shape
        if isinstance(value, Mapping):
            inner = wanted or {}
            return {k: spec_of(f"{name}[{k!r}]", v, inner.get(k)) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            inner = wanted if isinstance(wanted, (list, tuple)) else [None] * len(value)
            if isinstance(wanted, Mapping):
                inner = [wanted.get(i) for i in range(len(value))]
            entries = zip(value, inner, strict=True)
            return type(value)(spec_of(f"{name}[{i}]", v, w) for i, (v, w) in enumerate(entries))
        return None

    shapes: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if var_keyword and name == var_keyword[0]:
            shapes[name] = {k: spec_of(k, v, dynamic.get(k)) for k, v in value.items()}
        else:
            shapes[name] = spec_of(name, value, dynamic.get(name))
    return shapes, names


def _dim(where: str, tensor: torch.Tensor, dim: Any, wanted: Any, dims: dict[str, Any]) -> Any:
    if not isinstance(dim, int) or not -tensor.dim() <= dim < tensor.dim():
        raise CallError(
            f"dynamic asks for dimension {dim!r} at {where}, and the tensor has {tensor.dim()}.",
            "Dimensions count from 0.",
        )
    size = tensor.shape[dim]
    if not isinstance(wanted, (str, tuple)):
        return wanted
    name, low, high = (wanted, None, None) if isinstance(wanted, str) else wanted
    if not isinstance(name, str) or not name.isidentifier():
        raise CallError(
            f"dynamic names the dimension at {where} {name!r}, which is not an identifier.",
            'Use a word such as "seq".',
        )
    if name in dims:
        return dims[name]
    if low is not None and not low <= size <= (high if high is not None else size):
        raise CallError(
            f"dynamic gives {name} the range [{low}, {high}], and the example has {size} "
            f"at {where}.",
            "Widen the range or change the example.",
        )
    bounds = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
    dims[name] = torch.export.Dim(name, **bounds)
    return dims[name]
