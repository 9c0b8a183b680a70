"""The explorer of somebody else's artifact: the same widget, with what is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.foreign.kernels import make_kernel
from ipy_fastcompile.foreign.records import EXECUTION, KERNEL, ForeignArtifact, ForeignText
from ipy_fastcompile.show.content import Contents
from ipy_fastcompile.show.facts import summary
from ipy_fastcompile.show.foreign_report import as_report
from ipy_fastcompile.show.page import render_page
from ipy_fastcompile.show.tokens import CLASSES
from ipy_fastcompile.show.view import make_view
from tests.foreign_samples import FORMATS

RECORDED = Path(__file__).parents[1] / "foreign" / "recorded"


@pytest.mark.slow  # the samples are compiled
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


@pytest.mark.slow
def test_twins_share_a_kernel(foreign_samples: Path) -> None:
    report = as_report(fc.inspect(foreign_samples / "inductor_cache"))
    assert len(report.kernels) < len(report.submodules)


@pytest.mark.slow
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


def test_a_piece_has_a_short_name_and_the_code_its_language() -> None:
    wrapper = "void AOTInductorModel::run_impl() {\n  return; // for\n}\n"
    kernel = "2i/c2ir2yt73ey7o4mnnvxqr6eec6avlzf7.main.cpp"
    artifact = ForeignArtifact(
        path="x",
        format="AOTInductor package",
        version="",
        size=1,
        sha256="",
        loads_by="",
        texts=(
            ForeignText("a/w.wrapper.cpp", EXECUTION, "cpp", wrapper),
            ForeignText(kernel, KERNEL, "cpp", "int x;"),
        ),
        kernels=(make_kernel("k", "cpp", "int x;", kernel),),
    )
    report = as_report(artifact)
    (piece,) = report.submodules
    assert piece.module == "c2ir2yt73ey7o…avlzf7"
    assert piece.reason.endswith(kernel)
    contents = Contents(make_view(report))
    comment = contents.answer("code:execution:0")
    line = comment["text"].index("  return; // for")
    assert comment["runs"][line][-1] == CLASSES.index("comment")
    assert [fact for fact in summary(report) if fact[0] in ("cold", "warm")] == []
    assert dict(summary(report))["parameters"] == "0"
