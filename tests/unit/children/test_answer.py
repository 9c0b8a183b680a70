from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from ipy_fastcompile.children.answer import answer, error_text


def told(main: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "argv", ["child", '{"n": 3}'])
    print("a line that is left open", end="")
    answer(main)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_answer_is_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(lambda request: {"n": request["n"] + 1}, capsys, monkeypatch) == {"n": 4}


def test_what_goes_wrong_is_an_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(request: Any) -> Any:
        raise KeyError("weight")

    assert told(main, capsys, monkeypatch) == {"error": "KeyError: 'weight'"}


def test_an_error_is_one_line() -> None:
    assert error_text(ValueError("two\n  lines")) == "ValueError: two lines"
    assert len(error_text(ValueError("x" * 5000))) == 600
