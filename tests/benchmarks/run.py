"""Options -> one run of the bench: its folder, its children, and the document that it fills.

The document is written after every measurement, so that an interrupted run loses nothing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ipy_fastcompile.artifact import open_artifact
from ipy_fastcompile.artifact.schema import read_program
from tests.benchmarks.answers import enough
from tests.benchmarks.children import run_child
from tests.benchmarks.families import Spec
from tests.benchmarks.machine import describe, load_average
from tests.benchmarks.options import Options

PATHS = ("fx", "torch", "native")
# How a reload is run: with the caches of the compile, or with none and no compiler; and its path.
Way = tuple[str, str]
KEPT: tuple[Way, ...] = tuple(("kept", path) for path in PATHS)
SHIPPED: tuple[Way, ...] = tuple(("shipped", path) for path in PATHS)
_COLD = ("-m", "tests.benchmarks.cold")
_RELOAD = ("-m", "ipy_fastcompile.runtime.child")


@dataclass
class Run:
    """One run. ``document`` is plain data; ``write`` brings it to the files that were asked for."""

    options: Options
    write: Callable[[Run], None]
    document: dict[str, Any] = field(default_factory=dict)
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start(self) -> None:
        """Say where and with what this runs, and let torch make what all compiles share."""
        self.say("machine")
        self.document |= {
            "command": self.options.command,
            "started": _now(),
            "finished": None,
            "load average": [load_average()],
            **describe(self.options),
            "inductor cache": str(self.options.inductor_cache or ""),
            "results": {},
        }
        self.write(self)

    def finish(self) -> None:
        """Note the time and write the document."""
        self.document["finished"] = _now()
        self.document["load average"].append(load_average())
        self.write(self)

    def store(self, part: str, value: Any) -> None:
        """Put a result into the document, and write it."""
        self.document["results"][part] = value
        self.write(self)

    def say(self, text: str) -> None:
        """Tell what is measured now, on standard error."""
        if not self.options.quiet:
            sys.stderr.write(f"{_now()[11:19]}  {text}\n")
            sys.stderr.flush()

    def spec(self, family: str, layers: int, **changes: Any) -> Spec:
        """A specification with the width, device and dtype of this run."""
        options = self.options
        given = {"hidden": options.hidden, "device": options.device, "dtype": options.dtype}
        return Spec(family, layers, **{**given, **changes})

    def child(
        self, program: Sequence[str], request: Mapping[str, Any], *, cache: Path | None
    ) -> dict[str, Any]:
        """One child of this run, under its time limit."""
        return run_child(program, request, cache=cache, timeout=self.options.timeout)

    def cache_for(self, spec: Spec, *, shared: bool) -> Path:
        """Inductor's cache: empty at the start for each specification, or one for all depths."""
        if self.options.inductor_cache is not None:
            return self.options.inductor_cache
        return self.options.folder / ("shared" if shared else spec.name) / "inductor"

    def once(self, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``measure`` answered the first time in this run that ``key`` was asked for."""
        if key not in self._known:
            self._known[key] = measure()
        return self._known[key]

    @contextmanager
    def empty_folder(self) -> Iterator[Path]:
        """A folder that is gone afterwards, for an Inductor cache that holds nothing."""
        with tempfile.TemporaryDirectory(dir=self.options.folder, prefix="empty-") as name:
            yield Path(name)

    def cold(self, spec: Spec, *, shared: bool = False) -> dict[str, Any]:
        """Compile and save a specification in a fresh process, once in a run.

        With ``shared`` the Inductor cache is that of all other depths, and what a process imports
        on its first compile is there already: what is left depends on the size of the graph.
        The answer has the ``path`` of the artifact and its ``cache``, or an ``error``.
        """
        if shared:
            # Two layers are a first, a middle and a last piece: all kernels that any depth has.
            small = Spec(**{**spec.to_data(), "layers": min(2, spec.layers)})
            self.once(f"fill {small.name}", lambda: self._compile(small, shared=True))
        return self.once(f"cold {spec.name} {shared}", lambda: self._compile(spec, shared=shared))

    def _compile(self, spec: Spec, *, shared: bool) -> dict[str, Any]:
        self.say(f"{spec.name}: cold compile{', Inductor cache shared' if shared else ''}")
        folder = self.options.folder / ("shared" if shared else spec.name)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{spec.name}.fastcompile"
        cache = self.cache_for(spec, shared=shared)
        request = {"spec": spec.to_data(), "path": str(path), "warm_up": shared}
        result = self.child(_COLD, request, cache=cache)
        return {**result, "spec": spec.to_data(), "path": str(path), "cache": str(cache)}

    def reloads(
        self, cold: Mapping[str, Any], ways: Sequence[Way], *, runs: int
    ) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """Fresh processes that load an artifact: mode -> path -> the answers of its runs.

        The ways alternate, so that a machine that gets slower does it to all of them; each is
        first in its turn. A way that fails is not tried again, and its last answer has an
        ``error``; one that takes seconds is run twice.
        """
        path = cold["path"]
        modules = _op_modules(path)
        found: dict[str, dict[str, list[dict[str, Any]]]] = {mode: {} for mode, _ in ways}
        for mode, via in ways:
            found[mode][via] = []
        for number in range(runs):
            turn = number % len(ways)
            for mode, via in (*ways[turn:], *ways[:turn]):
                answers = found[mode][via]
                if enough(answers, runs):
                    continue
                self.say(f"{Path(path).stem}: reload {via}, {mode}, {number + 1} of {runs}")
                request = {"path": path, "via": via, "trust": None, "modules": modules}
                cache = None if mode == "shipped" else Path(cold["cache"])
                answers.append(self.child(_RELOAD, request, cache=cache))
        return found


def _op_modules(path: str) -> list[str]:
    """Modules that register ops of this artifact: the child imports them on our word."""
    ops = read_program(open_artifact(path).manifest, path).ops
    return sorted({module for module in ops.values() if module and module != "__main__"})


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Replace the file by the document, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    temporary.replace(path)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
