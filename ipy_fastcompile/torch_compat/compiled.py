"""bytes of a compiled kernel -> its source, libraries, launches and strides.

torch._inductor; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .launches import CudaLaunch, Tried, read_launches
from .wrapping import Wrapping, read_wrapping


@dataclass(frozen=True)
class CompiledParts:
    """What a serialized artifact of `standalone_compile(aot=True)` holds.

    ``constants`` are tensors the output code refers to by name; ``mutated_inputs`` are the indices
    of inputs that it writes to, ``checked_inputs`` of those whose alignment (16 bytes) is checked
    on a GPU. ``launches`` has the statically launched form of every Triton kernel, or the reason
    why it has none, and ``tried`` the configurations of those that were autotuned.
    """

    output_code: str
    aten_graph: str
    line_map: tuple[tuple[int, str], ...]
    wrapping: Wrapping
    constants: Mapping[str, torch.Tensor]
    mutated_inputs: tuple[int, ...]
    checked_inputs: tuple[int, ...]
    launches: Mapping[str, CudaLaunch | str]
    tried: Tried = field(default_factory=dict)


def open_compiled(data: bytes, inputs: Callable[[], Sequence[Any]] = tuple) -> CompiledParts:
    """Look inside a serialized artifact made in this process.

    ``inputs`` makes inputs it can be run on, for GPU kernels that have to be autotuned.
    """
    bundle = pickle.loads(data)
    entry = bundle[0] if isinstance(bundle, tuple) else bundle
    code = entry.compiled_fw.result
    bundled = getattr(code, "_triton_bundle", None)
    launches, tried = read_launches(data, code.cache_key, bundled, inputs) if bundled else ({}, {})
    return CompiledParts(
        output_code=code.source_code,
        aten_graph=code.inductor_post_grad_graph_str or entry.aot_forward_graph_str or "",
        line_map=_line_map(code),
        wrapping=read_wrapping(entry, code),
        constants=dict(code.constants or {}),
        mutated_inputs=tuple(sorted(code.mutated_input_idxs or ())),
        checked_inputs=tuple(code.inputs_to_check or ()),
        launches=launches,
        tried=tried,
    )


def output_strides(data: bytes) -> tuple[tuple[str, ...] | None, ...]:
    """The strides of what a serialized artifact returns, as expressions over the symbols."""
    bundle = pickle.loads(data)
    entry = bundle[0] if isinstance(bundle, tuple) else bundle
    strides = entry.compiled_fw.result.output_strides or ()
    return tuple(None if s is None else tuple(map(str, s)) for s in strides)


def _line_map(code: Any) -> tuple[tuple[int, str], ...]:
    """Where in the output code the work on each node begins, with the node's stack trace.

    Inductor counts lines before it puts the block that autotunes, a string, in front of its text.
    """
    found = [(line, text) for line, text in (code.cache_linemap or ()) if text]
    if not found:
        return ()
    first = ast.parse(code.source_code).body[0]
    is_string = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    offset = (first.end_lineno or 0) if is_string else 0
    return tuple((line + offset, text) for line, text in found)
