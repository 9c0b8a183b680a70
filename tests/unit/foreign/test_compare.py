"""Two artifacts of any kinds: kernels by what they compute, code beside code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.artifact.compare import ArtifactComparison
from ipy_fastcompile.foreign.compare import compare
from ipy_fastcompile.foreign.comparison import ForeignComparison
from ipy_fastcompile.foreign.comparison_text import beside
from ipy_fastcompile.foreign.ours import as_foreign

pytestmark = pytest.mark.slow  # the samples are compiled

RECORDED = Path(__file__).parent / "recorded"


def test_one_model_in_two_formats_has_the_same_kernels(foreign_samples: Path) -> None:
    found = compare(foreign_samples / "standalone_aot", foreign_samples / "mega_cache")
    assert isinstance(found, ForeignComparison)
    assert found.shared
    assert (found.only_a, found.only_b) == ((), ())
    assert not found.is_equal
    text = str(found)
    for a, b in found.shared:
        assert f"computes the same: {a} and {b}" in text


def test_aotinductor_beside_inductor(foreign_samples: Path) -> None:
    found = compare(foreign_samples / "aotinductor", foreign_samples / "standalone_aot")
    assert isinstance(found, ForeignComparison)
    # What the two make of one model: kernels that compute the same, or nearly.
    paired = len(found.shared) + len(found.near)
    assert paired == len({kernel.digest for kernel in found.b.kernels})
    assert "AOTInductorModel::run_impl(" in found.code_a.splitlines()[0]
    assert "def call(" in found.code_b.splitlines()[0]
    assert found.code_a.endswith("} // AOTInductorModel::run_impl\n")
    assert found.code_b.splitlines()[-1].strip().startswith("return (")
    columns = [line for line in str(found).splitlines() if " | " in line]
    assert any("run_impl(" in line and "def call(" in line for line in columns)
    assert "CPU instructions: " in str(found)


def test_equal_files_are_said_to_be_equal(foreign_samples: Path) -> None:
    path = foreign_samples / "exported"
    found = compare(path, path.read_bytes())
    assert found.is_equal
    assert str(found).endswith("They are the same bytes.")


def test_ours_beside_another_s(tiny_artifact: Path, foreign_samples: Path) -> None:
    found = compare(tiny_artifact, foreign_samples / "aot_compile")
    assert isinstance(found, ForeignComparison)
    assert found.a.format == "artifact of ipy_fastcompile"
    assert found.code_a.startswith("    def forward(")
    assert found.a.kernels
    assert {value.kind for value in found.a.values} >= {"parameter"}
    again = compare(foreign_samples / "aot_compile", tiny_artifact)
    assert isinstance(again, ForeignComparison)
    assert again.only_b == found.only_a


def test_ours_and_its_bytes_hold_the_same(tiny_artifact: Path) -> None:
    own = fc.inspect(tiny_artifact)
    in_memory = fc.inspect(tiny_artifact.read_bytes())
    assert in_memory.path == "<bytes>"
    assert as_foreign(in_memory).kernels == as_foreign(own).kernels
    assert isinstance(compare(tiny_artifact, tiny_artifact), ArtifactComparison)


def test_a_pair_of_precompile_shares_its_kernel() -> None:
    found = compare(*(RECORDED / "precompile" / f"inductor.{end}" for end in ("py", "cache")))
    assert isinstance(found, ForeignComparison)
    assert len(found.shared) == 1
    assert found.only_a == found.only_b == ()


def test_a_comparison_goes_to_json_and_html(foreign_samples: Path, tmp_path: Path) -> None:
    found = compare(foreign_samples / "aotinductor", foreign_samples / "standalone_aot")
    assert isinstance(found, ForeignComparison)
    data = json.loads(found.to_json())
    assert data["a"]["format"] == "AOTInductor package"
    assert len(data["shared"]) == len(found.shared)
    found.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "run_impl" in page
    assert "<script" not in page
    bundle = found._repr_mimebundle_()
    assert bundle["text/plain"] == str(found)
    assert bundle["text/html"] in page


def test_columns_are_cut_and_counted() -> None:
    lines = list(beside("a\n" * 200, "b" * 500, most=3))
    assert len(lines) == 4
    assert lines[0].endswith("…")
    assert lines[-1] == "  and 198 more lines"


@pytest.mark.parametrize("end", ["py", "cache"])
def test_what_has_no_kernels_compares_too(end: str, foreign_samples: Path) -> None:
    found = compare(RECORDED / "precompile" / f"eager.{end}", foreign_samples / "safetensors")
    assert isinstance(found, ForeignComparison)
    assert found.shared == found.near == ()
    assert str(found)
