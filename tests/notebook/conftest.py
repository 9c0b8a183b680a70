"""An IPython shell without history, and magics whose compiler a test may have replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output

from ipy_fastcompile.cache import cached
from ipy_fastcompile.comparing import compare
from ipy_fastcompile.engine import again
from ipy_fastcompile.foreign import inspect
from ipy_fastcompile.notebook.compile_magic import FastCompileMagics
from ipy_fastcompile.notebook.magics import register, unregister
from ipy_fastcompile.records import Progress, Standing
from ipy_fastcompile.runtime import load
from ipy_fastcompile.verification import compared
from tests.shells import own_shell
from tests.unit.show.sample import sample_report


@pytest.fixture
def shell(own_home: Path) -> Iterator[InteractiveShell]:
    with own_shell() as shell:
        yield shell


@pytest.fixture
def model(shell: InteractiveShell) -> Any:
    """A function in the place of a model, `model` in cells: nothing has to be compiled."""

    def model(x: int, by: int = 10) -> int:
        return x * by

    shell.user_ns["model"] = model
    return model


@pytest.fixture
def real(shell: InteractiveShell, tiny_model: Any, tiny_ids: Any) -> Any:
    """The magics with the compiler that they have, and in cells a tiny model and its input."""
    shell.user_ns.update(model=tiny_model, ids=tiny_ids, torch=torch)
    yield register(shell)
    unregister(shell)


@dataclass
class FakeWidget:
    closed: bool = False
    standings: list[Standing] = field(default_factory=list)

    def close(self) -> None:
        self.closed = True

    def show_race(self, standing: Standing) -> None:
        self.standings.append(standing)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "the explorer"}


@dataclass
class FakeCompiled:
    model: Any
    report: Any = field(default_factory=lambda: sample_report(1))
    saved: list[Path] = field(default_factory=list)
    save_error: Exception | None = None
    installed_in: list[Any] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)

    @contextmanager
    def installed(self, model: Any) -> Iterator[None]:
        self.installed_in.append(model)
        yield

    def save(self, path: Path) -> None:
        if self.save_error is not None:
            raise self.save_error
        self.saved.append(path)

    def explore(self) -> FakeWidget:
        return FakeWidget()


@dataclass(frozen=True)
class FakeLoaded:
    programs: dict[str, Any]

    def __call__(self, x: Any) -> str:
        return f"loaded {x}"


@dataclass
class FakeRace:
    """A race that goes on when a test says so."""

    compiled: FakeCompiled
    tell: Any
    ends: str
    stopped: list[str] = field(default_factory=list)

    def go(self, done: int, state: str = "running") -> Standing:
        records = sample_report(1).reloads[:done]
        problem = "" if state in ("running", "done") else "the disk is full"
        standing = Standing(state, records, done, 3, "fx", problem=problem)
        self.tell(standing)
        return standing

    def wait(self) -> Standing:
        self.go(1)
        return self.go(3, self.ends)

    def stop(self, why: str) -> None:
        self.stopped.append(why)


@dataclass
class Recorder:
    """Stands for the functions that the magics call: records what is asked, compiles nothing."""

    compiled: list[tuple[Any, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = field(
        default_factory=list
    )
    results: list[FakeCompiled] = field(default_factory=list)
    cache: list[tuple[bool, bool]] = field(default_factory=list)  # (force, assert_warm)
    explained: list[bool] = field(default_factory=list)
    raced: list[dict[str, Any]] = field(default_factory=list)
    races: list[FakeRace] = field(default_factory=list)
    race_ends: str = "done"
    loaded: list[tuple[Path, Any, dict[str, Any]]] = field(default_factory=list)
    error: Exception | None = None
    save_error: Exception | None = None
    difference: str = ""  # what a comparison with eager finds
    hit: bool = False
    programs: tuple[str, ...] = ("",)  # of what is loaded
    unraced: bool = False  # the report of a compile holds no race yet
    asked: int = 0  # comparisons beside that of the compile

    def compile(self, model: Any, args: Any, kwargs: Any, **options: Any) -> SimpleNamespace:
        progress = options.pop("progress")
        self.cache.append((options.pop("force"), options.pop("assert_warm")))
        self.explained.append(options.pop("explain"))
        progress(Progress("capture", 0, 1))
        progress(Progress("lower", 1, 3, "submod_4"))
        if self.error is not None:
            raise self.error
        self.compiled.append((model, args, kwargs, options))
        self.results.append(FakeCompiled(model, save_error=self.save_error))
        told: dict[str, Any] = {"cache": "hit"} if self.hit else {"difference": self.difference}
        if self.unraced:
            told["reloads"] = ()
        self.results[-1].report = replace(self.results[-1].report, **told)
        return SimpleNamespace(model=self.results[-1])

    def compared(self, compiled: FakeCompiled, *_: Any, **__: Any) -> Any:
        self.asked += 1
        return replace(compiled.report, difference=self.difference)

    def begin_race(self, compiled: FakeCompiled, tell: Any, **options: Any) -> FakeRace:
        self.raced.append(options)
        self.races.append(FakeRace(compiled, tell, self.race_ends))
        return self.races[-1]

    def load(self, path: Path, model: Any, **options: Any) -> Any:
        if self.error is not None:
            raise self.error
        self.loaded.append((path, model, options))
        return FakeLoaded(dict.fromkeys(self.programs, SimpleNamespace(takes="x int64[n]")))

    def inspect(self, path: Path) -> str:
        if self.error is not None:
            raise self.error
        return f"what is in {path}"

    def compare(self, path: Path, other: Path) -> str:
        return f"{path} against {other}"


@pytest.fixture
def magics(shell: InteractiveShell) -> Iterator[FastCompileMagics]:
    yield register(shell)
    unregister(shell)


@pytest.fixture
def api(magics: FastCompileMagics, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A recorder in the place of each function that the magics call."""
    recorder = Recorder()
    for module, name, stand_in in (
        (cached, "compile_cached", recorder.compile),
        (compared, "compared", recorder.compared),
        (again, "begin_race", recorder.begin_race),
        (load, "load", recorder.load),
        (inspect, "inspect", recorder.inspect),
        (compare, "compare", recorder.compare),
    ):
        monkeypatch.setattr(module, name, stand_in)
    return recorder


@dataclass
class Cell:
    """What running a cell left behind."""

    value: Any
    error: BaseException | None
    io: CapturedIO

    @property
    def printed(self) -> str:
        """Standard output without colours."""
        return re.sub(r"\x1b\[[\d;]*m", "", self.io.stdout)

    @property
    def plain(self) -> list[str]:
        """The text/plain of every output, updates included."""
        return [output.data.get("text/plain", "") for output in self.io.outputs]


@pytest.fixture
def run(shell: InteractiveShell) -> Any:
    """Run a cell as a user does."""

    def run_cell(text: str) -> Cell:
        with capture_output() as io:
            result = shell.run_cell(text)
        return Cell(result.result, result.error_before_exec or result.error_in_exec, io)

    return run_cell
