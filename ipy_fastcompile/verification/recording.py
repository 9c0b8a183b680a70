"""artifact -> what its native program does, kernel by kernel, recorded in a process of its own.

Parameters and inputs are made up from the manifest, the same in every process, so that another one
can compute what should have come out; see `ipy_fastcompile.verification.verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from safetensors.torch import load as load_tensors

from ..artifact import OpenArtifact, open_artifact
from ..artifact.described import tensors_of
from ..artifact.schema import Program, read_program, read_programs
from ..children.answer import answer
from ..runtime import bind
from ..runtime.inputs import example_inputs
from ..runtime.load import load_parts
from ..runtime.parameters import Source, find_parameters, tensors_for
from ..runtime.parts import Parts, parts_of_program
from ..runtime.sharing import part_of
from ..torch_compat import inductor


@dataclass
class Call:
    """One call of a kernel. A tensor that it wrote to is in ``written``, by position."""

    inputs: list[Any]
    outputs: list[Any]
    written: dict[int, torch.Tensor] = field(default_factory=dict)


@dataclass
class Recording:
    """One call of the whole program; all tensors are copies.

    ``outputs`` are those of the callable that users get, ``arguments`` the inputs and
    ``parameters`` the parameters after that call. ``calls`` were recorded in a second one.
    """

    outputs: list[Any]
    arguments: list[Any]
    parameters: list[torch.Tensor]
    calls: list[Call]


def made_up_weights(*programs: Program) -> dict[str, torch.Tensor]:
    """A tensor for every parameter of the programs.

    They are such that values neither vanish nor grow through layers.

    Matrices have variance 1 / fan-in, vectors are around 1, as the scales of norms are. The same in
    every process.
    """
    weights = tensors_for(tensors_of(programs))
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or tensor.element_size() < 2 or not tensor.numel():
            continue
        if tensor.dim() < 2:
            weights[name] = tensor.mul(10).add(1)
        else:
            fan_in = tensor.numel() // tensor.shape[0]
            weights[name] = tensor.mul(50 * (3 / fan_in) ** 0.5)
    # What is one memory in the model is one here: a load checks it.
    return weights | {
        other: part_of(weights[name], offset, shape)
        for program in programs
        for name, other, offset, shape in program.ties
    }


def made_up_parameters(artifact: OpenArtifact, program: Program) -> list[torch.Tensor]:
    """The tensor for every parameter of the program, in its order; stored ones as stored."""
    stored = load_tensors(artifact.read(program.stored)) if program.stored else {}
    return find_parameters(made_up_weights(program), program.parameters, stored).tensors


def made_up_inputs(program: Program, run: Mapping[str, Any]) -> list[Any]:
    """The leaves of a call: ``shapes`` and ``integers`` (the largest one) as the run says."""
    return example_inputs(program, shapes=run["shapes"], largest_integer=run["integers"])


def record(artifact: OpenArtifact, run: Mapping[str, Any]) -> Recording:
    """Load along the native path, call once, and once more with every kernel watched."""
    parts = parts_of_program(artifact, run["program"])
    program = read_program(parts.manifest, parts.path)
    return record_call(
        parts, lambda: made_up_weights(program), lambda: made_up_inputs(program, run)
    )


def record_call(
    artifact: Parts, weights: Callable[[], Source], inputs: Callable[[], list[Any]]
) -> Recording:
    """The same with any weights and inputs; each is asked for as often as it is needed anew."""
    program = read_program(artifact.manifest, artifact.path)
    function = load_parts(artifact, weights(), with_tree=False)
    leaves = inputs()
    outputs = list(copied(function.flat(leaves)))
    arguments, parameters = list(copied(leaves)), list(copied(function.parts.parameters))

    parts = load_parts(artifact, weights(), with_tree=False).parts
    calls: list[Call] = []
    watched = [_watched(kernel, calls) for kernel in parts.kernels]
    text = artifact.read(program.execution).decode()
    execution = bind.compile_execution_fn(text, watched, parts.parameters, parts.constants)
    with torch.no_grad():
        execution.forward(*execution.check_inputs(*inputs()))
    return Recording(outputs, arguments, parameters, calls)


def copied(values: Sequence[Any]) -> list[Any]:
    """The values, tensors as copies with memory of their own."""
    return [v.detach().clone() if isinstance(v, torch.Tensor) else v for v in values]


def _watched(kernel: Callable[..., Any], calls: list[Call]) -> Callable[..., Any]:
    def watched(*args: Any) -> Any:
        before = copied(args)
        outputs = kernel(*args)
        written = {
            position: value.detach().clone()
            for position, value in enumerate(args)
            if isinstance(value, torch.Tensor) and not _is_same(value, before[position])
        }
        calls.append(Call(before, copied(outputs), written))
        return outputs

    return watched


def _is_same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.detach().nan_to_num(), b.nan_to_num())


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Record every call that is asked for, each in a file; what happened, ready for JSON."""
    from importlib import import_module

    for name in request["modules"]:
        import_module(name)
    before = inductor.compiler_modules_loaded()
    artifact = open_artifact(request["path"], trust=request["trust"])
    weights = made_up_weights(*read_programs(artifact.manifest, artifact.path))
    started = perf_counter()
    parts = open_artifact(request["path"], trust=request["trust"])
    function = load_parts(parts, weights, with_tree=False)
    load = perf_counter() - started
    imported = [m for m in inductor.compiler_modules_loaded() if m not in before]
    problems = []
    for run in request["runs"]:
        try:
            recording = record(artifact, run)
        except Exception as error:  # noqa: BLE001 - shown beside the sizes it happened at
            problems.append(f"{type(error).__name__}: {str(error).strip()[:600]}")
            continue
        problems.append("")
        plain = {**vars(recording), "calls": [vars(call) for call in recording.calls]}
        torch.save(plain, run["file"])
    return {
        "load": load,
        "ways": list(function.kernel_ways),
        "notes": list(function.notes),
        "modules": imported,
        "before": list(before),
        "problems": problems,
    }


if __name__ == "__main__":
    answer(main)
