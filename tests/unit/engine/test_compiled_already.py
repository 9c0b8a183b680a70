"""What a compile refuses or warns of is said where the user is: what is compiled, which line."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import CaptureError, FastCompileWarning

pytestmark = pytest.mark.slow
X = torch.ones(2, 3)


class Caller(nn.Module):
    def __init__(self, part: Callable[..., Any]) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.part(x)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A compiled model, the same saved and loaded, and the same from a cache."""
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU()).eval()
    folder: Path = tmp_path_factory.mktemp("compiled")
    store = fc.Store(folder / "cache")
    compiled = fc.compile_cached(model, (X,), store=store).model
    hit = fc.compile_cached(model, (X,), store=store)
    assert hit.hit
    compiled.save(folder / "model.fastcompile")
    loaded = fc.load(folder / "model.fastcompile", model)
    return {"compiled": compiled, "cached": hit.model, "loaded": loaded}


@pytest.mark.parametrize("kind", ["compiled", "cached", "loaded"])
@pytest.mark.parametrize(
    "passed_on",
    [
        lambda f: f,
        lambda f: f.__call__,
        functools.partial,
        lambda f: functools.partial(f.__call__, X),
    ],
)
@pytest.mark.parametrize("compile_", [fc.compile, fc.compile_cached])
def test_a_compiled_model_is_named_and_says_so(
    made: dict[str, Any], kind: str, passed_on: Any, compile_: Callable[..., Any]
) -> None:
    with pytest.raises(CaptureError, match=r"is compiled already\. Call it as it is, or"):
        compile_(passed_on(made[kind]), (X,))


@pytest.mark.parametrize("kind", ["compiled", "cached", "loaded"])
def test_a_model_that_calls_a_compiled_one_is_told_the_line(
    made: dict[str, Any], kind: str
) -> None:
    callers = [Caller(made[kind]), lambda x: made[kind](x) * 2]
    for caller in callers:
        with pytest.raises(CaptureError) as caught:
            fc.compile(caller, (X,))
        said = str(caught.value)
        assert "calls a function that is compiled already at " in said
        assert re.search(r"test_compiled_already\.py:\d+ in (forward|<lambda>): ", said)
        assert "FakeTensorMode" not in said


def test_an_argument_that_wants_a_gradient_is_named() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(CaptureError, match=r"Argument b\['x'\] requires a gradient"):
        fc.compile(lambda a, b: a + b["x"], (X, {"x": x}))


def test_a_warning_points_to_the_line_that_called(own_home: Path) -> None:
    seen: list[int] = []

    def counts(x: torch.Tensor) -> torch.Tensor:
        seen.append(1)
        return x + 1

    with pytest.warns(FastCompileWarning, match="leaves out") as caught:
        fc.compile(counts, (X,))
    with pytest.warns(FastCompileWarning, match="leaves out") as cached:
        fc.compile_cached(counts, (X,), force=True)
    assert {warning.filename for warning in (*caught, *cached)} == {__file__}
    assert seen == []
