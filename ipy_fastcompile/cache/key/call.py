"""model + call -> the key of its compile: everything that may change the result, by name.

It is computed before the capture, from the objects themselves. What cannot be described is said
so, and such a key matches nothing: a compile too many, never a wrong hit.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ...engine.calls.asked_kinds import Asked, Kind, asked_kinds
from ...engine.calls.attributes import attributes_of
from ...engine.calls.preflight import tensors_in
from ...frozen import frozen
from ...runtime.nests import Unknown, flatten, nest_data
from ...torch_compat import surroundings, tensor_kinds
from .components import Key
from .machine import (
    EXPORT_CONFIGURATION,
    INDUCTOR_CONFIGURATION,
    describe_configuration,
    describe_flags,
    environment_text,
    package_text,
    stamp_text,
)
from .seen import sizes_seen
from .structure import describe_tree, name_tensors, named_tensors
from .tensors import tensor_text
from .walk import Walk

UNCOVERED = "uncovered"


@frozen
class CallKey:
    """The key of a compile. With anything ``uncovered`` it matches no entry, its own included."""

    key: Key
    uncovered: tuple[str, ...] = ()


def make_key(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    calls: Sequence[Kind] | None = None,
    dynamic: Mapping[str, Any] | str | None = None,
    split_at: Any = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
) -> CallKey:
    """The key of `compile` with the same arguments; nothing is captured, compiled or called.

    The components:

    - ``call``, ``inputs``, ``dynamic``, ``split_at``, ``sizes``: what is asked for;
    - ``structure``, ``parameters``: the module tree, and its tensors without their values;
    - ``source:<file>``, ``source:cells``: text and code of every function of the user's that can
      be reached; ``values``: the globals, closure cells, defaults and class attributes they read;
      ``package:<name>``: the same for installed packages, by version, file and digest;
    - ``environment``, ``flags``, ``inductor config``, ``export config``, ``stamp``,
      ``ipy_fastcompile``: the process, the machine and this package.
    """
    kinds = asked_kinds(args, kwargs, dynamic, calls)
    walk = Walk()
    owner = model if isinstance(model, torch.nn.Module) else getattr(model, "__self__", None)
    tree = owner if isinstance(owner, torch.nn.Module) else None
    walk.reach_class(torch.Tensor)  # every call uses its methods, which somebody may have replaced
    if tree is not None:
        with walk.component("parameters"):
            name_tensors(walk, tree)
        with walk.component("structure"):
            describe_tree(walk, tree)
    with walk.component("call"):
        walk.describe("the model", model)
    with walk.component("inputs"):
        for kind in kinds:
            _describe_inputs(walk, kind)
    with walk.component("dynamic"):
        for kind in kinds:
            _describe_dynamic(walk, kind)
    with walk.component("split_at"):
        walk.describe("split_at", split_at)
    with walk.component("sizes"):
        for name, values in sorted((sizes or {}).items()):
            walk.describe(name, list(values))
    return key_of_walk(walk, cuda=_uses_cuda(tree, kinds))


def key_of_walk(walk: Walk, *, cuda: bool) -> CallKey:
    """The key of what a walk has described, and of the process, the machine and this package."""
    with walk.component("flags"):
        describe_flags(walk)
    with walk.component("inductor config"):
        describe_configuration(walk, INDUCTOR_CONFIGURATION)
    with walk.component("export config"):
        describe_configuration(walk, EXPORT_CONFIGURATION)
    reached = walk.components()
    components = {name: reached.pop(name, "(default)") for name in _ALWAYS}
    components |= reached
    components["environment"] = environment_text(walk.environment)
    components["stamp"] = stamp_text(cuda=cuda)
    components["ipy_fastcompile"] = package_text()
    if walk.uncovered:
        never = f"this key matches nothing: {uuid.uuid4()}"
        components[UNCOVERED] = "\n".join([*walk.uncovered, never])
    return CallKey(Key(components), tuple(walk.uncovered))


_ALWAYS = (
    "call",
    "inputs",
    "dynamic",
    "split_at",
    "sizes",
    "structure",
    "parameters",
    "values",
    "flags",
    "inductor config",
    "export config",
)


def _describe_inputs(walk: Walk, kind: Asked) -> None:
    """The leaves of a call, tensors without their values, and the containers they are in."""
    of = f"{kind.name}: " if kind.name else ""
    if kind.autocast is not None and dict(kind.autocast) != surroundings.autocasts():
        walk.line(f"{of}autocast", str(sorted(kind.autocast)))
    try:
        found = flatten((tuple(kind.args), dict(kind.kwargs or {})))
    except Unknown as unknown:  # capture refuses it, in words
        walk.miss(f"{of}args{unknown.path}", f"it is a {type(unknown.value).__name__}")
        return
    for name, used in found.types.items():
        if isinstance(used, type):
            walk.reach_class(used)
        else:
            walk.describe(name, used)
    walk.line(f"{of}containers", json.dumps(nest_data(found.nest)))
    storages: dict[int, str] = {}
    for path, leaf in zip(found.paths, found.leaves, strict=True):
        name = f"{of}args{path[3:]}" if path.startswith("[0]") else f"{of}kwargs{path[3:]}"
        if not isinstance(leaf, torch.Tensor):
            walk.describe(name, leaf)
            continue
        if type(leaf) not in (torch.Tensor, torch.nn.Parameter):
            walk.miss(name, f"it is a tensor of class {type(leaf).__name__}")
            continue
        first = storages.setdefault(tensor_kinds.storage_identity(leaf), name)
        shared = "" if first == name else f", shares memory with {first}"
        gradient = ", requires a gradient" if leaf.requires_grad else ""
        walk.line(name, f"{tensor_text(leaf)}{gradient}{shared}")
        for attribute, value in sorted(attributes_of(leaf).items()):
            walk.describe(f"{name}.{attribute}", value)


def _describe_dynamic(walk: Walk, kind: Asked) -> None:
    of = f"{kind.name}: " if kind.name else ""
    if kind.recorded is not None:
        for name, text in sizes_seen(kind.recorded):
            walk.line(f"{of}{name}", text)
    if not isinstance(kind.dynamic, Mapping):
        if kind.dynamic:
            walk.describe(f"{of}dynamic", kind.dynamic)
        return
    for name, wanted in sorted(kind.dynamic.items()):
        walk.describe(f"{of}{name}", wanted)


def _uses_cuda(tree: Any, kinds: Sequence[Asked]) -> bool:
    tensors = [t for kind in kinds for t in tensors_in((tuple(kind.args), dict(kind.kwargs or {})))]
    if tree is not None:
        tensors += [t for _, _, t in named_tensors(tree, "") if t is not None]
    return any(tensor.device.type == "cuda" for tensor in tensors)
