from __future__ import annotations

import pytest
import torch

from ipy_fastcompile.__main__ import run
from tests.benchmarks import gpu_check

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")


@needs_no_gpu
@pytest.mark.parametrize("words", [[], ["--llama"], ["--llama", "--device", "cpu"]])
def test_without_a_gpu_it_says_so(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(gpu_check.main, words) == 2
    assert "finds no CUDA device here. Run it where there is one" in capsys.readouterr().err


@pytest.mark.slow
def test_every_path_is_loaded_in_a_process_of_its_own_and_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--device", "cpu", "--layers", "1", "--hidden", "64"]
    assert run(gpu_check.main, words) == 0
    told = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    for via in ("native", "torch", "fx"):
        answer = eval(told[via])
        assert 0 <= answer["max_error"] < 1e-4
        assert answer["load_ms"] > 0
        assert answer["call_ms"] > 0
    assert eval(told["native"])["modules"] == []
    assert set(eval(told["native"])["ways"]) == {"native"}
