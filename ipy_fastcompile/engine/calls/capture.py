"""model + call -> Captured: one ATen graph; parameters, buffers and constants are inputs by name.

The graph comes from `torch.export.export(strict=False)`; its training IR keeps in-place updates as
they are, so a submodule that mutates an input mutates the caller's tensor.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.export.graph_signature import InputKind, OutputKind

from ...errors import CallError, CaptureError, warn_user
from ...interrupts import check_whole
from ...records import Symbol
from ...runtime.signature import literal_of
from ...runtime.wrappers import plain_name, unwrapped
from ...torch_compat import (
    guards as torch_guards,
    inductor,
    module_tables,
    ops,
    surroundings,
    tracing,
)
from ..graph.idle import without_idle
from ..graph.known_values import compare_known_values
from ..graph.moves import spell_moves
from ..graph.randomness import (
    check_draws,
    check_host_numbers,
    check_seeds,
    describe_draws,
    draws_of,
)
from ..graph.regions import flatten_regions
from ..graph.shared import Memory, memory_of, without_base
from ..sizes.conditions import Condition
from ..sizes.dynamic import dynamic_shapes_of
from ..sizes.size_book import SizeBook, assertions_of, recorded_of
from ..sizes.symbols import GivenSizes, read_symbols, without_names
from .asked import asked_call
from .containers import PlainCall
from .effects import Watch
from .failures import explain_failure
from .later import check_later_calls
from .preflight import (
    check_devices,
    check_gradients,
    check_kind,
    check_layouts,
    check_memory,
    check_mode,
    check_statistics,
)
from .real import check_arguments, check_surroundings

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
    fixed: str = ""  # what is checked with the containers, and None here


@dataclass(frozen=True)
class Captured:
    """A model as one graph.

    ``graph_module`` takes parameters, buffers, constants and the input leaves, in the order of its
    placeholders, and returns a flat tuple. ``names`` maps the graph's symbols to the names the
    user gave them; ``conditions`` are what the graph takes for granted about them, beside their
    ranges, and ``guards`` what torch recorded of them. ``notes`` say what a compiled call leaves
    out, and what it draws.
    ``arguments`` are the way to each argument and how it is nested, ``result`` how
    the result is (see `ipy_fastcompile.runtime.nests`); ``defaults`` are those of arguments, as
    literals; ``types`` are the types of containers by
    name, and ``example_leaves`` the leaves of the example call.
    """

    graph_module: torch.fx.GraphModule
    model_name: str
    parameters: tuple[ParameterSpec, ...]
    inputs: tuple[InputSpec, ...]
    constants: Mapping[str, torch.Tensor]
    argument_names: tuple[str, ...]
    n_positional: int
    arguments: tuple[tuple[str, Any], ...]
    result: Any
    symbols: tuple[Symbol, ...]
    names: Mapping[Any, str]
    conditions: tuple[Condition, ...]
    example_args: tuple[Any, ...]
    example_kwargs: Mapping[str, Any]
    example_leaves: tuple[Any, ...]
    types: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    memory: Memory = field(default_factory=Memory)
    defaults: Mapping[str, str] = field(default_factory=dict)
    guards: frozenset[Any] = frozenset()


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
    check_surroundings()
    args, kwargs = asked_call(args, kwargs)
    check_kind(model)
    module = as_module(model)
    watch = Watch(model_name(model), model, (args, kwargs))
    check_mode(module, training=watch.is_training)
    module = _under_autocast(module)
    bound = _bind(module, args, kwargs)
    call = PlainCall(module, args, kwargs)
    check_devices(module, args, kwargs)
    check_gradients(call.paths, call.leaves)
    if dynamic:
        module = _with_named_keywords(module, kwargs)
        bound = _bind(module, args, kwargs)
    check_arguments(call.paths, call.leaves)
    dynamic_shapes, given = dynamic_shapes_of(module, bound, dynamic or {})
    book = SizeBook()
    try:
        with surroundings.without_autocast():
            program = _export(module, call, dynamic_shapes, watch, book)
    except Exception as error:  # noqa: BLE001 - whatever the model itself raises surfaces here
        check_whole(error)
        explained = explain_failure(error, model_name(model))
        raise explained from (None if explained is error else error)
    check_statistics(program.graph_module)
    draws = draws_of(program.graph_module)
    check_draws(draws, training=watch.is_training)
    check_seeds(draws, watch.own, is_seeded=watch.is_seeded)
    check_host_numbers(
        watch.moved, program, lambda: _export(module, call, dynamic_shapes, watch, SizeBook())
    )
    captured = _read_program(program, model, module, args, kwargs, given, call, book)
    kept = (*watch.left_behind(), *_written_constants(captured))
    later = check_later_calls(captured, model, module, args, kwargs, kept) if kept else ""
    effects = (*kept, *watch.left_out())
    return replace(
        captured, notes=(*_warn_of(effects, captured.model_name, later), *describe_draws(draws))
    )


def _warn_of(effects: Sequence[str], name: str, later: str) -> tuple[str, ...]:
    """Say what a compiled call will not do; the same for the report."""
    if not effects:
        return ()
    shown = ", ".join(effects[:4]) + (f" and {len(effects) - 4} more" if len(effects) > 4 else "")
    said = f"A compiled call of {name} leaves out what it does besides its result: {shown}"
    said += f"; {later}." if later else "."
    warn_user(said)
    return (said,)


def _export(
    module: torch.nn.Module,
    call: PlainCall,
    dynamic_shapes: Any,
    watch: Watch,
    book: SizeBook,
) -> torch.export.ExportedProgram:
    """`torch.export`; a named size is taken without its name where its guards cannot be proved.

    Guards that a named dimension may not have become conditions, which the call is checked for.
    """

    def export(shapes: Any) -> torch.export.ExportedProgram:
        with (
            watch.attempt(module),
            call.shown_to_export(module, watch.assigned.write),
            torch_guards.watched_sizes(book.note),
        ):
            return torch.export.export(
                module, call.args, call.kwargs, dynamic_shapes=shapes, strict=False
            )

    with (
        torch.no_grad(),
        tracing.lazy_graph_modules(),
        inductor.without_partial_graph(),
        tracing.without_log_of_failure(),
    ):
        try:
            return export(dynamic_shapes)
        except Exception as error:
            # Its solver of constraints asserts that the guards are of kinds that it knows.
            unproved = "Constraints violated" in str(error) or isinstance(error, AssertionError)
            if dynamic_shapes is None or not unproved:
                raise
            try:
                return export(without_names(dynamic_shapes))
            except Exception:  # noqa: BLE001 - the first error says what was asked for
                raise error from None


# --- the call ------------------------------------------------------------------------------------


def as_module(model: Any) -> torch.nn.Module:
    """The module to capture: ``model`` itself, or a function or bound method wrapped in one."""
    model = unwrapped(model)
    if isinstance(model, torch.nn.Module):
        if not _has_own_call(model):
            _check_forward(model)
            return model
        model = model.__call__
    owner: Any = getattr(model, "__self__", None)
    if not callable(model) or isinstance(model, type):
        raise CallError(
            f"{type(model).__name__} object {model!r:.60} is neither a module nor a function.",
            "Pass a torch.nn.Module or a function that calls one.",
        )
    wrapper: torch.nn.Module = module_tables.UnhookedModule()
    if isinstance(owner, torch.nn.Module):
        wrapper = _Method(owner)
    call = functools.wraps(model)(functools.partial(_call, model))
    if not _has_signature(model):
        call.__signature__ = inspect.signature(_any_call)  # type: ignore[attr-defined]
    wrapper.forward = call
    wrapper.training = owner.training if isinstance(owner, torch.nn.Module) else False
    return wrapper


def _has_own_call(module: torch.nn.Module) -> bool:
    """Whether a class that is not torch's says what calling its modules does."""
    owner = next(cls for cls in type(module).__mro__ if "__call__" in vars(cls))
    return not owner.__module__.startswith("torch.")


def _check_forward(module: torch.nn.Module) -> None:
    """Refuse a module that only holds others."""
    if type(module).forward is torch.nn.Module.forward and "forward" not in vars(module):
        raise CallError(
            f"A {type(module).__name__} has no forward: it cannot be called.",
            "Pass a module that has one, or a function that calls what this one holds.",
        )


def _has_signature(function: Callable[..., Any]) -> bool:
    """Whether Python knows its arguments; of functions in C, it often does not."""
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _any_call(*args: Any, **kwargs: Any) -> None:
    """The signature of what has none."""


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


class _StandIn(torch.nn.Module):
    """A module that stands in for another one: same parameter names, same hooks."""

    def __init__(self, owner: torch.nn.Module) -> None:
        super().__init__()
        self.__dict__.update(owner.__dict__)


class _Method(_StandIn, module_tables.UnhookedModule):
    """A method as a module: the parameters are its owner's, the hooks of its owner do not run."""


def _with_named_keywords(module: torch.nn.Module, kwargs: dict[str, Any]) -> torch.nn.Module:
    """The module with a name in its signature for each keyword that falls into ``**kwargs``.

    `torch.export` counts those twice when it is given dynamic shapes, up to 2.14 at least.
    """
    parameters = inspect.signature(module.forward).parameters
    extra = [name for name in kwargs if name not in parameters]
    if not extra:
        return module
    named = [p for p in parameters.values() if p.kind is not p.VAR_KEYWORD]
    named += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in extra]
    wrapper = _StandIn(module)
    call = functools.wraps(module.forward)(functools.partial(_call, module.forward))
    call.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    wrapper.forward = call
    return wrapper


def _under_autocast(module: torch.nn.Module) -> torch.nn.Module:
    """The module with the autocast that is on around the compile inside of its forward.

    Export keeps a region that a forward enters, and does not see one that it is in.
    """
    active = surroundings.autocasts()
    if not active:
        return module
    wrapper = _StandIn(module)
    wrapper.forward = functools.wraps(module.forward)(
        functools.partial(_call_under, active, module.forward)
    )
    return wrapper


def _call_under(
    autocasts: Mapping[str, torch.dtype], function: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    with contextlib.ExitStack() as stack:
        for kind, dtype in autocasts.items():
            stack.enter_context(torch.autocast(kind, dtype))
        return function(*args, **kwargs)


def model_name(model: Callable[..., Any]) -> str:
    """``LlamaForCausalLM`` for a module, ``encode`` for a function."""
    model = unwrapped(model)
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


def _defaults(module: torch.nn.Module) -> dict[str, str]:
    """The defaults of a forward that are literals, by argument."""
    found = {}
    for name, parameter in inspect.signature(module.forward).parameters.items():
        text = literal_of(parameter.default)
        if text:
            found[name] = text
    return found


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
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    given: GivenSizes,
    call: PlainCall,
    book: SizeBook,
) -> Captured:
    signature = program.graph_signature
    for output in signature.output_specs:
        if output.kind is not OutputKind.USER_OUTPUT:
            raise CaptureError(
                f"The model writes {output.target or output.arg} by assignment "
                f"({output.kind.name.lower()}), which the exported graph returns as an output.",
                "Update it in place, for instance with copy_().",
            )
    leaves, paths = call.leaves, call.paths
    parameters: list[ParameterSpec] = []
    inputs: list[InputSpec] = []
    for spec in signature.input_specs:
        placeholder = getattr(spec.arg, "name", "")
        if spec.kind in _PARAMETER_KINDS:
            parameters.append(
                ParameterSpec(
                    placeholder,
                    plain_name(module, spec.target or placeholder),
                    _PARAMETER_KINDS[spec.kind],
                    spec.persistent is not False,
                )
            )
        elif spec.kind is InputKind.USER_INPUT:
            position = len(inputs)
            constant = not isinstance(leaves[position], torch.Tensor)
            inputs.append(
                InputSpec(
                    placeholder,
                    paths[position],
                    constant,
                    leaves[position] if constant else None,
                    call.fixed.get(position, ""),
                )
            )
        else:
            raise _no_tensor(spec.target or placeholder, program.constants.get(spec.target or ""))
    wanted = {p.name for p in parameters if p.kind == "constant" or not p.persistent}
    _resolve_constants(program.graph, parameters, wanted)
    held = {plain_name(module, name): value for name, value in program.constants.items()}
    bound = {**program.state_dict, **program.constants}
    flattened = flatten_regions(program.graph_module)  # it knows gradients, which hold tensors
    used = {n.name for n in program.graph.nodes if n.op == "placeholder" and n.users}
    check_memory(
        (f"The {p.kind} {p.name}", bound.get(p.name)) for p in parameters if p.placeholder in used
    )
    check_layouts(program.graph_module)
    constants = {
        name: value.detach().resolve_conj().resolve_neg()
        for name, value in held.items()
        if name in wanted and isinstance(value, torch.Tensor)
    }
    symbols, names, declared = read_symbols(program, inputs, leaves, given, book)
    conditions = book.conditions(program.graph_module, symbols, names, declared)
    guards = recorded_of(program.graph_module)
    graph_module = without_idle(flattened)
    compare_known_values(graph_module, names)
    graph_module = spell_moves(_clean_graph(graph_module, names))
    return Captured(
        graph_module=graph_module,
        model_name=model_name(model),
        parameters=tuple(parameters),
        inputs=tuple(inputs),
        constants=constants,
        argument_names=tuple(inspect.signature(module.forward).parameters),
        n_positional=len(args),
        defaults=_defaults(module),
        arguments=tuple(call.arguments),
        result=call.result_nest(program.call_spec.out_spec, model_name(model)),
        symbols=symbols,
        names=names,
        conditions=conditions,
        guards=guards,
        example_args=args,
        example_kwargs=kwargs,
        example_leaves=tuple(leaves),
        types=call.types,
        memory=memory_of(graph_module, module, parameters, inputs, constants, leaves),
    )


def _resolve_constants(
    graph: torch.fx.Graph, parameters: Sequence[ParameterSpec], wanted: Set[str]
) -> None:
    """Stored constants hold their values, whatever lazy bits and bases those of the model have."""
    placeholders = {p.placeholder for p in parameters if p.name in wanted}
    for node in graph.nodes:
        value = node.meta.get("val")
        if node.name in placeholders and isinstance(value, torch.Tensor):
            value = value.resolve_conj().resolve_neg()
            node.meta["val"] = without_base(value)


def _no_tensor(name: str, value: Any) -> CaptureError:
    """The refusal of what a graph needs and no artifact can hold, such as a generator."""
    if isinstance(value, torch.Generator):
        return CaptureError(
            "The model draws random numbers from a torch.Generator of its own.",
            "Draw them from torch's default generator, which torch.manual_seed sets, or pass them "
            "to the call as an argument.",
        )
    return CaptureError(
        f"The model needs {name}, a {type(value).__name__}, which is no tensor.",
        "Only tensors can be bound by name: make it a part of the code, or a tensor.",
    )


def _clean_graph(
    graph_module: torch.fx.GraphModule, names: Mapping[Any, str]
) -> torch.fx.GraphModule:
    """Drop what the checked inputs make redundant, and what nothing uses.

    Export asserts dtype, device and layout before every cast; they follow from the inputs'. What
    it asserts about sizes of inputs alone is among the conditions that a call is checked for.
    """
    graph = graph_module.graph
    for node in reversed(list(graph.nodes)):
        if node.op != "call_function" or node.users:
            continue
        asserted = assertions_of(node)
        if (
            str(node.target) == "aten._assert_tensor_metadata.default"
            or not has_effect(node)
            or (asserted and all(a.free_symbols <= set(names) for a in asserted))
        ):
            graph.erase_node(node)
    graph_module.recompile()
    return graph_module


_EFFECTS = (
    "_assert_scalar",
    "_assert_async",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)


def _written_constants(captured: Captured) -> tuple[str, ...]:
    """Tensors that the graph writes to and that no model holds: those of closures, attributes."""
    return tuple(
        f"what it writes to the tensor {p.name}"
        for p in captured.parameters
        if p.kind == "constant" and p.placeholder in captured.memory.written
    )


def has_effect(node: torch.fx.Node) -> bool:
    """Whether leaving a call out would change anything but its own value."""
    target: Any = node.target
    if not ops.is_op(target):
        return ops.is_higher_order(target)
    if ops.is_mutating(target) or torch.Tag.nondeterministic_seeded in target.tags:
        return True
    return ops.op_and_overload(target)[0].partition("::")[2] in _EFFECTS
