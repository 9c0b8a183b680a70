"""A compile that is not what eager computes: said with every option, saved only when asked to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from tests.notebook.conftest import Recorder

WORDS = "The compiled model differs from eager by 100 in output 0."


@pytest.fixture(autouse=True)
def wrong(api: Recorder, run: Any) -> None:
    api.difference = WORDS
    run("model = lambda x: x")


def test_the_first_line_of_the_report_says_so(run: Any) -> None:
    cell = run("%%fastcompile --no-warm\nmodel(4)")
    assert cell.plain[-1].startswith(WORDS) or any(p.startswith(WORDS) for p in cell.plain)


def test_quiet_prints_one_line_of_error(run: Any) -> None:
    cell = run("%%fastcompile -q\nmodel(4)")
    assert cell.error is None
    assert WORDS in cell.io.stderr


def test_saving_is_refused_even_when_quiet(run: Any, api: Recorder, tmp_path: Path) -> None:
    for options in ("", "-q", "--no-warm"):
        cell = run(f"%%fastcompile {options} --save {tmp_path}/a.fastcompile\nmodel(4)")
        assert isinstance(cell.error, UsageError)
        assert "Nothing was saved: --keep-anyway" in str(cell.error)
        assert api.results[-1].saved == []


def test_it_is_saved_when_it_is_asked_for(run: Any, api: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    assert run(f"%%fastcompile -q --keep-anyway --save {path}\nmodel(4)").error is None
    assert api.results[-1].saved == [path]


def test_a_hit_is_compared_with_the_weights_of_now_before_it_is_saved(
    run: Any, api: Recorder, tmp_path: Path
) -> None:
    api.hit = True
    cell = run(f"%%fastcompile -q --save {tmp_path}/a.fastcompile\nmodel(4)")
    assert api.asked == 1
    assert isinstance(cell.error, UsageError)
    assert api.results[-1].saved == []
    api.difference = ""
    assert run(f"%%fastcompile -q --save {tmp_path}/a.fastcompile\nmodel(4)").error is None
    assert len(api.results[-1].saved) == 1
