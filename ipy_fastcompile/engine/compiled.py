"""what each stage made -> CompiledModel, which is called like the model and tells all of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ..artifact import SavedArtifact, save_artifact
from ..artifact.inspect import REPORT
from ..artifact.squeeze import squeeze
from ..records import Report, StageRecord
from .calls.asked import asked_runs
from .calls.asked_kinds import Asked
from .pack import Packed, check_result_types
from .profile import profile_call
from .program import CompiledProgram
from .reloadable import ReloadableModel
from .report import build_report, with_program


class CompiledModel(ReloadableModel):
    """A compiled call: callable like the model, with everything about how it came to be.

    Attributes
    ----------
    captured, split_graph, lowered, code:
        What each stage made; each prints as text. Of several programs, those of the first.
    programs:
        The same for all of them, the first included.
    kinds:
        What each of them was compiled of.
    parts:
        The artifact in memory.
    report:
        All of it as plain data, `records.Report`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        kinds: Sequence[Asked],
        programs: Sequence[CompiledProgram],
        packed: Packed,
        stages: Sequence[StageRecord],
    ) -> None:
        super().__init__(model, packed, build_report(programs, packed, stages))
        self.kinds = tuple(kinds)
        self.programs = tuple(programs)
        first = programs[0]
        self.captured = first.captured
        self.split_graph = first.split_graph
        self.lowered = first.lowered
        self.code = first.code
        self.parts: Packed = packed

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> Report:
        """Time every line and submodule of a call, and measure the most memory alive at a time.

        The call runs in eager, too, in turn with the compiled one; and every submodule that runs a
        kernel is timed beside its graph, which eager runs op by op on the same inputs.

        Parameters
        ----------
        args, kwargs:
            The call to profile; without any, the example it was compiled from. Of several
            programs, it is the one that the call runs, or each with its own example.
        runs:
            Calls that count, after a few more to warm up; every time is their median.

        Returns
        -------
        The report with ``seconds`` of lines and submodules, ``measured_peak`` (bytes), ``eager``,
        and ``profile``, which has the submodules beside eager, the memory of both, and what timing
        a line costs; that was subtracted. It becomes
        ``compiled.report``, too. The code that normally runs is not changed.

        Raises InputError when the call does not fit.
        """
        runs = asked_runs(runs)
        chosen = self.function.program_of(args, kwargs) if args or kwargs else None
        functions = self.function.programs.values()
        for position, (program, function) in enumerate(zip(self.programs, functions, strict=True)):
            if chosen not in (None, function):
                continue
            captured = program.captured
            example = captured.example_args, dict(captured.example_kwargs)
            call = example if chosen is None else (args, kwargs)
            known = self.report.programs[position] if self.report.programs else self.report
            with self.kinds[position].surroundings():
                profiled = profile_call(known, program, function, self._model, call, runs=runs)
            self.report = with_program(self.report, position, profiled)
        return self.report

    def write(self, file: str | os.PathLike[str]) -> SavedArtifact:
        """What `save` does, without noting in the report where."""
        check_result_types(self.parts)
        members = {**self.parts.members, REPORT: squeeze(self.report.to_json().encode())}
        return save_artifact(file, self.parts.manifest, members)
