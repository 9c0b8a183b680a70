"""calls to make -> what came out of them, in a native process and beside eager in another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ..children.ask import ask
from ..children.environment import child_environment
from ..errors import ChildError, ChildTimeout


@dataclass(frozen=True)
class Run:
    """A call of the program at a position: what to make up, and what came out or went wrong."""

    shapes: Sequence[Sequence[int] | int | None] | None
    integers: int
    program: int = 0
    problem: str = ""
    judgement: Mapping[str, Any] = field(default_factory=dict)
    expected: Sequence[Any] = ()
    found: Sequence[Any] = ()


class Attempts:
    """The native process and the one that judges it, as often as they are needed.

    ``native`` is what the first native process said of its load; ``failure`` why there is none, or
    why nothing could be judged; ``crashed`` whether a process ended without an answer.
    """

    def __init__(self, request: Mapping[str, Any], folder: str, timeout: float) -> None:
        self._request = request
        self._folder = folder
        self._timeout = timeout
        self._count = 0
        self.native: dict[str, Any] = {}
        self.failure = ""
        self.crashed = False

    def run(self, runs: Sequence[Run]) -> list[Run]:
        """Record and judge these calls; each comes back with its results or its problem."""
        self.failure = ""
        asked: list[dict[str, Any]] = [
            {
                "program": run.program,
                "shapes": run.shapes,
                "integers": run.integers,
                "file": self._file(),
            }
            for run in runs
        ]
        native = self._process("ipy_fastcompile.verification.recording", asked)
        if "error" in native:
            self.failure = f"It does not load: {native['error']}"
            return [replace(run, problem=self.failure) for run in runs]
        self.native = self.native or native
        problems = native["problems"]
        done = [entry for entry, problem in zip(asked, problems, strict=True) if not problem]
        judged = self._process("ipy_fastcompile.verification.reference", done)
        if "error" in judged:
            self.failure = f"The FX graph cannot be run: {judged['error']}"
            return [replace(run, problem=self.failure) for run in runs]
        judgements = iter(judged["verdicts"])
        finished = []
        for run, entry, problem in zip(runs, asked, problems, strict=True):
            judgement = {} if problem else next(judgements)
            if "cannot" in judgement:
                problem = f"eager itself cannot run it: {judgement['cannot']}"
            if problem:
                finished.append(replace(run, problem=problem))
                continue
            values = torch.load(entry["file"], weights_only=True)
            finished.append(replace(run, judgement=judgement, **values))
        return finished

    def _file(self) -> str:
        self._count += 1
        return str(Path(self._folder) / f"{self._count}.pt")

    def _process(self, module: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One bare process: what it answers, or ``{"error": ...}``."""
        self._count += 1
        empty = Path(self._folder) / f"empty_{self._count}"
        empty.mkdir()
        # Threads that wait for work by spinning make every call crawl on a busy machine.
        environment = {"OMP_WAIT_POLICY": "passive", **child_environment(str(empty))}
        request = {**self._request, "runs": runs}
        try:
            return ask(["-m", module], request, environment=environment, timeout=self._timeout)
        except ChildError as error:
            self.crashed |= not isinstance(error, ChildTimeout)
            return {"error": f"the process {error.brief}"}
