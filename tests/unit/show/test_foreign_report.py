"""The explorer of somebody else's artifact: the same widget, with what is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.show.content import Contents
from ipy_fastcompile.show.foreign_report import as_report
from ipy_fastcompile.show.page import render_page
from ipy_fastcompile.show.view import make_view
from tests.foreign_samples import FORMATS

pytestmark = pytest.mark.slow  # the samples are compiled

RECORDED = Path(__file__).parents[1] / "foreign" / "recorded"


@pytest.mark.parametrize("name", FORMATS)
def test_every_part_of_the_explorer_has_an_answer(name: str, foreign_samples: Path) -> None:
    record = fc.inspect(foreign_samples / name)
    report = as_report(record)
    contents = Contents(make_view(report))
    for key in list(contents.keys()):
        assert json.dumps(contents.answer(key))
    sources = {source.text for kernel in report.kernels for source in kernel.sources}
    assert sources <= {kernel.text for kernel in record.kernels}
    # One kernel of the explorer for all pieces that compute the same.
    assert len(report.kernels) <= len(report.submodules)
    assert bool(sources) == bool(record.kernels)


def test_twins_share_a_kernel(foreign_samples: Path) -> None:
    report = as_report(fc.inspect(foreign_samples / "inductor_cache"))
    assert len(report.kernels) < len(report.submodules)


def test_the_widget_and_its_page(foreign_samples: Path) -> None:
    record = fc.inspect(foreign_samples / "standalone_aot")
    widget = record.explore()
    assert widget.data["submodules"]["name"] == ["piece_0"]
    assert widget.data["model"] == record.format
    page = render_page(as_report(record))
    assert record.kernels[0].name in page


def test_what_holds_no_code_is_explored_too() -> None:
    record = fc.inspect(RECORDED / "precompile" / "eager.cache")
    assert as_report(record).submodules == ()
    assert record.explore().data["kernels"] == []
