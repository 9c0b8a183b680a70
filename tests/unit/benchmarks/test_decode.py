"""The bench of a decode step, with children that answer at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.benchmarks import decode
from tests.benchmarks.decode_child import copied, filled
from tests.benchmarks.decode_scripts import STEPS
from tests.benchmarks.document import ours_failed, tables
from tests.benchmarks.families import Spec, build
from tests.benchmarks.flat import Flat, grow, tensors
from tests.unit.benchmarks.fakes import FakeRun, answer_all


@pytest.mark.parametrize("name", STEPS)
def test_a_script_is_python_and_defines_both_sides(name: str) -> None:
    found: dict[str, object] = {}
    exec(STEPS[name].script, found)
    assert {"cold", "load", "IMPORTS"} <= found.keys()


def test_each_way_is_compiled_once_and_loaded_in_fresh_processes(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all)
    decode.measure(run, 2, 20)
    assert [request["cold"] for _, request, _ in run.asked] == [True, *[False] * 3] * len(STEPS)
    assert all(request["past"] == 20 for _, request, _ in run.asked)
    (table,) = tables(run.document)
    assert table.title == "Decode step: llama, 2 layers, 20 tokens before"
    assert [row[0] for row in table.rows] == [way.title for way in STEPS.values()]
    assert table.rows[-1][4:7] == ("9 ms", "18 ms", "2 x")
    assert not ours_failed(run.document["results"])


def test_a_step_of_ours_that_fails_is_a_failure(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, lambda *asked: {"error": "KernelError: no"})
    decode.measure(run, 2, 20, ways=("native",))
    (table,) = tables(run.document)
    assert table.rows[0][-1] == "says [1]"
    assert ours_failed(run.document["results"])


@torch.no_grad()
def test_a_flat_model_is_the_model() -> None:
    model = build(Spec("llama", 2)).model
    past, ids = filled(model, 9), torch.tensor([[5]])
    ours, theirs = copied(past), copied(past)
    logits, *held = Flat(model)(ids, tensors(ours))
    expected = model(input_ids=ids, past_key_values=theirs).logits
    torch.testing.assert_close(logits, expected)
    grow(ours, held)
    assert ours.get_seq_length() == theirs.get_seq_length() == 10
    torch.testing.assert_close(tensors(ours), tensors(theirs))
    assert past.get_seq_length() == 9
