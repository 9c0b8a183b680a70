"""model + call -> Captured: one ATen graph, with parameters, buffers and constants as inputs by name.

The graph comes from `torch.export.export(strict=False)`; its training IR keeps in-place updates as
they are, so a submodule that mutates an input mutates the caller's tensor.
"""

from __future__ import annotations

import functools
import inspect
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export.graph_signature import InputKind, OutputKind

from .. import torch_internals
from ..errors import CallError, CaptureError
from ..records import Symbol

# What a user writes for a dimension: a name, a name with its range, or torch.export's own Dim.
DimensionSpec = Any


@dataclass(frozen=True)
class ParameterSpec:
    """A tensor that comes from the model: ``placeholder`` in the graph, ``name`` in the model."""

    placeholder: str
    name: str
    kind: str  # "parameter" | "buffer" | "constant"
    persistent: bool = True


@dataclass(frozen=True)
class InputSpec:
    """A leaf of the call's arguments. ``constant`` leaves are not tensors; their value is fixed."""

    placeholder: str
    path: str  # "input_ids", "batch['mask']"
    constant: bool = False
    value: Any = None


@dataclass(frozen=True)
class Captured:
    """A model as one graph.

    ``graph_module`` takes parameters, buffers, constants and the input leaves, in the order of its
    placeholders, and returns a flat tuple. ``names`` maps the graph's symbols to the names the
    user gave them. ``example_leaves`` are the leaves of the example call.
    """

    graph_module: torch.fx.GraphModule
    model_name: str
    parameters: tuple[ParameterSpec, ...]
    inputs: tuple[InputSpec, ...]
    constants: Mapping[str, torch.Tensor]
    argument_names: tuple[str, ...]
    n_positional: int
    in_tree: Any
    out_tree: Any
    symbols: tuple[Symbol, ...]
    names: Mapping[Any, str]
    example_args: tuple[Any, ...]
    example_kwargs: Mapping[str, Any]


def capture(
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic: Mapping[str, Any] | None = None,
) -> Captured:
    """Capture the call ``model(*args, **kwargs)`` as one graph.

    Raises `CallError` when ``model`` cannot be called with these arguments, and `CaptureError`,
    naming the user's source line, when `torch.export` cannot make one graph of it.
    """
    args, kwargs = tuple(args), dict(kwargs or {})
    module = as_module(model)
    _check_mode(module)
    _check_devices(module, args, kwargs)
    _check_gradients(args, kwargs)
    bound = _bind(module, args, kwargs)
    dynamic_shapes, given = _dynamic_shapes(module, bound, dynamic or {})
    try:
        with torch.no_grad():
            program = torch.export.export(
                module, args, kwargs, dynamic_shapes=dynamic_shapes, strict=False
            )
    except Exception as error:  # whatever the model itself raises surfaces here, too
        raise _explain_failure(error, model) from error
    return _read_program(program, model, module, bound, args, kwargs, given)


# --- the call ------------------------------------------------------------------------------------


def as_module(model: Callable[..., Any]) -> torch.nn.Module:
    """The module to capture: ``model`` itself, or a function or bound method wrapped in one."""
    if isinstance(model, torch.nn.Module):
        return model
    owner = getattr(model, "__self__", None)
    if not callable(model) or isinstance(model, type):
        raise CallError(
            f"{type(model).__name__} object {model!r:.60} is neither a module nor a function.",
            "Pass a torch.nn.Module or a function that calls one.",
        )
    wrapper = torch.nn.Module()
    if isinstance(owner, torch.nn.Module):
        wrapper = _MethodOwner(owner)
    call = functools.wraps(model)(lambda *args, **kwargs: model(*args, **kwargs))
    wrapper.forward = call  # type: ignore[method-assign, assignment]
    wrapper.training = owner.training if isinstance(owner, torch.nn.Module) else False
    return wrapper


class _MethodOwner(torch.nn.Module):
    """A module that stands in for another one whose method is captured: same parameter names."""

    def __init__(self, owner: torch.nn.Module) -> None:
        super().__init__()
        self.__dict__.update(owner.__dict__)


def model_name(model: Callable[..., Any]) -> str:
    """``LlamaForCausalLM`` for a module, ``encode`` for a function."""
    if isinstance(model, torch.nn.Module):
        return type(model).__name__
    return str(getattr(model, "__name__", type(model).__name__))


def _bind(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    try:
        return inspect.signature(module.forward).bind(*args, **kwargs)
    except TypeError as error:
        raise CallError(
            f"The example call does not fit {type(module).__name__}.forward: {error}.",
            "Call it as you would call the model.",
        ) from error


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    for leaf in torch_internals.flatten_tree(tree)[0]:
        if isinstance(leaf, torch.Tensor):
            yield leaf


def _check_mode(module: torch.nn.Module) -> None:
    """Refuse what would draw random numbers or update statistics at every call."""
    moving = []
    for name, child in module.named_modules():
        if not child.training:
            continue
        if isinstance(child, torch.nn.modules.dropout._DropoutNd) and child.p > 0:
            moving.append(f"{name or type(child).__name__} (dropout {child.p})")
        elif isinstance(child, torch.nn.modules.batchnorm._BatchNorm):
            moving.append(f"{name or type(child).__name__} (batch statistics)")
    if moving:
        shown = ", ".join(moving[:3]) + (f" and {len(moving) - 3} more" if len(moving) > 3 else "")
        raise CaptureError(
            f"The model is in training mode, so {shown} would change with every call.",
            "Call model.eval() first: dropout is then frozen to the identity and batch norm to "
            "its running statistics.",
            layers=tuple(moving),
        )


def _check_devices(module: torch.nn.Module, args: Any, kwargs: Any) -> None:
    places: dict[str, str] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        places.setdefault(str(tensor.device), name)
    for position, tensor in enumerate(_tensors((args, kwargs))):
        if tensor.dim() or str(tensor.device) in places or tensor.device.type != "cpu":
            places.setdefault(str(tensor.device), f"argument {position}")
    if len(places) > 1:
        where = "; ".join(f"{name} on {device}" for device, name in places.items())
        raise CaptureError(
            f"Model and arguments are on several devices: {where}.",
            "Move them to one device before compiling.",
            devices=tuple(places),
        )


def _check_gradients(args: Any, kwargs: Any) -> None:
    for position, tensor in enumerate(_tensors((args, kwargs))):
        if tensor.requires_grad and torch.is_grad_enabled():
            raise CaptureError(
                f"Tensor {position} of the call requires a gradient, and so would the outputs.",
                "Compiled functions are for inference: detach it, or compile under torch.no_grad().",
            )


# --- dynamic dimensions --------------------------------------------------------------------------


def _dynamic_shapes(
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
            f"dynamic gives {name} the range [{low}, {high}], and the example at {where} has {size}.",
            "Widen the range or change the example.",
        )
    bounds = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
    dims[name] = torch.export.Dim(name, **bounds)
    return dims[name]


# --- reading the exported program ----------------------------------------------------------------

_PARAMETER_KINDS = {
    InputKind.PARAMETER: "parameter",
    InputKind.BUFFER: "buffer",
    InputKind.CONSTANT_TENSOR: "constant",
}


def _read_program(
    program: torch.export.ExportedProgram,
    model: Callable[..., Any],
    module: torch.nn.Module,
    bound: inspect.BoundArguments,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    given: Mapping[tuple[int, int], str],
) -> Captured:
    signature = program.graph_signature
    for output in signature.output_specs:
        if output.kind is not OutputKind.USER_OUTPUT:
            raise CaptureError(
                f"The model writes {output.target or output.arg} by assignment "
                f"({output.kind.name.lower()}), which the exported graph returns as an output.",
                "Update it in place, for instance with copy_().",
            )
    leaves, in_tree = torch_internals.flatten_tree((args, kwargs))
    paths = _leaf_paths(module, args, kwargs)
    parameters: list[ParameterSpec] = []
    inputs: list[InputSpec] = []
    for spec in signature.input_specs:
        placeholder = getattr(spec.arg, "name", "")
        if spec.kind in _PARAMETER_KINDS:
            parameters.append(
                ParameterSpec(
                    placeholder,
                    spec.target or placeholder,
                    _PARAMETER_KINDS[spec.kind],
                    spec.persistent is not False,
                )
            )
        elif spec.kind is InputKind.USER_INPUT:
            position = len(inputs)
            constant = not isinstance(leaves[position], torch.Tensor)
            inputs.append(
                InputSpec(placeholder, paths[position], constant, leaves[position] if constant else None)
            )
        else:
            raise CaptureError(
                f"The model needs {spec.target or placeholder} ({spec.kind.name.lower()}) as an input.",
                "Only tensors can be bound by name.",
            )
    wanted = {p.name for p in parameters if p.kind == "constant" or not p.persistent}
    constants = {
        name: value.detach()
        for name, value in program.constants.items()
        if name in wanted and isinstance(value, torch.Tensor)
    }
    symbols, names = _read_symbols(program, inputs, leaves, given)
    return Captured(
        graph_module=_clean_graph(program.graph_module),
        model_name=model_name(model),
        parameters=tuple(parameters),
        inputs=tuple(inputs),
        constants=constants,
        argument_names=tuple(inspect.signature(module.forward).parameters),
        n_positional=len(args),
        in_tree=in_tree,
        out_tree=program.call_spec.out_spec,
        symbols=symbols,
        names=names,
        example_args=args,
        example_kwargs=kwargs,
    )


def _leaf_paths(
    module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, ...]:
    """A name for every leaf of the call: the argument's, then the way into it."""
    names = list(inspect.signature(module.forward).parameters.values())
    found: list[str] = []
    for position, value in enumerate(args):
        positional = position < len(names) and names[position].kind is not inspect.Parameter.VAR_POSITIONAL
        name = names[position].name if positional else f"args[{position}]"
        torch_internals.map_tree_with_path(lambda path, _, n=name: found.append(n + path), value)
    for name, value in kwargs.items():
        torch_internals.map_tree_with_path(lambda path, _, n=name: found.append(n + path), value)
    return tuple(found)


def _read_symbols(
    program: torch.export.ExportedProgram,
    inputs: Sequence[InputSpec],
    leaves: Sequence[Any],
    given: Mapping[tuple[int, int], str],
) -> tuple[tuple[Symbol, ...], dict[Any, str]]:
    """The symbolic sizes of the inputs, under the names the user gave them."""
    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    names: dict[Any, str] = {}
    wishes: dict[Any, str] = {}
    examples: dict[Any, int] = {}
    for spec, leaf in zip(inputs, leaves, strict=True):
        fake = values.get(spec.placeholder)
        if not isinstance(fake, torch.Tensor):
            continue
        for dim, size in enumerate(fake.shape):
            if torch_internals.is_symbolic_int(size):
                expression = torch_internals.symbolic_expression(size)
                if expression.is_Symbol:
                    examples.setdefault(expression, int(leaf.shape[dim]))
                    if (id(leaf), dim) in given:
                        wishes.setdefault(expression, given[id(leaf), dim])
    taken = {spec.placeholder for spec in inputs}
    for symbol in examples:
        name = wishes.get(symbol, str(symbol))
        while name in taken:
            name += "_"
        taken.add(name)
        names[symbol] = name
    symbols = []
    for symbol, example in examples.items():
        bounds = program.range_constraints.get(symbol)
        low, high = (int(bounds.lower), bounds.upper) if bounds is not None else (0, None)
        bounded = high is not None and getattr(high, "is_finite", True) and "oo" not in str(high)
        symbols.append(Symbol(names[symbol], low, int(high) if bounded else None, example))
    return tuple(symbols), names


def _clean_graph(graph_module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Drop what the checked inputs make redundant, and what nothing uses.

    Export asserts dtype, device and layout before every cast; they follow from the inputs'.
    """
    graph = graph_module.graph
    for node in reversed(list(graph.nodes)):
        if node.op != "call_function" or node.users:
            continue
        if node.target is torch.ops.aten._assert_tensor_metadata.default or not has_effect(node):
            graph.erase_node(node)
    graph_module.recompile()
    return graph_module


_EFFECTS = ("_assert_scalar", "_assert_async", "sym_constrain_range", "sym_constrain_range_for_size")


def has_effect(node: torch.fx.Node) -> bool:
    """Whether leaving a call out would change anything but its own value."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return isinstance(node.target, torch._ops.HigherOrderOperator)
    if node.target._schema.is_mutable or torch.Tag.nondeterministic_seeded in node.target.tags:
        return True
    return node.target._schema.name.split("::")[-1] in _EFFECTS


# --- when it fails -------------------------------------------------------------------------------

_TORCH_DIRECTORY = os.path.dirname(torch.__file__) + os.sep
_OWN_DIRECTORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of an error that is neither torch's nor ours: the user's line."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        name = frame.filename
        if name.startswith((_TORCH_DIRECTORY, _OWN_DIRECTORY, "<")) and not name.startswith("<ipython"):
            continue
        if os.sep + "contextlib.py" in name or os.sep + "functools.py" in name:
            continue
        return frame
    return None


def _explain_failure(error: Exception, model: Callable[..., Any]) -> CaptureError:
    frame = user_frame(error)
    text = str(error).strip()
    line = next((part.strip() for part in text.splitlines() if part.strip()), type(error).__name__)
    where = f" at {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" if frame else ""
    kind = type(error).__name__
    if "GuardOnDataDependent" in kind or "data-dependent" in text:
        what = f"{model_name(model)} branches on the values in a tensor{where}."
        hint = "Replace the branch by torch.where or torch.cond, or compile the part without it."
    elif "not a known type" in text or "register a pytree" in text:
        what = f"{model_name(model)} takes or returns a container that is not a registered tree: {line}"
        hint = (
            "Pass use_cache=False to a transformers model, or register the type with "
            "torch.export.register_dataclass."
        )
    elif "Constraints violated" in text or "specialized" in text:
        what = f"A dynamic dimension of {model_name(model)} cannot be dynamic as asked: {_gist(text)}"
        hint = "Change its range or leave it out of `dynamic`."
    else:
        what = f"torch.export could not capture {model_name(model)}{where}: {line:.300}"
        hint = "The exception this was raised from has the whole story."
    return CaptureError(what, hint, frame=frame, kind=kind)


def _gist(text: str) -> str:
    lines = [part.strip(" -") for part in text.splitlines() if part.strip()]
    telling = [part for part in lines if "specializ" in part or "range" in part or "valid" in part]
    return (telling or lines)[0][:300]
