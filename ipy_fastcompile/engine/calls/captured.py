"""A model as one graph, as plain data: what `capture` makes and every later stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

import torch

from ...frozen import frozen
from ...records import FixedSize, Symbol
from ..graph.shared import Memory
from ..sizes.conditions import Condition
from .layouts import LayoutRead
from .questions import Question


@frozen
class ParameterSpec:
    """A tensor that comes from the model: ``placeholder`` in the graph, ``name`` in the model."""

    placeholder: str
    name: str
    kind: str  # "parameter" | "buffer" | "constant"
    persistent: bool = True


@frozen
class InputSpec:
    """A leaf of the call's arguments. ``constant`` leaves are not tensors; their value is fixed.

    A leaf that is neither is a whole number that varies as sizes do.
    """

    placeholder: str
    path: str  # "input_ids", "batch['mask']"
    constant: bool = False
    value: Any = None
    fixed: str = ""  # what is checked with the containers, and None here


@frozen
class Captured:
    """A model as one graph.

    ``graph_module`` takes parameters, buffers, constants and the input leaves, in the order of its
    placeholders, and returns a flat tuple. ``names`` maps the graph's symbols to the names the
    user gave them; ``conditions`` are what the graph takes for granted about them, beside their
    ranges, and ``guards`` what torch recorded of them; ``limits`` are the ranges where the model
    sets none, ``pieces`` those of which there are as many as one likes, a graph for each, and
    ``fixed`` sizes that might have varied. ``notes`` say what a compiled call leaves
    out, and what it draws. ``arguments`` are the way to each argument and how it is nested,
    ``result`` how the result is (see `ipy_fastcompile.runtime.nests`); ``defaults`` are those of
    arguments, as literals; ``types`` are the types of containers by name, and ``example_leaves``
    the leaves of the example call. ``hooks`` ran in the call, ``training`` is whether the model was
    in training mode, and ``autocast`` what was on, ``cpu:bfloat16``. ``layouts`` say of which
    inputs, by path, it reads how they lie in memory; ``questions`` are what it asks torch
    about its surroundings.
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
    hooks: tuple[str, ...] = ()
    training: bool = False
    autocast: tuple[str, ...] = ()
    fixed: tuple[FixedSize, ...] = ()
    limits: Mapping[Any, tuple[int, int | None]] = field(default_factory=dict)
    pieces: Mapping[Any, tuple[int, int]] = field(default_factory=dict)
    layouts: Mapping[str, LayoutRead] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()

    def __repr__(self) -> str:
        return f"<{self.model_name} as one graph, {len(self.graph_module.graph.nodes)} nodes>"

    def __str__(self) -> str:
        return str(self.graph_module.print_readable(print_output=False))
