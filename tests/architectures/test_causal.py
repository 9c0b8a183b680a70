"""Causal models as users call them: right after a native reload; and what the command says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.errors import ChildError
from tests.architectures import causal, each
from tests.architectures.families import EXCEPTIONS, NAMES
from tests.architectures.shrink import causal_models, small_config

# One of each kind of cache: growing, with a window, linear, of a module's own, and none.
FEW = ("qwen3", "gemma3_text", "granitemoehybrid", "minimax", "mpt")


@pytest.mark.slow
def test_a_few_are_right_at_two_lengths_with_their_caches(tmp_path: Path) -> None:
    found = each.measure_each(causal.CHILD, FEW, tmp_path)
    assert {kind: result["verdict"] for kind, result in found.items()} == dict.fromkeys(
        FEW, "right"
    )
    caches = {kind: result["cache"] for kind, result in found.items()}
    assert caches == {**dict.fromkeys(FEW, "DynamicCache"), "minimax": "MiniMaxCache", "mpt": ""}


def test_more_than_sixty_are_tried_each_of_another_class() -> None:
    known = causal_models()
    assert len({known[name] for name in NAMES}) == len(NAMES) > 60
    assert EXCEPTIONS.keys() <= set(NAMES) | known.keys()


def test_layers_of_each_kind_are_kept() -> None:
    assert small_config("gemma3_text").layer_types == ["sliding_attention", "full_attention"]
    assert small_config("llama").num_hidden_layers == 2
    assert small_config("llama").vocab_size == 64


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """What is asked of children that find llama right, and that mistral ends."""
    asked: list[tuple[str, list[str]]] = []

    def ask(program: Any, request: dict[str, Any], **options: Any) -> dict[str, Any]:
        asked.append((request["do"], request["names"]))
        for kind in request["names"]:
            if kind == "mistral":
                raise ChildError("x", "y", brief="was killed by SIGSEGV", lines=(), code=-11)
            found = {"lengths": [9], "why": "a loop", "not native": []}
            if request["do"] == "reload":
                found = {"ways": ["native"], "cache": "DynamicCache", "wrong": ""}
            if kind == "gpt2":
                found = {"error": "CaptureError: it cannot be"}
            path = Path(request["folder"]) / f"{kind}.{request['do']}.json"
            path.write_text(json.dumps(found))
        return {}

    monkeypatch.setattr(each, "ask", ask)
    return asked


def test_a_model_that_ends_its_process_is_told_and_the_others_go_on(
    children: list[tuple[str, list[str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["llama", "mistral", "gpt2", "opt"]
    assert causal.main([*names, "--keep", str(tmp_path)]) == 1
    assert children == [
        ("compile", ["llama", "mistral", "gpt2", "opt"]),
        ("compile", ["gpt2", "opt"]),
        ("reload", ["llama", "opt"]),
    ]
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("python -m tests.architectures.causal llama mistral gpt2 opt, 20")
    assert [" ".join(line.split()) for line in lines] == [
        "llama DynamicCache right",
        "mistral was killed by SIGSEGV",
        "gpt2 CaptureError: it cannot be",
        "opt DynamicCache right",
        "llama at one length: a loop",
        "opt at one length: a loop",
        "2 of 4 models are right after a native reload, 0 of them at other lengths, too",
    ]
    # What was right is not asked again, and all else is.
    children.clear()
    assert causal.main([*names, "--keep", str(tmp_path)]) == 1
    assert children == [("compile", ["mistral", "gpt2"]), ("compile", ["gpt2"])]


def test_a_run_that_was_stopped_goes_on_where_it_was(
    children: list[tuple[str, list[str]]], tmp_path: Path
) -> None:
    assert causal.main(["llama", "opt", "--keep", str(tmp_path)]) == 0
    (tmp_path / "opt.reload.json").unlink()
    children.clear()
    assert causal.main(["llama", "opt", "--keep", str(tmp_path)]) == 0
    assert children == [("reload", ["opt"])]


def test_a_model_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert causal.main(["llama", "lama"]) == 2
    assert "no causal model lama" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"wrong": "at length 13, logits differ"}, "at length 13, logits differ"),
        ({"wrong": "", "ways": ["torch"], "not native": ["an op"]}, "right, but not native: an op"),
        ({"wrong": "", "ways": ["native"], "not native": []}, "right"),
    ],
)
def test_the_verdict(found: dict[str, Any], said: str) -> None:
    assert each.verdict_of(found) == said


@pytest.mark.parametrize(
    ("served", "said"), [([(2, None)], "from 2"), ([(8, 11)], "8 to 11"), ([], "")]
)
def test_the_lengths_that_are_served(served: list[Any], said: str) -> None:
    assert causal.row("opt", {"served": served, "verdict": "x"}).split()[1:-1] == said.split()
