"""model + call -> the same, or a CaptureError: what no compiled function can be made of.

Looked for before the capture, where that is possible: training mode, several devices, gradients.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from ...errors import CaptureError
from ...runtime import plain
from ...runtime.containers import open_container
from ...runtime.loaded import LoadedFunction
from ...runtime.parameters import module_of
from ...torch_compat import ops
from ..code.sources import cited, read_source
from ..graph.randomness import all_nodes, is_training
from ..reloadable import ReloadableModel
from .holders import slots_of


def tensors_in(value: Any, within: tuple[int, ...] = ()) -> Iterator[torch.Tensor]:
    """The tensors in a nest of containers; what holds itself is looked into once."""
    if isinstance(value, torch.Tensor):
        yield value
        return
    opened = open_container(value) if id(value) not in within else None
    for child in opened.children if opened else ():
        yield from tensors_in(child, (*within, id(value)))


def check_kind(model: Any) -> None:
    """Refuse models whose code or weights are out of reach: exported, compiled, scripted."""
    if isinstance(model, torch.export.ExportedProgram):
        raise CaptureError(
            "The model is an ExportedProgram, which is no function.", "Pass model.module() of it."
        )
    made = already_compiled(model)
    if made is not None:
        raise CaptureError(
            f"{made!r:.80} is compiled already.",
            "Call it as it is, or compile the model that it was made of.",
        )
    module = module_of(model)
    for name, child in module.named_modules() if module is not None else ():
        named = f"Its part {name}, a {type(child).__name__}," if name else "The model"
        if isinstance(child, torch.jit.ScriptModule):
            raise CaptureError(
                f"{named} is TorchScript, which torch.export does not capture.",
                "Compile the model that torch.jit.script or torch.jit.trace was given.",
                part=name,
            )
        if type(child).__module__.startswith(_QUANTIZED):
            raise CaptureError(
                f"{named} is quantized by torch.ao.quantization, whose weights are packed into "
                "objects that are no tensors.",
                "Compile the model before it is quantized, or use a quantization that keeps its "
                "weights in tensors, such as torchao's or int8 buffers of your own.",
                part=name,
            )
        for slot in slots_of(type(child)):
            if any(True for _ in tensors_in(getattr(child, slot, None))):
                raise CaptureError(
                    f"{named} keeps a tensor in its slot {slot}, where a compiled call would not "
                    "see another one that is put there.",
                    "Make it a buffer (register_buffer), or leave __slots__ out: every module has "
                    "a __dict__ besides.",
                    part=name,
                )


def already_compiled(model: Any) -> LoadedFunction | ReloadableModel | None:
    """The compiled model that a callable only passes its call on to, if it does."""
    while isinstance(model, (functools.partial, types.MethodType)):
        model = model.func if isinstance(model, functools.partial) else model.__self__
    return model if isinstance(model, (LoadedFunction, ReloadableModel)) else None


_QUANTIZED = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.")
_DROPOUT = (
    torch.nn.Dropout,
    torch.nn.Dropout1d,
    torch.nn.Dropout2d,
    torch.nn.Dropout3d,
    torch.nn.AlphaDropout,
    torch.nn.FeatureAlphaDropout,
)
_BATCH_NORM = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


def check_mode(module: torch.nn.Module, *, training: bool) -> None:
    """Refuse what would update statistics at every call, or draw only for ``training``."""
    moving = []
    for name, child in module.named_modules():
        if not child.training:
            continue
        if training and isinstance(child, _DROPOUT) and child.p > 0:
            moving.append(f"{name or type(child).__name__} (dropout {child.p})")
        elif isinstance(child, _BATCH_NORM):
            moving.append(f"{name or type(child).__name__} (batch statistics)")
    if moving:
        raise is_training(moving)


def check_statistics(graph_module: torch.fx.GraphModule) -> None:
    """Refuse norms that update running statistics, which no schema says that they write to."""
    moving = []
    for node in all_nodes(graph_module):
        arguments = _NORMS.get(node.target)
        if arguments is None:
            continue
        statistics, switch = (_argument(node, name) for name in arguments)
        if statistics is not None and switch:
            moving.append(f"{node.name} (batch statistics)")
    if moving:
        raise is_training(moving)


_NORMS: dict[Any, tuple[str, str]] = {
    torch.ops.aten.batch_norm.default: ("running_mean", "training"),
    torch.ops.aten.instance_norm.default: ("running_mean", "use_input_stats"),
}


def _argument(node: torch.fx.Node, name: str) -> Any:
    names = [argument.name for argument in ops.schema_arguments(node.target)]
    position = names.index(name)
    return node.args[position] if position < len(node.args) else node.kwargs.get(name)


def check_devices(module: torch.nn.Module, args: Any, kwargs: Any) -> None:
    """Refuse a model and arguments that are on several devices, naming one tensor on each."""
    places: dict[str, str] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        places.setdefault(str(tensor.device), name)
    for position, tensor in enumerate(tensors_in((args, kwargs))):
        if tensor.dim() or str(tensor.device) in places or tensor.device.type != "cpu":
            places.setdefault(str(tensor.device), f"argument {position}")
    if len(places) > 1:
        where = "; ".join(f"{name} on {device}" for device, name in places.items())
        raise CaptureError(
            f"Model and arguments are on several devices: {where}.",
            "Move them to one device before compiling.",
            devices=tuple(places),
        )


def check_memory(named: Iterable[tuple[str, Any]]) -> None:
    """Refuse tensors that no kernel can read: sparse, quantized, fake, wrapped and the like."""
    for name, value in named:
        # Wrappers are taken apart by export; what they hold is in the graph by its own name.
        kinds = (torch.Tensor, torch.nn.Parameter)
        flaw = plain.find_flaw(value) if type(value) in kinds else None
        if flaw is not None and not flaw.copyable:
            raise CaptureError(
                f"{name} {flaw.what}, and compiled kernels read memory.", flaw.hint, name=name
            )


def _at(node: torch.fx.Node) -> str:
    """The user's line that a node comes from, in brackets; "" where it has none."""
    return cited(read_source(node.meta.get("stack_trace")))


def check_layouts(graph_module: torch.fx.GraphModule) -> None:
    """Refuse compressed sparse tensors inside: neither a graph of them nor a kernel can be kept."""
    for node in all_nodes(graph_module):
        value = node.meta.get("val")
        if node.op != "call_function" or not isinstance(value, torch.Tensor):
            continue
        if value.layout in _COMPRESSED:
            raise CaptureError(
                f"The model makes a tensor of layout {str(value.layout)[6:]}{_at(node)}, which no "
                "artifact can hold a graph of.",
                "Compute it with dense tensors, or with to_sparse(), which runs uncompiled.",
                node=node.name,
            )


def check_quantized(graph_module: torch.fx.GraphModule) -> None:
    """Refuse quantized tensors inside, which a trace takes for those that they are made of."""
    for node in all_nodes(graph_module):
        name = str(node.target)
        if node.op == "call_function" and name.startswith(("aten.quantize_per_", "quantized.")):
            raise CaptureError(
                f"The model makes a quantized tensor{_at(node)}, whose dtype and scale no trace "
                "knows.",
                "Keep integers and their scale in tensors of their own: round, clamp, and "
                "to(torch.int8).",
                node=node.name,
            )


_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)


def check_dtypes(graph_module: torch.fx.GraphModule) -> None:
    """Refuse products of tensors of several dtypes, which fake tensors pass and eager refuses."""
    for node in graph_module.graph.nodes:
        if getattr(node.target, "overloadpacket", None) not in _PRODUCTS:
            continue
        values = (argument.meta.get("val") for argument in node.all_input_nodes)
        dtypes = {str(v.dtype)[6:]: v for v in values if isinstance(v, torch.Tensor)}
        if len(dtypes) > 1:
            raise CaptureError(
                f"The model multiplies {' by '.join(dtypes)}{_at(node)}, which eager refuses.",
                "Convert one of them: the input, or the model by model.to(dtype).",
                node=node.name,
            )


_aten = torch.ops.aten
_PRODUCTS = frozenset(
    {
        *(_aten.linear, _aten.matmul, _aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm, _aten.mv),
        *(_aten.conv1d, _aten.conv2d, _aten.conv3d, _aten.convolution, _aten.dot),
    }
)


def check_gradients(paths: Sequence[str], leaves: Sequence[Any]) -> None:
    """Refuse arguments that ask for a gradient; compiled functions never record autograd."""
    if not torch.is_grad_enabled():
        return
    for path, leaf in zip(paths, leaves, strict=True):
        if isinstance(leaf, torch.Tensor) and leaf.requires_grad:
            raise CaptureError(
                f"Argument {path} requires a gradient, and so would the outputs.",
                "Compiled functions are for inference: detach it, or make it and compile under "
                "torch.no_grad().",
                argument=path,
            )
