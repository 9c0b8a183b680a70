"""The widget's side of the conversation, without a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ipy_fastcompile.errors import ModelGone
from ipy_fastcompile.records import Report, Standing
from ipy_fastcompile.show.explorer import PIECE, Explorer
from tests.unit.show.sample import sample_report


class Recorder:
    """Keeps what the widget sends."""

    def __init__(self, explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[dict[str, Any]] = []
        self.explorer = explorer
        monkeypatch.setattr(
            explorer, "send", lambda content, buffers=None: self.sent.append(content)
        )

    def say(self, **message: Any) -> list[dict[str, Any]]:
        self.sent.clear()
        self.explorer._handle_custom_msg(message, [])
        return list(self.sent)


def state_size(explorer: Explorer) -> int:
    return len(json.dumps(explorer.get_state()).encode())


def test_a_key_is_answered_with_the_id_of_the_request(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(Explorer(report), monkeypatch)
    (answer,) = recorder.say(type="ask", id="v-1", key="graph:2")
    assert (answer["type"], answer["id"], answer["part"], answer["parts"]) == (
        "answer",
        "v-1",
        0,
        1,
    )
    assert json.loads(answer["body"])["name"][-1] == "output"


def test_an_unknown_key_is_an_error_not_silence(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(Explorer(report), monkeypatch)
    (answer,) = recorder.say(type="ask", id="v-2", key="graph:99")
    assert "graph:99" in answer["error"]
    assert recorder.say(type="nonsense") == []
    recorder.explorer._handle_custom_msg("not even a dict", [])


def test_large_answers_travel_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(Explorer(sample_report(320)), monkeypatch)
    answers = recorder.say(type="ask", id="v-3", key="split:all")
    assert len(answers) > 1
    assert [a["part"] for a in answers] == list(range(answers[0]["parts"]))
    assert all(len(json.dumps(a).encode()) <= 300_000 for a in answers)
    assert len(json.loads("".join(a["body"] for a in answers))["first"]) == 641
    assert PIECE < 300_000


def test_the_saved_state_stays_small() -> None:
    assert state_size(Explorer(sample_report(80))) < 300_000
    assert state_size(Explorer(sample_report(320))) < 400_000


def test_a_reopened_notebook_shows_something_without_a_kernel(report: Report) -> None:
    start = Explorer(report).data["start"]
    assert "split:" in start
    assert any(key.startswith("code:execution:") for key in start)


def test_run_again_replaces_that_half_of_the_measurements(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def rerun(shipped: bool, tell: Callable[[Standing], None]) -> None:
        asked.append(shipped)
        record = replace(report.reloads[0], load=0.001, shipped=shipped)
        tell(Standing("running", (), 0, 3, "native", shipped))
        tell(Standing("running", (record,), 1, 3, "torch", shipped))
        assert explorer.race["done"] == 1
        assert len(explorer.report.reloads) == 6  # a race that runs is no measurement yet
        tell(Standing("done", (record,), 1, 1, "", shipped))

    explorer = Explorer(report, rerun)
    recorder = Recorder(explorer, monkeypatch)
    messages = recorder.say(type="reload", shipped=True)
    assert [m["state"] for m in messages] == ["running", "done"]
    assert asked == [True]
    assert [r["path"] for r in explorer.reloads if r["shipped"]] == ["native"]
    assert len([r for r in explorer.reloads if not r["shipped"]]) == 3
    assert len(explorer.report.reloads) == 4
    assert report.reloads != explorer.report.reloads


def test_a_failed_run_is_shown_and_raised(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    def rerun(shipped: bool, tell: Callable[[Standing], None]) -> None:
        raise OSError("no process for\x1b[31m you")

    explorer = Explorer(report, rerun)
    recorder = Recorder(explorer, monkeypatch)
    recorder.sent.clear()
    with pytest.raises(OSError, match="no process"):
        explorer._on_message(explorer, {"type": "reload", "shipped": False}, [])
    assert [m["state"] for m in recorder.sent] == ["failed"]
    assert explorer.problem["text"] == "no process for\\x1b[31m you"
    assert "Traceback" in explorer.problem["detail"]
    assert len(explorer.reloads) == len(report.reloads)


def test_a_model_that_is_gone_is_no_failure(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rerun(shipped: bool, tell: Callable[[Standing], None]) -> None:
        raise ModelGone("Llama is gone.", "Run the cell again.")

    explorer = Explorer(report, rerun)
    sent = Recorder(explorer, monkeypatch).say(type="reload", shipped=False)
    assert [message["state"] for message in sent] == ["failed"]
    assert explorer.problem == {
        "title": "The model is gone",
        "text": "Llama is gone. Run the cell again.",
        "detail": "",
    }


def test_without_a_rerun_nothing_is_run(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = Explorer(report)
    recorder = Recorder(explorer, monkeypatch)
    assert explorer.data["canRerun"] is False
    recorder.say(type="reload", shipped=False)
    assert explorer.problem["title"] == "This explorer cannot measure"


def test_hostile_strings_are_inert_in_the_state(hostile_report: Report) -> None:
    text = json.dumps(Explorer(hostile_report).get_state()["data"], ensure_ascii=False)
    assert not any(character in text for character in "\x1b\u202e\u2066\u200b\u2028\x9b\udc80")


def test_an_empty_report_has_a_face(empty_report: Report) -> None:
    data = Explorer(empty_report).data
    assert data["submodules"]["name"] == []
    assert data["peakLine"] == 0


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_race_that_ends_early_leaves_what_was_measured(
    report: Report, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    explorer = Explorer(report)
    sent = Recorder(explorer, monkeypatch).sent
    before = explorer.reloads
    record = replace(report.reloads[0], load=9.0)
    explorer.show_race(Standing("running", (record,), 1, 3, "torch"))
    assert [r["load"] for r in explorer.reloads if not r["shipped"]] == [9.0]
    explorer.show_race(Standing(state, (record,), 1, 3, problem="another race began"))
    assert explorer.reloads == before
    assert explorer.report == report
    assert "another race began" in explorer.problem["text"]
    assert [m["state"] for m in sent] == ["running", state]
    explorer.show_race(Standing("running", (), 0, 3, "native"))
    assert explorer.problem == {}


def test_a_first_race_fills_the_table_with_its_colours(report: Report) -> None:
    explorer = Explorer(replace(report, reloads=()))
    assert (explorer.reloads, explorer.race["colors"]) == ([], {})
    explorer.show_race(Standing("running", report.reloads[:1], 1, 9, "torch"))
    assert [r["path"] for r in explorer.reloads] == ["native"]
    assert explorer.race["now"] == "torch"
    stages = {name for name, _ in explorer.reloads[0]["stages"]}
    assert explorer.race["colors"].keys() & stages
