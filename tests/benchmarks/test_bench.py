"""The bench on models of two layers: it measures what it says; how fast is not asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import decode, growth, models, native, peers, profiling
from tests.benchmarks.document import tables
from tests.benchmarks.options import Options
from tests.benchmarks.run import Run
from tests.benchmarks.table import render_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run for all tests, so that its compiles and its Inductor cache serve all of them."""
    folder = tmp_path_factory.mktemp("bench")
    options = Options(folder, runs=1, timeout=900.0, inductor_cache=folder / "inductor", quiet=True)
    return Run(options, lambda run: None, {"results": {}})


def results(run: Run, part: str) -> Any:
    text = "\n".join(map(render_text, tables(run.document)))
    assert text
    return run.document["results"][part]


def test_a_family_reloads_along_every_path_and_natively_without_a_compiler(run: Run) -> None:
    models.measure(run, ("llama",), 2)
    found = results(run, "models")["llama"]
    cold = found["cold"]
    assert "error" not in cold
    assert cold["native"] == cold["kernels"] == 3
    assert cold["max_error"] < 1e-4
    assert 0 < cold["fx_size"] < cold["size"] == Path(cold["path"]).stat().st_size
    assert set(cold["stages"]) == set(models.STAGES)
    assert sum(cold["stages"].values()) + cold["report"] == pytest.approx(cold["compile"])
    for answers in (*found["kept"].values(), found["shipped"]["native"]):
        (answer,) = answers
        assert "error" not in answer
        assert answer["load"] > 0
        assert answer["first_call"] > 0
    for path in ("fx", "torch"):
        (answer,) = found["shipped"][path]
        assert "compiler" in answer["error"]
    assert found["kept"]["native"][0]["modules"] == []
    assert {"torch._dynamo", "torch._inductor"} <= set(found["kept"]["torch"][0]["modules"])


def test_depths_grow_and_inspecting_needs_no_torch(run: Run) -> None:
    growth.measure(run, (2, 3))
    found = results(run, "growth")
    assert list(found) == ["2", "3"]
    for result in found.values():
        assert "error" not in result["cold"]
        assert result["load"] > 0
        assert result["inspect"]["torch"] is False
        assert min(result["cold"]["views"].values()) > 0
    assert found["2"]["cold"]["nodes"] < found["3"]["cold"]["nodes"]
    assert found["2"]["cold"]["code_bytes"] < found["3"]["cold"]["code_bytes"]


def test_a_native_load_imports_neither_dynamo_nor_inductor(run: Run) -> None:
    native.measure(run, 2, (2, 3), ("modules", "depths", "calls"), _WIDE)
    found = results(run, "native")
    assert not {"torch._dynamo", "torch._inductor"} & set(found["modules"]["added"])
    assert found["depths"]["3"] == run.document["results"]["growth"]["3"]
    calls = found["calls"]
    assert calls["errors"] == {}
    assert set(calls["calls"]) == {"eager", "native", "torch", "torch.compile"}
    assert max(calls["max_error"].values()) < 1e-4


_WIDE = {"layers": 2, "hidden": 64, "tokens": 32}


def test_peers_load_what_they_kept_or_say_why_not(run: Run) -> None:
    peers.measure(run, ("aot_plain", "aot_globals", "precompile", "native"), 2, ("kept",))
    found = results(run, "peers")["peers"]
    assert "f_globals" in found["aot_plain"]["kept"][0]["error"]
    for name in ("aot_globals", "native"):
        (answer,) = found[name]["kept"]
        assert "error" not in answer
        assert answer["max_error"] < 1e-4
        assert answer["other_call"] > 0
    import torch

    if not hasattr(torch.compiler, "precompile"):
        assert "has no torch.compiler.precompile" in found["precompile"]["cold"]["error"]


def test_a_decode_step_grows_the_cache_as_eager_does(run: Run) -> None:
    decode.measure(run, 2, 20, ways=("eager", "native"))
    found = results(run, "decode")["ways"]
    for name in ("eager", "native"):
        (answer,) = found[name]["kept"]
        assert "error" not in answer
        assert answer["max_error"] < 1e-4
        assert min(answer["call"], answer["eager"]) > 0


def test_a_profile_tells_ours_from_torchs(run: Run) -> None:
    profiling.measure(run, "split", 2)
    found = results(run, "profile")
    assert "error" not in found
    assert {"ours", "torch"} <= set(found["owners"])
    assert found["ours"][0]["place"].startswith("ipy_fastcompile/")
