"""What the last line of a cell, and `print`, show of the objects that people get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from tests.tiny import TinyTransformer, everything


@pytest.fixture(scope="module")
def compiled() -> Any:
    ids = torch.arange(8).reshape(1, 8)
    return fc.compile(TinyTransformer().eval(), (ids,), split_at=everything)


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        ("report", "<Report: TinyTransformer \u00b7 17 submodules \u00b7 "),
        ("captured", "<TinyTransformer as one graph, "),
        ("split_graph", "<TinyTransformer split, 17 submodules>"),
        ("lowered", "<TinyTransformer lowered, 0 kernels>"),
        ("code", "<execution code, "),
        ("parts", "<artifact of this compile, "),
    ],
)
def test_what_a_stage_made_is_one_short_line(compiled: Any, way: str, shown: str) -> None:
    text = repr(getattr(compiled, way))
    assert text.startswith(shown)
    assert len(text) < 200
    assert "\n" not in text


def test_what_a_stage_made_prints_as_text(compiled: Any) -> None:
    assert str(compiled.code) == compiled.execution_code
    assert "torch.ops.aten.embedding.default(" in str(compiled.captured)
    assert str(compiled.lowered).splitlines()[0] == "TinyTransformer: 0 kernels"
    (program,) = compiled.programs
    assert repr(program).startswith("<program '': <TinyTransformer lowered, 0 kernels>, <exec")


def test_a_report_is_the_report_that_a_cell_shows(compiled: Any) -> None:
    report = compiled.report
    bundle = report._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == str(report) == str(compiled)
    assert "Execution code" in str(report)
    assert "<table" in bundle["text/html"]


def test_what_is_read_of_a_file_is_shown_as_text(compiled: Any, tmp_path: Path) -> None:
    path = tmp_path / "tiny.fastcompile"
    compiled.save(path)
    info = fc.inspect(path)
    assert info._repr_mimebundle_() == {"text/plain": str(info)}
    assert "TinyTransformer" in str(info)
