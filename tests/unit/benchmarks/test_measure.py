from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import growth, models, native, peers
from tests.benchmarks.document import tables
from tests.benchmarks.peer_scripts import PEERS
from tests.benchmarks.run import KEPT, SHIPPED
from tests.benchmarks.table import render_markdown, render_text
from tests.unit.benchmarks.fakes import NO_COMPILER, FakeRun, answer_all


@pytest.fixture(autouse=True)
def no_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.run._op_modules", lambda path: [])


def rendered(run: FakeRun) -> str:
    found = tables(run.document)
    for table in found:
        assert render_markdown(table).startswith(f"### {table.title}")
        assert all(len(row) == len(table.heads) for row in table.rows)
    return "\n".join(map(render_text, found))


# --- reloads -------------------------------------------------------------------------------------


def test_reloads_alternate_and_each_way_is_first_in_its_turn(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all)
    found = run.reloads({"path": "x", "cache": str(tmp_path)}, KEPT, runs=3)
    asked = [request["via"] for _, request, _ in run.asked]
    assert asked == ["fx", "torch", "native", "torch", "native", "fx", "native", "torch"]
    runs = {path: len(answers) for path, answers in found["kept"].items()}
    assert runs == {"fx": 2, "torch": 3, "native": 3}  # fx takes 6.4 s


def test_a_way_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all)
    found = run.reloads({"path": "x", "cache": str(tmp_path)}, (*KEPT, *SHIPPED), runs=4)
    assert [len(found["shipped"][path]) for path in ("fx", "torch", "native")] == [1, 1, 4]
    assert found["shipped"]["fx"][0]["error"] == NO_COMPILER
    caches = {cache for _, _, cache in run.asked}
    assert caches == {tmp_path, None}


# --- models --------------------------------------------------------------------------------------


def test_models_are_stored_one_by_one(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=1)
    models.measure(run, ("llama", "gpt_oss"), None)
    assert [list(written["models"]) for written in run.written] == [
        ["llama"],
        ["llama"],
        ["llama", "gpt_oss"],
        ["llama", "gpt_oss"],
    ]
    specs = [request["spec"] for _, request, _ in run.asked if "spec" in request]
    assert [(s["family"], s["layers"]) for s in specs] == [("llama", 80), ("gpt_oss", 36)]
    text = rendered(run)
    assert "99.94" in text  # 0.004 s of 6.4 s
    assert "94.9" in text
    assert "Llama-3.3-70B" in text
    assert f"[1] {NO_COMPILER}" in text


def test_each_family_has_an_empty_inductor_cache_of_its_own(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=1)
    models.measure(run, ("llama", "gpt_oss"), 2)
    caches = [cache for program, _, cache in run.asked if program[-1].endswith("cold")]
    assert len(set(caches)) == 2
    assert all(cache is not None and not cache.exists() for cache in caches)


def test_a_family_that_does_not_compile_is_a_row(tmp_path: Path) -> None:
    def answer(
        program: Sequence[str], request: Mapping[str, Any], cache: Path | None
    ) -> dict[str, Any]:
        if request.get("spec", {}).get("family") == "glm4_moe":
            return {"error": "CaptureError: GLM branches on a value.", "wall": 1.0}
        return answer_all(program, request, cache)

    run = FakeRun(tmp_path, answer, runs=1)
    models.measure(run, ("glm4_moe", "llama"), 2)
    text = rendered(run)
    assert "[1] CaptureError: GLM branches on a value." in text
    assert text.count("llama, 2 layers") == 3


# --- peers ---------------------------------------------------------------------------------------


def test_every_peer_is_a_row_and_so_is_what_it_cannot_do(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=2)
    peers.measure(run, tuple(PEERS), 2, ("kept", "shipped"))
    text = rendered(run)
    for peer in PEERS.values():
        assert peer.title in text
    assert f"load: {NO_COMPILER}" in text
    assert run.document["results"]["peers"]["peers"]["native"]["script"] == PEERS["native"].script


def test_our_paths_reload_one_cold_run(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=1)
    peers.measure(run, ("fx", "torch", "native"), 2, ("kept",))
    assert sum(bool(request["cold"]) for _, request, _ in run.asked) == 1


@pytest.mark.parametrize(("load", "runs"), [(0.1, 6), (10.0, 2), (90.0, 1)])
def test_a_slow_load_is_run_less_often(tmp_path: Path, load: float, runs: int) -> None:
    def answer(
        program: Sequence[str], request: Mapping[str, Any], cache: Path | None
    ) -> dict[str, Any]:
        return {"load": load, "first_call": 0.0}

    run = FakeRun(tmp_path, answer)
    spec = run.spec("llama", 2)
    assert len(peers.measure_loads(run, "compile", spec, runs=6, mode="kept")) == runs


def test_a_peer_without_a_cold_run_is_not_loaded(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, lambda *_: {"error": "compile: NotImplementedError: has none"})
    peers.measure(run, ("precompile",), 2, ("kept",))
    assert len(run.asked) == 1
    assert "has none" in rendered(run)


# --- native --------------------------------------------------------------------------------------


def test_every_promise_has_its_figure(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=2)
    native.measure(run, 80, (20, 40), native.PARTS)
    text = rendered(run)
    promises = tables(run.document)[0]
    held = {row[0]: row[3] for row in promises.rows}
    assert set(held.values()) == {"yes"}
    assert len(held) == 9
    assert "1,600 x" in text  # fx against native
    assert "against torch.compile" in text


def test_a_promise_that_is_broken_says_no(tmp_path: Path) -> None:
    def answer(
        program: Sequence[str], request: Mapping[str, Any], cache: Path | None
    ) -> dict[str, Any]:
        found = answer_all(program, request, cache)
        if request.get("via") == "native":
            found = {**found, "load": 0.5 if cache else 0.9}
        if "added" in found:
            found["added"] = ["torch._inductor"]
        return found

    run = FakeRun(tmp_path, answer, runs=1)
    native.measure(run, 2, (2, 4), ("reload", "modules"))
    held = {row[0]: row[3] for row in tables(run.document)[0].rows}
    assert held["native load, median"] == "no"
    assert held["times less than torch"] == "no"
    assert held["times less than fx"] == "no"
    assert held["load with no compiler, empty cache"] == "no"
    assert held["modules a load and a call import"] == "no"


def test_native_says_why_nothing_was_measured(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, lambda *_: {"error": "stopped after 900 s", "wall": 900.0})
    native.measure(run, 2, (2, 4), native.PARTS)
    assert "stopped after 900 s" in rendered(run)


# --- growth --------------------------------------------------------------------------------------


def test_depths_share_a_cache_that_is_filled_first(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=1)
    growth.measure(run, (40, 10, 20))
    cold = [(r["spec"]["layers"], c) for p, r, c in run.asked if p[-1].endswith("cold")]
    assert [layers for layers, _ in cold] == [2, 10, 20, 40]
    assert len({cache for _, cache in cold}) == 1
    text = rendered(run)
    assert "Worse than linear: none" in text


def test_native_uses_the_depths_that_growth_measured(tmp_path: Path) -> None:
    run = FakeRun(tmp_path, answer_all, runs=1)
    growth.measure(run, (10, 20))
    before = len(run.asked)
    native.measure(run, 20, (10, 20), ("depths",))
    assert len(run.asked) == before


def test_a_stage_that_grows_as_the_square_is_named(tmp_path: Path) -> None:
    def answer(
        program: Sequence[str], request: Mapping[str, Any], cache: Path | None
    ) -> dict[str, Any]:
        found = answer_all(program, request, cache)
        if "stages" in found:
            found["stages"]["pack"] = request["spec"]["layers"] ** 2 / 1000
        return found

    run = FakeRun(tmp_path, answer, runs=1)
    growth.measure(run, (10, 20, 40))
    assert growth.worse_than_linear(run.document["results"]["growth"]) == ["pack"]
    assert "Worse than linear: pack." in rendered(run)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(10.0, 3.0), (20.0, 6.0), (40.0, 12.0)], 1.0),
        ([(10.0, 1.0), (100.0, 100.0)], 2.0),
        ([(10.0, 5.0), (20.0, 5.0)], 0.0),
        ([(10.0, 5.0)], None),
        ([(10.0, 0.0), (20.0, 5.0)], None),
        ([], None),
    ],
)
def test_the_exponent(points: list[tuple[float, float]], expected: float | None) -> None:
    found = growth.exponent(points)
    assert found == expected if expected is None else found == pytest.approx(expected)
