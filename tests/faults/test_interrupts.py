"""Ctrl-C in every stage of a compile: it takes effect, and the next one is as if it never was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.parts import ROOT

pytestmark = pytest.mark.slow

SCRIPT = """
import faulthandler, json, os, signal, sys, threading, time
faulthandler.dump_traceback_later(1100, exit=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs tests behind
import torch
from ipy_fastcompile.interrupts import import_whole
from ipy_fastcompile.runtime.fresh import measure_reloads

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Softmax(-1)).eval()
x = torch.randn(2, 4)
told = []

class Press:
    '''Interrupts when a module is looked for, once for each.'''
    def __init__(self, names):
        self.names = set(names)
    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            self.names.discard(name)
            os.kill(os.getpid(), signal.SIGINT)
        return None

def children():
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                name, rest = open(f"/proc/{entry}/stat").read().rsplit(")", 1)
            except OSError:
                continue
            state, parent = rest.split()[:2]
            if state != "Z":
                found.setdefault(int(parent), []).append((int(entry), name.partition("(")[2]))
    below, open_ = [], [os.getpid()]
    while open_:
        for pid, name in found.get(open_.pop(), []):
            below.append(name)
            open_.append(pid)
    return below

def press_when(ready):
    def wait():
        while not ready():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=wait, daemon=True).start()

def attempt(what, act):
    try:
        told.append([what, "done", act()])
    except KeyboardInterrupt:
        deadline = time.monotonic() + 30
        while children() and time.monotonic() < deadline:
            time.sleep(0.05)
        told.append([what, "interrupted", children()])

def compile(progress=None):
    import_whole("ipy_fastcompile.cache.cached")  # as the magics and fc.compile do
    from ipy_fastcompile.cache.cached import compile_cached
    result = compile_cached(model, (x,), progress=progress)
    good = torch.allclose(result.model(x), model(x), atol=1e-5)
    return [result.hit, all(k.native for k in result.model.report.kernels), good]

names = ["sympy.core.symbol", "torch._dynamo.exc", "torch._inductor.lowering"]
sys.meta_path.insert(0, Press(names))
for name in names:
    attempt(name, compile)

def at(stage):
    seen = []
    def progress(p):
        if p.stage == stage and not seen:
            seen.append(1)
            os.kill(os.getpid(), signal.SIGINT)
    return progress

attempt("capture", lambda: compile(at("capture")))
attempt("split", lambda: compile(at("split")))
press_when(lambda: any(name.startswith(("cc1plus", "g++", "c++")) for name in children()))
attempt("compiler", compile)
attempt("codegen", lambda: compile(at("codegen")))
attempt("pack", lambda: compile(at("pack")))
attempt("after", compile)
attempt("again", compile)
path = sys.argv[1]
from ipy_fastcompile.cache.cached import compile_cached
compile_cached(model, (x,)).model.save(path)
press_when(lambda: any(name.startswith("python") for name in children()))
attempt("reload", lambda: measure_reloads(path, ("native",), 1))
attempt("reload after", lambda: [r.error for r in measure_reloads(path, ("native",), 1)])
print(json.dumps(told))
"""


def test_each_stage_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "a.fastcompile")],
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    stopped = [what for what, how, _ in told if how == "interrupted"]
    assert stopped == [what for what, _, _ in told if "after" not in what and what != "again"]
    assert [left for _, how, left in told if how == "interrupted" and left] == []
    results = {what: result for what, how, result in told if how == "done"}
    # Interrupted compiles are no entries of the cache, and what is kept runs natively.
    assert results["after"] == [False, True, True]
    assert results["again"] == [True, True, True]
    assert results["reload after"] == [""]
