"""Artifact files -> what loading each of them ends in, and what was decoded on the way.

The loads run in one child process, which has the model of the fixture `tiny_model` and counts what
Python's audit hooks and profiler tell: unpicklers that are run, names that they look up, code
objects that are decoded, libraries that are opened.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipy_fastcompile.artifact import open_artifact, save_artifact

_CHILD = """
import importlib.machinery, json, pickle, platform, sys, warnings
import torch
import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.runtime import machine
from tests.tiny import TinyTransformer

request = json.loads(sys.argv[1])
if request["compiler"]:
    import torch._inductor  # its own imports unpickle
    from torch._inductor.standalone_compile import AOTCompiledArtifact
    from ipy_fastcompile.torch_compat.binaries import cpu_vector_isa
    cpu_vector_isa()  # compiles and opens a library, once in a process
torch.manual_seed(0)
model = TinyTransformer().eval()
ids = torch.arange(8).reshape(1, 8)
with torch.no_grad():
    expected = model(ids)
exec(request["before"])
warnings.simplefilter("ignore")

counts = {}
watched = {"pickle.find_class": "lookups", "marshal.loads": "code_objects",
           "ctypes.dlopen": "libraries", "os.system": "commands"}

def count(name):
    counts[name] = counts.get(name, 0) + 1

def listen(event, arguments):
    if event == "import" and "ipy_fastcompile_" in (arguments[1] or ""):  # our directory for them
        count("libraries")
    # Python itself decodes what it imports.
    if event in watched and not sys._getframe(1).f_code.co_filename.startswith("<frozen"):
        count(watched[event])

def observe(frame, event, function):
    if event == "c_call":
        of = getattr(function, "__self__", None)
        if function in (pickle.load, pickle.loads) or isinstance(of, pickle.Unpickler):
            count("unpicklers")

sys.addaudithook(listen)
found = []
for path, via, trust in request["loads"]:
    counts.clear()
    answer = {"error": None, "message": "", "own": True, "difference": None}
    sys.setprofile(observe)
    try:
        function = fc.load(path, model, via=via, trust=trust, **request["options"])
    except Exception as error:
        sys.setprofile(None)
        answer["error"], answer["message"] = type(error).__name__, str(error)
        answer["own"] = type(error).__module__ == errors.__name__
    else:
        sys.setprofile(None)
        given = function(ids)
        pairs = [(expected[name] - given[name]).abs().max().item() for name in expected]
        answer["difference"] = max(pairs, key=lambda x: (x != x, x))
        answer["ways"] = function.kernel_ways
    found.append({**answer, **counts})
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Outcome:
    """What one load ended in, and how often it did what.

    ``error`` is the name of the exception's class, "" for none, and ``own`` whether that class is
    one of `ipy_fastcompile.errors`. ``difference`` is the largest one from eager.
    """

    error: str
    message: str
    own: bool
    difference: float | None
    ways: tuple[str, ...]
    unpicklers: int
    lookups: int
    code_objects: int
    libraries: int
    commands: int

    @property
    def decoded(self) -> int:
        """How often bytes became objects or code."""
        return self.unpicklers + self.lookups + self.code_objects + self.libraries + self.commands

    @property
    def is_right(self) -> bool:
        """It loaded and computes what eager computes."""
        return self.difference is not None and self.difference < 1e-4


def load_all(
    loads: Iterable[tuple[Path, str, str | None]],
    *,
    compiler: bool = False,
    before: str = "",
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> list[Outcome]:
    """Each (path, reload path, pin), one after the other, in one child process.

    ``compiler`` imports Inductor and asks for its vector instructions before. ``before`` is run
    ahead of the first load, to make the machine another one. ``options`` are those of
    `ipy_fastcompile.load`.
    """
    request = {
        "loads": [(str(path), via, trust) for path, via, trust in loads],
        "compiler": compiler,
        "before": before,
        "options": options,
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(request)],
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counted = ("unpicklers", "lookups", "code_objects", "libraries", "commands")
    return [
        Outcome(
            row["error"] or "",
            row["message"],
            row["own"],
            row["difference"],
            tuple(row.get("ways", ())),
            **{name: row.get(name, 0) for name in counted},
        )
        for row in json.loads(done.stdout.splitlines()[-1])
    ]


def resave(
    source: Path, target: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]
) -> Path:
    """The artifact with other parts, signed by this user."""
    artifact = open_artifact(source, check_trust=False)
    added = {"format", "package", "created", "members"}
    manifest = {k: v for k, v in artifact.manifest.items() if k not in added}
    members = {name: artifact.read(name) for name in artifact.names}
    change(manifest, members)
    save_artifact(target, manifest, members)
    return target
