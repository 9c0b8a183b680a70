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
from .calls.captured import Captured
from .code.codegen import ExecutionCode
from .graph.split import SplitGraph
from .kernels.lowered import Lowered
from .pack import Packed, check_result_types
from .profile import profile_call
from .reloadable import ReloadableModel
from .report import build_report


class CompiledModel(ReloadableModel):
    """A compiled call: callable like the model, with everything about how it came to be.

    Attributes
    ----------
    captured, split_graph, lowered, code:
        What each stage made; each prints as text.
    parts:
        The artifact in memory.
    report:
        All of it as plain data, `records.Report`.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        lowered: Lowered,
        code: ExecutionCode,
        packed: Packed,
        stages: Sequence[StageRecord],
    ) -> None:
        super().__init__(model, packed, build_report(lowered, code, packed, stages))
        self.captured: Captured = lowered.split.captured
        self.split_graph: SplitGraph = lowered.split
        self.lowered = lowered
        self.code = code
        self.parts: Packed = packed

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> Report:
        """Time every line and submodule of a call, and measure the most memory alive at a time.

        Parameters
        ----------
        args, kwargs:
            The call to profile; without any, the example it was compiled from.
        runs:
            Calls that count, after a few more to warm up; every time is their median.

        Returns
        -------
        The report with ``seconds`` of lines and submodules, ``measured_peak`` (bytes) and
        ``profile``, which says what timing a line costs; that was subtracted. It becomes
        ``compiled.report``, too. The code that normally runs is not changed.

        Raises InputError when the call does not fit.
        """
        runs = asked_runs(runs)
        if not args and not kwargs:
            args, kwargs = self.captured.example_args, dict(self.captured.example_kwargs)
        leaves = self.function.flat.leaves(args, kwargs)
        self.report = profile_call(
            self.report, self.lowered, self.code, self.function, leaves, runs=runs
        )
        return self.report

    def write(self, file: str | os.PathLike[str]) -> SavedArtifact:
        """What `save` does, without noting in the report where."""
        check_result_types(self.parts)
        members = {**self.parts.members, REPORT: squeeze(self.report.to_json().encode())}
        return save_artifact(file, self.parts.manifest, members)
