"""A recorded generation over a sliding window is as few programs as the window needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.calls.kinds import Kind
from ipy_fastcompile.engine.calls.narrow import graphs_of
from tests.unit.engine.windowed import windowed

WINDOW = 8
# Batches and lengths of prompts: below the window, at it, across and above.
PROMPTS = ((1, 5), (1, 2), (3, 4), (1, 6), (2, 7), (1, 8), (3, 9), (2, 20))


MODELS = windowed(WINDOW)


def generated(model: Any, batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(100 * batch + length)
    ids = torch.randint(3, 64, (batch, length), generator=generator)
    found: torch.Tensor = model.generate(ids, max_new_tokens=32, do_sample=False)
    return found


def recorded(name: str, dynamic: str | None) -> Any:
    with fc.record(MODELS[name], dynamic=dynamic) as calls:
        generated(MODELS[name], 1, 5)
    return calls


@pytest.mark.parametrize("name", MODELS)
def test_a_step_is_a_graph_below_the_window_one_at_it_and_one_beyond(name: str) -> None:
    def captured(part: Kind) -> Captured:
        model = MODELS[name]
        return capture(model, part.args, part.kwargs, dynamic=part.dynamic, loose=part.loose)

    _, step = recorded(name, None)
    found = graphs_of(step, captured)
    assert [part.name for part, _ in found] == ["call_1", "call_1.2", "call_1.3"]
    graphs = [graph for _, graph in found]
    spans = [[(s.min, s.max) for s in graph.symbols] for graph in graphs]
    assert [span[0][1] for span in spans] == [WINDOW - 3, None, WINDOW - 1]
    assert (spans[1][0][0], spans[2][0][0]) == (WINDOW, WINDOW - 2)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::ipy_fastcompile.errors.FastCompileWarning")
@pytest.mark.parametrize("name", MODELS)
def test_every_prompt_gives_eagers_tokens_from_one_recorded_generation(
    name: str, tmp_path: Path
) -> None:
    model = MODELS[name]
    compiled = fc.compile(model, calls=recorded(name, "auto"), check=True)
    assert [program.name for program in compiled.report.programs] == [
        *("call_0", "call_0.2"),
        *("call_1", "call_1.2", "call_1.3"),
    ]
    assert not compiled.report.alarms
    compiled.save(tmp_path / "a.fastcompile")
    function = fc.load(tmp_path / "a.fastcompile", model)
    assert set(function.kernel_ways) == {"native"}
    for batch, length in PROMPTS:
        expected = generated(model, batch, length)
        with function.installed(model, strict=True):
            found = generated(model, batch, length)
        assert found.tolist() == expected.tolist(), (batch, length)
