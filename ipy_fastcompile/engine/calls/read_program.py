"""ExportedProgram -> Captured: tensors of the model by name, inputs by path, sizes by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import Any

import torch
from torch.export.graph_signature import InputKind, OutputKind

from ...errors import CaptureError
from ...runtime.wrappers import plain_name
from ...torch_compat import symbolic
from ..graph.clean import clean_graph
from ..graph.idle import without_idle
from ..graph.known_values import compare_known_values
from ..graph.made_sizes import spell_plain_sizes
from ..graph.masks import masks_as_numbers
from ..graph.moves import spell_moves
from ..graph.regions import flatten_regions
from ..graph.shared import memory_of, without_base
from ..sizes.size_book import recorded_of
from ..sizes.symbols import read_symbols
from .captured import Captured, InputSpec, ParameterSpec
from .containers import PlainCall
from .export import Exported
from .module import defaults_of, model_name
from .preflight import check_dtypes, check_layouts, check_memory, check_quantized
from .questions import asks_default_dtype

_PARAMETER_KINDS = {
    InputKind.PARAMETER: "parameter",
    InputKind.BUFFER: "buffer",
    InputKind.CONSTANT_TENSOR: "constant",
}


def read_program(
    found: Exported,
    model: Callable[..., Any],
    module: torch.nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    call: PlainCall,
) -> Captured:
    """Read an exported program. Raises CaptureError for what it holds beside tensors."""
    program, book = found.program, found.book
    for output in program.graph_signature.output_specs:
        if output.kind is not OutputKind.USER_OUTPUT:
            raise CaptureError(
                f"The model writes {output.target or output.arg} by assignment "
                f"({output.kind.name.lower()}), which the exported graph returns as an output.",
                "Update it in place, for instance with copy_().",
            )
    parameters, inputs = _read_inputs(program, module, call)
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
    check_quantized(program.graph_module)
    check_dtypes(flattened)
    constants = {
        name: value.detach().resolve_conj().resolve_neg()
        for name, value in held.items()
        if name in wanted and isinstance(value, torch.Tensor)
    }
    sizes = read_symbols(program, inputs, call.leaves, found.asked, book)
    conditions = book.conditions(program.graph_module, sizes.limits, sizes.declared)
    guards = recorded_of(program.graph_module)
    graph_module = spell_plain_sizes(without_idle(flattened))
    compare_known_values(graph_module, sizes.names)
    graph_module = masks_as_numbers(spell_moves(clean_graph(graph_module, sizes.names)))
    memory = memory_of(graph_module, module, parameters, inputs, constants, call.leaves)
    if asks_default_dtype(found.questions):
        memory = replace(memory, default_dtype=str(torch.get_default_dtype())[6:])
    return Captured(
        graph_module=graph_module,
        model_name=model_name(model),
        parameters=tuple(parameters),
        inputs=tuple(inputs),
        constants=constants,
        argument_names=tuple(inspect.signature(module.forward).parameters),
        n_positional=len(args),
        defaults=defaults_of(module),
        arguments=tuple(call.arguments),
        result=call.result_nest(program.call_spec.out_spec, model_name(model)),
        symbols=sizes.symbols,
        names=sizes.names,
        conditions=conditions,
        fixed=sizes.fixed,
        limits=sizes.limits,
        pieces={
            symbolic.symbolic_expression(book.first[spot]): piece
            for spot, piece in found.pieces.items()
            if symbolic.is_symbolic_int(book.first[spot])
        },
        layouts=found.layouts,
        guards=guards,
        example_args=args,
        example_kwargs=kwargs,
        example_leaves=tuple(call.leaves),
        types=call.types,
        memory=memory,
        questions=found.questions,
    )


def _read_inputs(
    program: torch.export.ExportedProgram, module: torch.nn.Module, call: PlainCall
) -> tuple[list[ParameterSpec], list[InputSpec]]:
    """What each placeholder of the graph is: a tensor of the model, or a leaf of the arguments."""
    parameters: list[ParameterSpec] = []
    inputs: list[InputSpec] = []
    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    for spec in program.graph_signature.input_specs:
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
            is_tensor = isinstance(call.leaves[position], torch.Tensor)
            constant = not is_tensor and not symbolic.varies(values.get(placeholder))
            inputs.append(
                InputSpec(
                    placeholder,
                    call.paths[position],
                    constant,
                    call.leaves[position] if constant else None,
                    call.fixed.get(position, ""),
                )
            )
        else:
            raise _no_tensor(spec.target or placeholder, program.constants.get(spec.target or ""))
    return parameters, inputs


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
