"""What Inductor refuses runs uncompiled, alone, and is said: at once, first, and when saved."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine.kernels import native
from ipy_fastcompile.engine.kernels.culprit import is_of_the_machine
from ipy_fastcompile.errors import FastCompileWarning, KernelError
from ipy_fastcompile.show.explorer import Explorer
from ipy_fastcompile.show.html import render_html
from ipy_fastcompile.show.text import render_text
from ipy_fastcompile.torch_compat import inductor


class Beginning(nn.Module):
    """Takes as many rows as a tensor says, which Inductor's slicing does not lower (2.13)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.first(x)) + 1
        return self.last(y[: n.item()]).sum(0)


def compiled_with_warnings(model: Any, args: Any) -> tuple[Any, list[str]]:
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        compiled = fc.compile(model, args)
    return compiled, [str(w.message) for w in caught if w.category is FastCompileWarning]


def refuse_op(patch: pytest.MonkeyPatch, name: str) -> None:
    """Inductor refuses every graph with an op of this name, as one would that has a bug."""
    real = inductor.compile_submodule

    def compile_submodule(graph_module: Any, *rest: Any, **options: Any) -> bytes:
        calls = [n for n in graph_module.graph.nodes if n.op == "call_function"]
        if any(name in str(node.target) for node in calls):
            raise RuntimeError(f"a pass of Inductor tripped\nover {name}")
        return real(graph_module, *rest, **options)

    patch.setattr(inductor, "compile_submodule", compile_submodule)


@pytest.fixture(scope="module")
def one_apart() -> Any:
    model, x = Beginning().eval(), torch.randn(5, 6)
    with pytest.MonkeyPatch.context() as patch:
        refuse_op(patch, "relu")
        return model, *compiled_with_warnings(model, (x, torch.tensor(3)))


def test_only_the_refused_node_runs_uncompiled(one_apart: Any) -> None:
    model, compiled, _ = one_apart
    inlined = [sub for sub in compiled.report.submodules if sub.inlined]
    reasons = [sub.reason for sub in inlined]
    assert any(r.startswith("not compiled aten::relu: RuntimeError: a pass") for r in reasons)
    assert all(sub.n_nodes == 1 for sub in inlined)
    assert len(compiled.report.kernels) >= 2
    with torch.no_grad():
        for rows in (2, 4):
            call = torch.randn(5, 6), torch.tensor(rows)
            torch.testing.assert_close(compiled(*call), model(*call))


def test_what_runs_uncompiled_is_the_first_line_of_all_that_is_shown(one_apart: Any) -> None:
    _, compiled, said = one_apart
    report = compiled.report
    total = len(report.submodules)
    first = (
        rf"2 of {total} submodules run uncompiled: submod_\d, aten::relu: .*; submod_\d, aten::sl"
    )
    assert re.match(first, report.alarms[0])
    assert [s for s in said if "uncompiled" in s] == [report.alarms[0]]
    assert render_text(report).splitlines()[0] == report.alarms[0]
    page = render_html(report)
    assert page.index("submodules run") < page.index(report.model)
    assert repr(Explorer(report)).startswith(report.alarms[0])


def test_saving_says_it_again(one_apart: Any, tmp_path: Path) -> None:
    compiled = one_apart[1]
    with pytest.warns(FastCompileWarning, match="was saved.*run uncompiled"):
        compiled.save(tmp_path / "a")


def test_a_failure_of_the_machine_is_no_nodes_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def no_compiler(*_: Any, **__: Any) -> bytes:
        attempts.append(1)
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

    monkeypatch.setattr(inductor, "compile_submodule", no_compiler)
    compiled, said = compiled_with_warnings(
        nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval(), (torch.ones(2, 4),)
    )
    assert len(attempts) == 1
    assert compiled.report.alarms[0].startswith("1 of 1 submodules runs uncompiled: submod_0, Runt")
    assert said == list(compiled.report.alarms)
    assert is_of_the_machine(OSError(28, "No space left on device"))
    wrapped = RuntimeError("a pass failed")
    wrapped.__cause__ = MemoryError()
    assert is_of_the_machine(wrapped)
    assert is_of_the_machine(RuntimeError("CppCompileError: C++ compile error: Killed"))
    assert not is_of_the_machine(ValueError("The argument 'None' is not comparable."))
    bad = "CppCompileError: C++ compile error\n/tmp/a.main.cpp:10:46: error: 'ks2' was not declared"
    assert not is_of_the_machine(RuntimeError(bad))  # the compiler works, on bad code


@pytest.fixture(scope="module")
def not_native(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A compile of which a kernel has no native form, and the file that it was saved to."""
    path = tmp_path_factory.mktemp("saved") / "a"
    model = nn.Sequential(nn.Linear(4, 4), nn.GELU()).eval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "obstacles_of", lambda _: ["it calls aten::made_up"])
        compiled, said = compiled_with_warnings(model, (torch.ones(2, 4),))
    with pytest.warns(FastCompileWarning, match="was saved.*not native"):
        compiled.save(path)
    return model, path, compiled, said


def test_what_is_not_native_is_said_with_what_that_means(not_native: Any) -> None:
    _, _, compiled, said = not_native
    assert said == list(compiled.report.alarms)
    assert said[0].startswith(
        "1 of 1 kernels is not native: kernel_0, it calls aten::made_up. PyTorch's own loader"
    )
    assert "needs a C++ compiler" in said[0]


def test_a_load_without_a_compiler_gives_advice_that_works(
    not_native: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path, *_ = not_native

    def no_compiler(_: bytes) -> Any:
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

    monkeypatch.setattr(inductor, "deserialize_kernel", no_compiler)
    with pytest.raises(KernelError) as caught:
        fc.load(path, model)
    assert "it calls aten::made_up; so a C++ compiler has to build it here." in caught.value.hint
    assert "native path" not in caught.value.hint
    assert "recompile" not in caught.value.hint
    monkeypatch.undo()
    x = torch.randn(2, 4)
    with torch.no_grad():
        torch.testing.assert_close(fc.load(path, model)(x), model(x))
