from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.__main__ import run
from tests.benchmarks import __main__ as bench
from tests.benchmarks.options import Options
from tests.benchmarks.run import Run, write_json
from tests.unit.benchmarks.fakes import FakeRun, answer_all


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children and the machine's description answer at once."""

    def child(
        self: Run, program: Any, request: Any, *, cache: Path | None = None
    ) -> dict[str, Any]:
        return answer_all(program, request, cache)

    monkeypatch.setattr(Run, "child", child)
    monkeypatch.setattr("tests.benchmarks.run._op_modules", lambda path: [])
    monkeypatch.setattr(
        "tests.benchmarks.run.describe",
        lambda options: {"machine": {"cores": 2}, "versions": {}, "imports": {}},
    )


@pytest.mark.usefixtures("faked")
def test_a_run_writes_json_and_markdown_and_prints_the_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "all.json", tmp_path / "all.md"
    arguments = ["all", "--runs", "1", "--json", str(out), "--markdown", str(page)]
    assert run(bench.main, [*arguments, "--folder", str(tmp_path / "work")]) == 0
    document = json.loads(out.read_text())
    assert set(document["results"]) == {"models", "peers", "decode", "native", "growth"}
    command = f"python -m tests.benchmarks {' '.join(arguments)} --folder {tmp_path / 'work'}"
    assert document["command"] == command
    assert document["finished"] >= document["started"]
    assert len(document["load average"]) == 2
    printed = capsys.readouterr()
    for title in ("Cold compile", "Warm reload, caches kept", "Peers: llama", "Native path"):
        assert title in printed.out
        assert f"### {title}" in page.read_text()
    assert "Growth with depth" in printed.out
    assert "Decode step: llama, 16 layers, 128 tokens before" in printed.out
    assert "llama-80x64: cold compile" in printed.err
    assert run(bench.main, ["show", str(out)]) == 0
    assert capsys.readouterr().out == printed.out


@pytest.mark.usefixtures("faked")
def test_an_interrupted_run_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter(range(8))
    healthy = Run.child

    def child(self: Run, program: Any, request: Any, *, cache: Path | None) -> dict[str, Any]:
        if next(answers) == 7:
            raise KeyboardInterrupt
        return healthy(self, program, request, cache=cache)

    monkeypatch.setattr(Run, "child", child)
    out = tmp_path / "models.json"
    assert run(bench.main, ["models", "--runs", "1", "--json", str(out)]) == 130
    document = json.loads(out.read_text())
    assert list(document["results"]["models"]) == ["deepseek_v3"]
    assert document["finished"]
    assert "deepseek_v3, 61 layers" in capsys.readouterr().out


@pytest.mark.usefixtures("faked")
def test_the_exit_code_tells_of_our_failures_and_not_of_a_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = ["--runs", "1", "--quiet", "--layers", "2"]
    assert bench.main(["peers", *quiet]) == 0  # peers fail without a compiler: that is a result

    def child(self: Run, program: Any, request: Any, *, cache: Path | None) -> dict[str, Any]:
        if request.get("via") == "native":
            return {"error": "KernelError: no"}
        return answer_all(program, request, cache)

    monkeypatch.setattr(Run, "child", child)
    assert bench.main(["models", *quiet]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["models", "--families", "bert"], "there is no 'bert'; there are deepseek_v3"),
        (["peers", "--peers", "onnx"], "there is no 'onnx'"),
        (["growth", "--depths", "10,0"], "'0' is no number from 1 on"),
        (["native", "--wide", "4x1024"], "is not LAYERSxHIDDENxTOKENS"),
        (["models", "--families", ","], "name some of"),
        (["tables"], "invalid choice"),
        ([], "required"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing" / "out.json"
    assert run(bench.main, ["models", "--json", str(missing)]) == 2
    assert f"{missing} cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"results": {"models": {"llama": {}}}}'])
def test_a_file_that_is_no_result_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    assert run(bench.main, ["show", str(file)]) == 2
    assert "is no result of this bench" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bench.main, ["show", str(tmp_path / "no.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_document_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json({"a": 1}, path)
    with pytest.raises(TypeError):
        write_json({"a": object()}, path)
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_progress_is_told_unless_it_is_not_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(Options(tmp_path), lambda run: None).say("llama: cold")
    assert capsys.readouterr().err.endswith("  llama: cold\n")
    FakeRun(tmp_path, answer_all).say("llama: cold")
    assert capsys.readouterr().err == ""
