"""artifact -> does it load and compute where nothing but torch is: the check before it is shipped.

One process, with an empty ``PATH``, no compiler and an empty Inductor cache, loads the artifact
along the native path and calls it with made-up parameters and inputs at several sizes. Another one
decodes the FX graph and computes the same, op by op in eager. They are compared per submodule.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..artifact import OpenArtifact, open_artifact
from ..artifact.inspect import ArtifactInfo
from ..artifact.schema import Program, read_program
from ..errors import ArtifactStale, InputError, VerifyError
from ..records import Report, Size
from ..runtime.size_values import size_value
from .process import Attempts, Run
from .report import SizeVerdict, SubmoduleVerdict, VerifyReport, size_label

__all__ = ["SizeVerdict", "SubmoduleVerdict", "VerifyReport", "main", "verify"]

_SPECIFICATION = "specification"


def verify(
    path: str | os.PathLike[str],
    *,
    reference: str | os.PathLike[str] | None = None,
    write_reference: str | os.PathLike[str] | None = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
    trust: str | None = None,
    timeout: float = 600.0,
) -> VerifyReport:
    """Check that an artifact loads and computes on a machine without compiler and cache.

    Parameters
    ----------
    path:
        The artifact.
    reference:
        Outputs that `write_reference` saved, here or elsewhere, to compare with as well.
    write_reference:
        A file for the outputs that eager gives, in safetensors form.
    sizes:
        Values of the symbolic sizes to call at: ``{"seq": [2, 64]}``. By default the example's,
        the smallest, a larger one, and those that have kernels of their own.
    trust:
        As `ipy_fastcompile.load` takes it.
    timeout:
        Seconds after which a process counts as hanging.

    Raises
    ------
    ArtifactError
        The file is not there, damaged, or of unknown origin.
    InputError
        A size is not one of the artifact's, or outside of its range.
    ArtifactStale, VerifyError
        The reference is of another artifact, or no reference at all.
    """
    artifact = open_artifact(path, trust=trust)
    program = read_program(artifact.manifest, artifact.path)
    report = ArtifactInfo(artifact).report
    wanted = list(_choose_sizes(program, sizes))
    specification = _specification(program)
    saved = _read_reference(reference, specification) if reference is not None else None
    with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as folder:
        modules = sorted({m for m in program.ops.values() if m and m != "__main__"})
        request = {"path": artifact.path, "trust": trust, "modules": modules}
        # Different integers tell positions apart; where only zeros are indices, zeros it is.
        attempts = Attempts(request, folder, timeout)
        shapes = [_shapes(report, size) if size else None for size in wanted]
        runs = attempts.run([Run(s, integers=1) for s in shapes])
        again = [
            position
            for position, (size, run) in enumerate(zip(wanted, runs, strict=True))
            if run.problem and not _unasked(size, sizes, run.problem)
        ]
        if again and (attempts.crashed or not attempts.failure):
            retried = attempts.run([Run(shapes[position], integers=0) for position in again])
            runs = [*runs]
            for position, run in zip(again, retried, strict=True):
                runs[position] = run
        results: list[SizeVerdict] = []
        outputs: dict[str, torch.Tensor] = {}
        notes: list[str] = []
        for size, run in zip(wanted, runs, strict=True):
            if run.problem and _unasked(size, sizes, run.problem):
                notes.append(f"{size_label(size)} is not compared: {run.problem}")
            elif run.problem:
                results.append(SizeVerdict(tuple(size.items()), problems=(run.problem,)))
            else:
                outputs |= _named(size, run.expected)
                found = None if saved is None else _named(size, run.found)
                results.append(_verdict(size, run.judgement, program, found, saved))
    if write_reference is not None:
        save_file(outputs, os.fspath(write_reference), {_SPECIFICATION: specification})
    return _report(artifact, program, attempts, tuple(results), notes)


# --- what to call it with ------------------------------------------------------------------------


def _unasked(
    size: Mapping[str, int], wanted: Mapping[str, Sequence[int]] | None, said: str
) -> bool:
    """Whether a size was tried of our own accord, and the model need not take it.

    Many a model cannot be run with an empty dimension, and its conditions on sizes refuse others.
    """
    return wanted is None and (0 in size.values() or said.startswith("InputError: "))


def _choose_sizes(
    program: Program, wanted: Mapping[str, Sequence[int]] | None
) -> Iterator[dict[str, int]]:
    """The choices of sizes, each once; one empty choice where there are no symbolic sizes."""
    symbols = {name: (low, high, example) for name, low, high, example in program.symbols}

    def larger(example: int) -> int:
        # What divides the example divides its double; without conditions, an odd size tells more.
        return 2 * example if program.conditions else 2 * example + 1

    examples = {name: example for name, (_, _, example) in symbols.items()}
    if wanted is not None:
        for name, values in wanted.items():
            if name not in symbols:
                raise InputError(
                    f"{name!r} is no size of this artifact.",
                    f"Its sizes are {', '.join(symbols) or 'all fixed'}.",
                    argument=name,
                )
            low, high, _ = symbols[name]
            for value in values:
                if value < low or (high is not None and value > high):
                    raise InputError(
                        f"{name}={value} is outside of {low} <= {name}"
                        f"{'' if high is None else f' <= {high}'}.",
                        "Choose a size that the artifact was compiled for.",
                        argument=name,
                    )
        rounds = max((len(values) for values in wanted.values()), default=0)
        choices = [
            {**examples, **{n: v[min(i, len(v) - 1)] for n, v in wanted.items() if v}}
            for i in range(rounds)
        ]
    else:
        choices = [
            examples,
            {name: low for name, (low, _, _) in symbols.items()},
            {name: max(1, low) for name, (low, _, _) in symbols.items()},
            {
                name: larger(example) if high is None else min(high, larger(example))
                for name, (_, high, example) in symbols.items()
            },
            *(
                dict(zip(symbols, values, strict=True))
                for kernel in program.kernels
                for values, _ in kernel.sizes
            ),
        ]
    for position, choice in enumerate(choices):
        if choice not in choices[:position]:
            yield choice


def _shapes(report: Report | None, sizes: Mapping[str, int]) -> list[list[int] | None]:
    """The shape of every input at these sizes, None for those that are no tensors."""
    if report is None:
        raise VerifyError(
            "The artifact holds no report, which says how its inputs depend on the sizes.",
            "Save it with CompiledModel.save.",
        )
    return [
        [_evaluate(size, sizes) for size in value.shape] if value.kind == "tensor" else None
        for value in report.inputs
    ]


def _evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """A size such as ``2*seq + 1``, at these values. Raises `VerifyError` for other expressions."""
    try:
        return size_value(size, sizes)
    except InputError as error:
        raise VerifyError(error.what, error.hint) from error


# --- what came out -------------------------------------------------------------------------------


def _verdict(
    sizes: Mapping[str, int],
    judged: Mapping[str, Any],
    program: Program,
    found: Mapping[str, torch.Tensor] | None,
    saved: Mapping[str, torch.Tensor] | None,
) -> SizeVerdict:
    from .tolerance import END_TO_END, compare

    kernels = {name: int(k) for name, _, k in (e.partition(" ") for e in program.stitched)}
    problems = []
    if judged["wrong"]:
        problems.append(f"the whole model differs from eager in {judged['wrong']}")
    reference_error = None
    if found is not None and saved is not None:
        reference_error = 0.0
        for name, tensor in found.items():
            if name not in saved:
                problems.append(f"the reference has no {name}")
                continue
            error, within = compare(saved[name], tensor, factor=END_TO_END)
            reference_error = max(reference_error, error)
            if not within:
                problems.append(f"{name} differs from the reference by {error:.1e}")
    return SizeVerdict(
        sizes=tuple(sizes.items()),
        submodules=tuple(
            SubmoduleVerdict(name, kernels.get(name), error, passed, where)
            for name, error, passed, where in judged["submodules"]
        ),
        max_error=judged["error"],
        reference_error=reference_error,
        problems=tuple(problems),
    )


def _report(
    artifact: OpenArtifact,
    program: Program,
    attempts: Attempts,
    sizes: tuple[SizeVerdict, ...],
    notes: list[str],
) -> VerifyReport:
    native = attempts.native
    problems = [attempts.failure] if attempts.failure else []
    if native.get("before"):
        registrars = ", ".join(sorted({module for module in program.ops.values() if module}))
        notes.append(f"{registrars}, for its ops, imports {', '.join(native['before'])}")
    if native.get("modules"):
        problems.append(f"The native load imported {', '.join(native['modules'])}.")
    ways = native.get("ways", [])
    others = sum(way != "native" for way in ways)
    if others:
        problems.append(f"{others} of {len(ways)} kernels are not native.")
    return VerifyReport(
        path=artifact.path,
        digest=artifact.digest,
        load=native.get("load", 0.0),
        modules=tuple(native.get("modules", ())),
        ways=tuple(ways),
        notes=(*native.get("notes", ()), *notes),
        sizes=() if attempts.failure else sizes,
        problems=tuple(problems),
    )


# --- saved outputs -------------------------------------------------------------------------------


def _specification(program: Program) -> str:
    """Equal for artifacts whose made-up parameters and inputs are equal."""
    parts = [program.parameters, program.example, program.symbols]
    return sha256(json.dumps(parts, default=list).encode()).hexdigest()


def _named(sizes: Mapping[str, int], outputs: Sequence[Any]) -> dict[str, torch.Tensor]:
    return {
        f"{size_label(sizes)}: output {position}": value.contiguous()
        for position, value in enumerate(outputs)
        if isinstance(value, torch.Tensor)
    }


def _read_reference(file: str | os.PathLike[str], specification: str) -> dict[str, torch.Tensor]:
    path = os.fspath(file)
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise VerifyError(
            f"{path} holds no reference outputs: {error}.",
            "Write it with verify(..., write_reference=...), or --write-reference.",
            path=path,
        ) from error
    if metadata.get(_SPECIFICATION) != specification:
        raise ArtifactStale(
            f"{path} was written for an artifact with other parameters or inputs.",
            "Write the reference again, from this model.",
            path=path,
        )
    return tensors


# --- the command line ----------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """``verify PATH``: print the report; 0 when it passed, 1 otherwise."""
    options = _parser().parse_args(arguments)
    report = verify(
        options.path,
        reference=options.reference,
        write_reference=options.write_reference,
        sizes=read_sizes(options.sizes),
        trust=options.trust,
    )
    sys.stdout.write(f"{report}\n")
    return 0 if report.passed else 1


def read_sizes(texts: Sequence[str]) -> dict[str, list[int]] | None:
    """``["seq=2,64"]`` -> ``{"seq": [2, 64]}``. Raises `InputError`."""
    sizes: dict[str, list[int]] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        words = numbers.split(",")
        if not name.isidentifier() or not all(word.strip().isdigit() for word in words):
            raise InputError(f"{text!r} names no sizes.", "Write them as seq=2,64.", argument=text)
        sizes.setdefault(name, []).extend(int(word) for word in words)
    return sizes or None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ipy_fastcompile verify",
        description="Check that an artifact loads and computes without compiler and cache.",
    )
    parser.add_argument("path", help="an artifact file")
    parser.add_argument("--reference", metavar="FILE", help="compare with these outputs, too")
    parser.add_argument("--write-reference", metavar="FILE", help="save the outputs of eager")
    parser.add_argument(
        "--sizes", action="append", default=[], metavar="NAME=N[,N]", help="sizes to call at"
    )
    parser.add_argument("--trust", metavar="DIGEST", help="accept exactly the file sha256:...")
    return parser
