"""artifact -> does it load and compute where nothing but torch is: the check before it is shipped.

One process, with an empty ``PATH``, no compiler and an empty Inductor cache, loads the artifact
along the native path and calls it with made-up parameters and inputs at several sizes. Another one
decodes the FX graph and computes the same, op by op in eager. They are compared per submodule, in
every program.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import torch

from ..artifact import OpenArtifact, open_artifact
from ..artifact.inspect import ArtifactInfo
from ..artifact.schema import Program, read_programs
from .process import Attempts, Run
from .report import SizeVerdict, SubmoduleVerdict, VerifyReport, call_label
from .saved import named_outputs, read_reference, specification_of, write_outputs
from .sizes import choose_calls, is_unasked, shapes_at
from .tolerance import END_TO_END, compare


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
    programs = read_programs(artifact.manifest, artifact.path)
    report = ArtifactInfo(artifact).report
    reports = (report.programs or (report,)) if report else (None,) * len(programs)
    wanted = list(choose_calls(programs, sizes))
    specification = specification_of(programs)
    saved = read_reference(reference, specification) if reference is not None else None
    with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as folder:
        registrars = {module for program in programs for module in program.ops.values()}
        modules = sorted(m for m in registrars if m and m != "__main__")
        request = {"path": artifact.path, "trust": trust, "modules": modules}
        # Different integers tell positions apart; where only zeros are indices, zeros it is.
        attempts = Attempts(request, folder, timeout)
        asked = [
            Run(shapes_at(reports[at], size) if size else None, integers=1, program=at)
            for at, size in wanted
        ]
        runs = attempts.run(asked)
        again = [
            position
            for position, ((_, size), run) in enumerate(zip(wanted, runs, strict=True))
            if run.problem and not is_unasked(size, sizes, run.problem)
        ]
        if again and (attempts.crashed or not attempts.failure):
            retried = attempts.run([replace(asked[position], integers=0) for position in again])
            runs = [*runs]
            for position, run in zip(again, retried, strict=True):
                runs[position] = run
        results: list[SizeVerdict] = []
        outputs: dict[str, torch.Tensor] = {}
        notes: list[str] = []
        for (at, size), run in zip(wanted, runs, strict=True):
            name, values = programs[at].name, tuple(size.items())
            if run.problem and is_unasked(size, sizes, run.problem):
                notes.append(f"{call_label(name, size)} is not compared: {run.problem}")
            elif run.problem:
                results.append(SizeVerdict(values, problems=(run.problem,), program=name))
            else:
                outputs |= named_outputs(name, size, run.expected)
                found = None if saved is None else named_outputs(name, size, run.found)
                results.append(_verdict(size, run.judgement, programs[at], found, saved))
    if write_reference is not None:
        write_outputs(outputs, write_reference, specification)
    return _report(artifact, registrars, attempts, tuple(results), notes)


def _verdict(
    sizes: Mapping[str, int],
    judged: Mapping[str, Any],
    program: Program,
    found: Mapping[str, torch.Tensor] | None,
    saved: Mapping[str, torch.Tensor] | None,
) -> SizeVerdict:
    kernels = program.stitched
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
        program=program.name,
    )


def _report(
    artifact: OpenArtifact,
    registrars: Set[str],
    attempts: Attempts,
    sizes: tuple[SizeVerdict, ...],
    notes: list[str],
) -> VerifyReport:
    native = attempts.native
    problems = [attempts.failure] if attempts.failure else []
    if native.get("before"):
        named = ", ".join(sorted(filter(None, registrars)))
        notes.append(f"{named}, for its ops, imports {', '.join(native['before'])}")
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
