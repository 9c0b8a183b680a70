"""C++ kernels are built while the next submodule is lowered, and waited for before their use."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import FastCompileWarning
from ipy_fastcompile.torch_compat import ahead, inductor
from tests.tiny import everything

X = torch.linspace(-1, 1, 12).reshape(3, 4)


class ThreeKinds(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x).mul(2).cumsum(0).add(1.25)


def test_a_build_goes_on_while_the_next_submodule_is_lowered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []
    lowered, wait = inductor.compile_submodule, ahead.Builds.wait

    def compile_submodule(*args: Any, **kwargs: Any) -> bytes:
        events.append("lowered")
        return lowered(*args, **kwargs)

    def waited(self: ahead.Builds) -> None:
        assert self._waiting
        events.append("waited")
        wait(self)

    monkeypatch.setattr(inductor, "compile_submodule", compile_submodule)
    monkeypatch.setattr(ahead.Builds, "wait", waited)
    model = ThreeKinds().eval()
    compiled = fc.compile(model, (X,), split_at=["aten::mul", "aten::cumsum"], explain=True)
    count = len(compiled.report.kernels)
    assert count >= 2
    assert events == sorted(events)
    assert events.count("waited") == count <= events.count("lowered")
    assert all(kernel.native for kernel in compiled.report.kernels)
    torch.testing.assert_close(compiled(X), model(X))


def test_what_the_compiler_says_of_one_kernel_costs_that_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait, seen = ahead.Builds.wait, []

    def fails_once(self: ahead.Builds) -> None:
        seen.append(self)
        if len(seen) == 1:
            raise RuntimeError("g++: internal compiler error")
        wait(self)

    monkeypatch.setattr(ahead.Builds, "wait", fails_once)
    model = ThreeKinds().eval()
    with pytest.warns(FastCompileWarning, match="internal compiler error"):
        compiled = fc.compile(model, (X,), split_at=["aten::mul", "aten::cumsum"], explain=True)
    assert [sub.inlined for sub in compiled.report.submodules].count(True) >= 1
    assert compiled.report.kernels
    torch.testing.assert_close(compiled(X), model(X))


def test_inductor_waits_as_before_when_a_compile_is_over() -> None:
    from torch._inductor.async_compile import AsyncCompile

    before, watching = AsyncCompile.wait, ahead.Builds().under_way()
    watching.__enter__()
    assert AsyncCompile.wait is not before
    assert not watching.__exit__(KeyError, KeyError(), None)
    assert AsyncCompile.wait is before


def test_what_is_tuned_on_a_gpu_is_waited_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.async_compile import AsyncCompile
    from torch._inductor.codecache import LambdaFuture

    waited: list[dict[str, Any]] = []
    monkeypatch.setattr(AsyncCompile, "wait", lambda _, scope: waited.append(scope))
    builds, later, now = ahead.Builds(), {"cpp": LambdaFuture(list)}, {"triton": LambdaFuture(list)}
    now["triton"].future = object()  # type: ignore[assignment]
    with builds.under_way():
        AsyncCompile().wait(later)
        AsyncCompile().wait(now)
    assert waited == [now]
    builds.wait()
    assert waited == [now, later]


def test_a_machine_is_probed_once_for_all_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(ahead, "_BEGUN", threading.Event())
    monkeypatch.setattr(ahead, "_probe", lambda: asked.append(threading.current_thread().name))
    for _ in range(3):
        ahead.probe_ahead()
    for thread in threading.enumerate():
        if thread.name == "ipy_fastcompile probe":
            thread.join()
    assert asked == ["ipy_fastcompile probe"]


def test_a_machine_without_a_compiler_is_probed_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torch._inductor import cpu_vec_isa

    def no_compiler() -> None:
        raise RuntimeError("InvalidCxxCompiler")

    monkeypatch.setattr(cpu_vec_isa, "pick_vec_isa", no_compiler)
    ahead._probe()
    assert fc.compile(nn.ReLU(), (X,), split_at=everything)(X).equal(X.relu())
