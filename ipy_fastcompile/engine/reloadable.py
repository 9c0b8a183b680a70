"""parts + report -> a model to call, save and look at: what a compile and a cache hit share."""

from __future__ import annotations

import functools
import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..artifact import SavedArtifact
from ..artifact.described import describe_programs
from ..artifact.schema import read_programs
from ..errors import NotPicklable, warn_user
from ..records import ArtifactRecord, ReloadRecord, Report
from ..runtime import beside
from ..runtime.again import SAVE_FIRST
from ..runtime.fresh import measure_reloads
from ..runtime.load import load_parts
from ..runtime.loaded import LoadedFunction
from ..runtime.parts import Parts
from ..torch_compat import surroundings
from ..views import view_of
from .again import race_again


class ReloadableModel(ABC):
    """A model that was compiled, now or earlier: callable like the model itself.

    Attributes
    ----------
    parts:
        The artifact in memory.
    report:
        Everything that is known about it as plain data, `records.Report`.
    """

    def __init__(self, model: Callable[..., Any], parts: Parts, report: Report) -> None:
        self.parts = parts
        self.report = report
        self._model = model
        self._function: LoadedFunction | None = None

    @property
    def execution_code(self) -> str:
        """The generated Python that runs the model: the source of truth of a warm reload."""
        return self.report.execution_code

    @property
    def function(self) -> LoadedFunction:
        """The callable, loaded along the native path from memory, with the model's weights."""
        if self._function is None:
            types = getattr(self.parts, "types", None)  # a compile of this process knows them
            self._function = load_parts(self.parts, self._model, types=types)
        return self._function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled model: same structure and numbers as the model's own call."""
        return self.function(*args, **kwargs)

    def installed(
        self, model: torch.nn.Module, *, strict: bool = False
    ) -> AbstractContextManager[None]:
        """While this lasts, ``model(...)`` runs what was compiled; see `LoadedFunction.installed`.

        ``model`` is the one that was compiled.
        """
        return self.function.installed(model, strict=strict)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse to be pickled or copied, in words: a file is made for that."""
        what = f"A {type(self).__name__} cannot be pickled or copied."
        raise NotPicklable(what, SAVE_FIRST)

    def save(self, file: str | os.PathLike[str]) -> ArtifactRecord:
        """Write the artifact: one file, replaced only when the new one is complete.

        A FastCompileWarning says what the report's first line says, what is not compiled for one.

        Raises SaveError when it cannot be written; what was there before is untouched.
        """
        saved = self.write(file)
        for alarm in self.report.alarms:
            warn_user(f"{saved.path} was saved. {alarm}")
        graphs = {p.fx for p in read_programs(self.parts.manifest, self.parts.path)}
        fx_size = sum(len(self.parts.view(fx)) for fx in graphs)
        record = ArtifactRecord(saved.path, saved.digest, saved.size, fx_size, saved.signed)
        self.report = replace(self.report, artifact=record)
        return record

    @abstractmethod
    def write(self, file: str | os.PathLike[str]) -> SavedArtifact:
        """What `save` does, without noting in the report where."""

    def time_reloads(self, *, shipped: bool = False, runs: int = 3) -> tuple[ReloadRecord, ...]:
        """Time a warm reload in fresh processes, along each path, and wait for it.

        ``shipped`` times it as on a machine without a compiler and with an empty Inductor cache.
        The records become part of `report`. A race that runs beside this process is stopped.
        """
        beside.stop(beside.NEXT_RACE)
        with tempfile.TemporaryDirectory(prefix="ipy_fastcompile_") as folder:
            path = Path(folder) / "timed.fastcompile"
            self.write(path)
            records = measure_reloads(path, runs=runs, shipped=shipped)
        self.report = self.report.with_reloads(records)
        return records

    def explore(self) -> Any:
        """The explorer widget, for a notebook; its "run again" button races the reload paths.

        The widget does not keep the model or this object alive; see `engine.again`.
        """
        from ..show.explorer import Explorer

        return Explorer(self.report, functools.partial(race_again, weakref.ref(self), self.report))

    def __repr__(self) -> str:
        programs = read_programs(self.parts.manifest, self.parts.path)
        return f"<{type(self).__name__}: {describe_programs(programs)}>"

    def __str__(self) -> str:
        return str(self.report)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("ReloadableModel._repr_mimebundle_")(self)
        return bundle


surroundings.hide_from_dynamo(ReloadableModel.__call__, "it runs kernels that are compiled already")
