"""tensors that are plain attributes of a module -> the model's own, or an error that names them.

A tensor that is neither parameter nor buffer is a constant of the graph; the artifact holds its
values. Where the model has one under the same name, a call uses the model's, as eager does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from ..artifact.schema import TensorSpecs
from ..errors import ParameterError
from ..torch_compat import module_calls
from . import plain
from .parameters import Found, Lookup, find_parameters
from .places import Place


def with_attributes(
    lookup: Lookup,
    specs: TensorSpecs,
    found: Found,
    stored: Mapping[str, torch.Tensor],
    written: Collection[str],
) -> Found:
    """What was found, with a module's own tensors in place of constants of the same name.

    What a call writes to (``written``) stays the artifact's own. Raises ParameterError naming an
    attribute that does not fit, and a weight that the module makes up at each of its calls.
    """
    if lookup.root is None:
        return found
    rare = [n for n, place in enumerate(found.places) if place is None or place.holder is None]
    if not rare:
        return found
    tensors, places = list(found.tensors), list(found.places)
    for position in rare:
        spec = specs[position]
        place = places[position]
        if place is not None:
            _check_kept(spec.name, place)
            continue
        if spec.kind != "constant" or spec.name in written:
            continue
        tensor, _ = lookup.get(spec.name)
        if tensor is not None and plain.is_plain(tensor):
            own = find_parameters(lookup, TensorSpecs.of([spec._replace(kind="attribute")]), stored)
            tensors[position], places[position] = own.tensors[0], own.places[0]
    return Found(tensors, places)


def _check_kept(name: str, place: Place) -> None:
    """Refuse a tensor that a hook sets anew before each call of its module, as pruning does."""
    owner = place.owner
    if not isinstance(owner, torch.nn.Module) or not module_calls.has_pre_hooks(owner):
        return
    if place.key in vars(owner):
        raise ParameterError(
            f"{name} is made anew by hooks before each forward of its module, as pruning and "
            "weight_norm do, and a compiled function runs no hooks.",
            "Make it permanent (prune.remove, remove_weight_norm), or compile the model as it is.",
            name=name,
            expected="a parameter or buffer",
            found="a tensor that hooks set",
        )
