"""A recorded generation, prefill and decode, is one artifact that generates in a bare process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.children.environment import child_environment
from tests.unit.engine import generation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["Llama", "GPT-2"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The model's name, the model, what was compiled of its calls, and where that is saved."""
    pytest.importorskip("transformers")
    model = generation.make(request.param)
    ids = torch.randint(2, 64, (1, 5))
    with fc.record(model, dynamic="auto") as calls:
        model.generate(ids, max_new_tokens=4, do_sample=False)
    compiled = fc.compile(model, calls=calls, check=True)
    path = tmp_path_factory.mktemp("generation") / "model.fastcompile"
    compiled.save(path)
    return request.param, model, compiled, path


@pytest.fixture
def function(recorded: Any) -> Iterator[Any]:
    _, model, _, path = recorded
    yield fc.load(path, model)
    assert "_compiled_call_impl" not in vars(model)


def test_a_generation_is_a_program_for_the_prompt_and_one_for_each_token(recorded: Any) -> None:
    _, _, compiled, _ = recorded
    assert [program.name for program in compiled.report.programs] == ["call_0", "call_1"]
    assert compiled.report.difference == ""
    assert not compiled.report.alarms


def test_the_tokens_are_eagers_at_every_length(recorded: Any, function: Any) -> None:
    _, model, _, _ = recorded
    for ids in generation.prompts(1):
        expected = generation.generated(model, ids)
        with function.installed(model, strict=True):
            assert generation.generated(model, ids) == expected


def test_a_batch_that_was_only_seen_at_1_may_be_another(recorded: Any, function: Any) -> None:
    _, model, _, _ = recorded
    for batch in (2, 3):
        ids = generation.prompts(batch)[0]
        expected = generation.generated(model, ids)
        with function.installed(model, strict=True):
            assert generation.generated(model, ids) == expected


def test_a_generation_of_another_kind_runs_the_model_itself_and_gives_its_tokens(
    recorded: Any, function: Any
) -> None:
    _, model, _, _ = recorded
    ids = generation.prompts(2)[0]
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    expected = model.generate(ids, attention_mask=mask, max_new_tokens=4, do_sample=False)
    with (
        function.installed(model),
        pytest.warns(errors.FastCompileWarning, match="runs the model itself") as told,
    ):
        found = model.generate(ids, attention_mask=mask, max_new_tokens=4, do_sample=False)
    assert found.tolist() == expected.tolist()
    assert len([w for w in told if w.category is errors.FastCompileWarning]) == 1
    with function.installed(model, strict=True), pytest.raises(errors.InputError, match="fits no"):
        model.generate(ids, attention_mask=mask, max_new_tokens=4, do_sample=False)


def test_a_bare_process_generates_the_same_tokens(recorded: Any, tmp_path: Path) -> None:
    name, _, _, path = recorded
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", generation.__name__, name, str(path), "1"],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(str(empty)),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["found"] == found["eager"]
    assert len(found["found"]) == len(generation.LENGTHS)
    assert set(found["ways"]) == {"native"}
    assert found["new"] == []
