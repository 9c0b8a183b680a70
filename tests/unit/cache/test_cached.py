"""The cache in front of a compile: hits, misses and why, and what is wrong with an entry."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.cache import build, cached
from ipy_fastcompile.cache.cached import CachedModel, CachedResult, compile_cached
from ipy_fastcompile.cache.key.components import KEY_MEMBER
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.engine.compiled import CompiledModel
from ipy_fastcompile.engine.kernels import lower
from ipy_fastcompile.errors import CacheMiss, CallError, FastCompileWarning, OpMissing
from ipy_fastcompile.explained import FROM_CACHE, read_explained
from ipy_fastcompile.records import Report
from ipy_fastcompile.verification.check import largest_difference
from tests.tiny import another
from tests.unit.cache.key_project import inputs, open_project, replaced

pytestmark = pytest.mark.slow
DYNAMIC = {"ids": {1: "seq"}}


@pytest.fixture
def ask(store: Store, compiles: list[Any], tiny_model: Any, tiny_ids: Any) -> Any:
    def call(**options: Any) -> CachedResult:
        return compile_cached(
            tiny_model, (tiny_ids,), **{"dynamic": DYNAMIC, "store": store, **options}
        )

    return call


def test_a_miss_is_compiled_and_the_next_call_is_a_hit(
    ask: Any, compiles: list[Any], tiny_model: Any, tiny_ids: Any
) -> None:
    first, second = ask(), ask()
    assert (first.hit, second.hit, len(compiles)) == (False, True, 1)
    assert isinstance(first.model, CompiledModel)
    assert isinstance(second.model, CachedModel)
    assert first.key == second.key
    assert str(first).startswith(f"cache miss: {first.key[:12]}")
    assert str(second) == f"cache hit: {first.key[:12]}"
    with torch.no_grad():
        for ids in (tiny_ids, torch.zeros(1, 3, dtype=torch.int64)):
            eager = tiny_model(ids)
            assert largest_difference(eager, first.model(ids)) < 1e-4
            assert largest_difference(eager, second.model(ids)) < 1e-4


def test_the_report_says_so(ask: Any) -> None:
    missed, hit = ask().model.report, ask().model.report
    assert (missed.cache, hit.cache) == ("miss", "hit")
    assert missed.key == hit.key != ""
    assert missed.why_miss == ("first compile of TinyTransformer",)
    assert missed.miss_details == ()
    assert hit.why_miss == ()
    same = {"cache": "", "why_miss": ()}
    assert _but(hit, **same) == _but(missed, **same)


def _but(report: Any, **fields: Any) -> Any:
    return Report(**{**vars(report), **fields})


def test_a_miss_names_what_differs(ask: Any) -> None:
    ask()
    result = ask(dynamic=None)
    assert not result.hit
    (fact,) = result.why_miss
    assert fact.startswith("dynamic: removed ids = ")


def test_force_compiles_and_replaces(ask: Any, compiles: list[Any], store: Store) -> None:
    ask()
    before = store.entries()[0].path.stat().st_ino
    result = ask(force=True)
    assert (result.hit, len(compiles)) == (False, 2)
    assert result.why_miss == ("a new compile was asked for",)
    assert store.entries()[0].path.stat().st_ino != before
    assert ask().hit


def test_assert_warm_fails_instead_of_compiling(
    ask: Any, compiles: list[Any], store: Store
) -> None:
    with pytest.raises(CacheMiss, match="first compile of TinyTransformer"):
        ask(assert_warm=True)
    assert not compiles
    ask()
    assert ask(assert_warm=True).hit
    with pytest.raises(CacheMiss, match="dynamic"):
        ask(assert_warm=True, dynamic=None)


def test_an_entry_without_records_is_compiled_again_where_they_are_asked_for(
    ask: Any, compiles: list[Any], tiny_compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = another(tiny_compiled)
    kernels = [replace(k, explained=FROM_CACHE.packed()) for k in bare.report.kernels]
    bare.report = replace(bare.report, kernels=tuple(kernels))
    with monkeypatch.context() as patch:
        patch.setattr(build, "compile", lambda *_, **options: bare)
        ask()
    assert ask().hit
    recorded = ask(explain=True)
    assert not recorded.hit
    assert recorded.why_miss == (
        "NotExplained: passes and fusions of its kernels were not recorded",
    )
    again = ask(explain=True)
    assert (again.hit, len(compiles)) == (True, 1)
    assert all(read_explained(k.explained).groups for k in again.model.report.kernels)


def test_explain_and_assert_warm_contradict_each_other(ask: Any) -> None:
    with pytest.raises(CallError, match="assert_warm forbids"):
        ask(explain=True, assert_warm=True)


def test_force_and_assert_warm_contradict_each_other(ask: Any) -> None:
    with pytest.raises(CallError, match="assert_warm forbids"):
        ask(force=True, assert_warm=True)


def test_what_cannot_be_covered_is_compiled_and_not_kept(
    compiles: list[Any], store: Store, tiny_model: Any, tiny_ids: Any
) -> None:
    counter = itertools.count()

    def model(ids: Any) -> Any:
        next(counter)
        return tiny_model(ids)

    for _ in range(2):
        result = compile_cached(model, (tiny_ids,), store=store)
        assert not result.hit
        assert any("counter" in line for line in result.why_miss)
    assert len(compiles) == 2
    assert store.entries() == ()
    with pytest.raises(CacheMiss, match="counter"):
        compile_cached(model, (tiny_ids,), store=store, assert_warm=True)


def test_a_damaged_entry_is_put_aside_and_replaced(
    ask: Any, compiles: list[Any], store: Store
) -> None:
    path = store.path_of(ask().key)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.warns(FastCompileWarning, match="MemberCorrupt"):
        result = ask()
    assert (result.hit, len(compiles)) == (False, 2)
    assert "MemberCorrupt" in result.why_miss[0]
    assert path.with_name(path.name + ".bad").exists()
    assert ask().hit


def test_an_entry_that_does_not_load_is_compiled_again(
    ask: Any, compiles: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask()

    def refuse(*args: Any, **options: Any) -> Any:
        raise OpMissing("mylib::attn is not registered.", "Import mylib.")

    with monkeypatch.context() as patch:
        patch.setattr(cached, "load_parts", refuse)
        with pytest.warns(FastCompileWarning, match=r"OpMissing.*mylib::attn"):
            result = ask()
    assert (result.hit, len(compiles)) == (False, 2)
    assert "mylib::attn" in result.why_miss[0]


def test_a_cache_that_cannot_be_written_costs_a_warning(
    compiles: list[Any], tmp_path: Path, tiny_model: Any, tiny_ids: Any
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "cache")
    with pytest.warns(FastCompileWarning, match="not cached"):
        result = compile_cached(tiny_model, (tiny_ids,), dynamic=DYNAMIC, store=store)
    assert result.model(tiny_ids)["logits"].shape == (1, 8, 64)


def test_what_another_process_compiled_meanwhile_is_a_hit(
    ask: Any, compiles: list[Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.path_of(ask().key)
    kept = path.read_bytes()
    path.unlink()

    @contextmanager
    def lock(key: Any) -> Iterator[bool]:
        path.write_bytes(kept)
        path.chmod(0o600)
        yield True

    monkeypatch.setattr(store, "lock", lock)
    assert ask().hit
    assert len(compiles) == 1


def test_a_hit_saves_what_loads(ask: Any, tiny_model: Any, tiny_ids: Any, tmp_path: Path) -> None:
    ask()
    hit = ask().model
    record = hit.save(tmp_path / "kept.fastcompile")
    assert hit.report.artifact == record
    assert record.signed
    loaded = fc.load(tmp_path / "kept.fastcompile", tiny_model)
    assert largest_difference(hit(tiny_ids), loaded(tiny_ids)) == 0.0
    assert fc.inspect(tmp_path / "kept.fastcompile").digest == record.digest


def test_a_hit_can_be_looked_at_like_a_compile(ask: Any) -> None:
    missed, hit = ask().model, ask().model
    assert hit.execution_code == missed.execution_code
    assert hit.execution_code in hit.parts.read("execution.py").decode()
    assert str(hit)
    widgets = [missed.explore(), hit.explore()]
    different = {name for name in widgets[0].data if widgets[0].data[name] != widgets[1].data[name]}
    for widget in widgets:
        widget.close()
    assert different == {"cache", "why", "facts"}


def test_what_a_hit_does_not_have_is_said(ask: Any) -> None:
    assert ask().model.split_graph is not None
    with pytest.raises(AttributeError, match=r"no attribute 'split_graph'; .* force=True"):
        ask().model.split_graph  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        ask().model.nonsense  # noqa: B018


def test_a_saved_compile_knows_its_key_but_not_its_texts(ask: Any, tmp_path: Path) -> None:
    result = ask()
    result.model.save(tmp_path / "kept.fastcompile")
    info = fc.inspect(tmp_path / "kept.fastcompile")
    assert info.manifest["key"]["digest"] == result.key
    assert KEY_MEMBER not in info.names


# --- without stand-ins ---------------------------------------------------------------------------


def test_an_edited_helper_gives_its_own_numbers(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    project = open_project(folder)
    assert not compile_cached(project.model, (inputs(),), store=store).hit
    again = compile_cached(open_project(folder).model, (inputs(),), store=store)
    assert again.hit
    torch.testing.assert_close(again.model(inputs()), project.numbers())

    edited = open_project(folder, {"keyed_helpers": replaced("angle + 1.0", "angle + 2.0")})
    result = compile_cached(edited.model, (inputs(),), store=store)
    assert not result.hit
    assert any("x * angle + 1.0 -> return x * angle + 2.0" in line for line in result.why_miss)
    torch.testing.assert_close(result.model(inputs()), edited.numbers())
    assert not torch.equal(result.model(inputs()), again.model(inputs()))

    back = compile_cached(open_project(folder).model, (inputs(),), store=store)
    assert back.hit
    torch.testing.assert_close(back.model(inputs()), project.numbers())


_CHILD = """
import json, sys
import torch
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.cache.cached import compile_cached
from ipy_fastcompile.torch_compat.inductor import compiler_modules_loaded
from tests.tiny import TinyTransformer
torch.manual_seed(0)
model = TinyTransformer().eval()
ids = torch.arange(8).reshape(1, 8)
result = compile_cached(
    model, (ids,), dynamic={"ids": {1: "seq"}}, store=Store(sys.argv[1]), assert_warm=True
)
with torch.no_grad():
    error = (model(ids)["logits"] - result.model(ids)["logits"]).abs().max().item()
sympy = [name for name in sys.modules if name.partition('.')[0] == 'sympy']
print(json.dumps([result.hit, error, [*compiler_modules_loaded(), *sympy]]))
"""


def test_a_hit_in_a_fresh_process_imports_no_compiler_and_no_sympy(ask: Any, store: Store) -> None:
    ask()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(store.directory)],
        env={**os.environ, "PATH": "", "TORCHINDUCTOR_CACHE_DIR": str(store.directory / "empty")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    hit, error, modules = json.loads(done.stdout)
    assert hit
    assert error < 1e-4
    assert modules == []


# --- degraded results ----------------------------------------------------------------------------

_PASSING = [
    RuntimeError("InvalidCxxCompiler: No working C++ compiler found"),
    OSError(28, "No space left on device"),
    MemoryError("out of memory"),
    TimeoutError("the compiler took too long"),
]


def test_what_runs_uncompiled_is_not_kept_and_says_so_each_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.GELU()).eval(), inputs()
    for error in _PASSING:

        def refuse(*args: Any, error: Exception = error, **options: Any) -> Any:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(lower, "begin_kernel", refuse)
            with pytest.warns(FastCompileWarning) as said:
                result = compile_cached(model, (x,), store=store)
        assert not result.hit
        assert store.entries() == ()
        text = "\n".join(str(warning.message) for warning in said)
        assert "not cached: 1 of 1 submodules runs uncompiled, submod_0 because of" in text
        assert text.count(f"{type(error).__name__}: {str(error).splitlines()[0]}") >= 1
        torch.testing.assert_close(result.model(x), model(x))
    recovered = compile_cached(model, (x,), store=store)
    assert (recovered.hit, len(recovered.model.lowered.kernels)) == (False, 1)
    assert compile_cached(model, (x,), store=store).hit


def test_a_model_that_torch_compile_has_run_is_the_same_model(store: Store) -> None:
    model, x = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh()).eval(), torch.ones(2, 3)
    first = compile_cached(model, (x,), store=store)
    beside = torch.compile(model, backend="eager")
    expected = beside(x)
    assert vars(model.get_parameter("0.weight")), "nothing was noted on the parameters"
    for asked in (model, beside, torch.compile(model), torch.nn.DataParallel(model)):
        again = compile_cached(asked, (x,), store=store)
        assert again.hit, again.why_miss
        torch.testing.assert_close(again.model(x), expected)
    model.get_parameter("0.weight").marked = True
    missed = compile_cached(model, (x,), store=store)
    assert not missed.hit
    assert any("marked" in why for why in missed.why_miss)
    assert first.key != missed.key
