"""Formats that the installed torch cannot write, recorded from their real writers."""

from __future__ import annotations

import pickle
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.foreign.dangers import RUNS
from ipy_fastcompile.foreign.records import EXECUTION, GRAPH, OUTPUT

RECORDED = Path(__file__).parent / "recorded"


@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_the_source_of_a_precompiled_pair(backend: str) -> None:
    record = fc.inspect(RECORDED / "precompile" / f"{backend}.py")
    assert record.format == "torch.compiler.precompile source"
    assert dict(record.facts)["backend"] == backend
    assert [(v.kind, v.name, v.detail) for v in record.values] == [
        ("parameter", "lin.weight", "float32[4, 4] on cpu"),
        ("parameter", "lin.bias", "float32[4] on cpu"),
        ("buffer", "scale", "float32[4] on cpu"),
        ("input", "input 0", "float32[3, 4] on cpu"),
    ]
    worst = record.globals[0]
    assert (worst.name, worst.rank) == ("builtins.exec", RUNS)
    assert len(record.kernels) == (backend == "inductor")
    assert record.unread == ()


@pytest.mark.parametrize("backend", ["eager", "inductor"])
def test_the_cache_of_a_precompiled_pair_names_its_source(backend: str) -> None:
    record = fc.inspect(RECORDED / "precompile" / f"{backend}.cache")
    assert (record.format, record.version) == ("torch.compiler.precompile cache", "version 1")
    source = (RECORDED / "precompile" / f"{backend}.py").read_bytes()
    assert dict(record.facts)["code hash"] == sha256(source).hexdigest()
    assert len(record.kernels) == (backend == "inductor")
    assert record.unread == ()


def test_source_and_cache_hold_the_same_kernel() -> None:
    pair = [fc.inspect(RECORDED / "precompile" / f"inductor.{end}") for end in ("py", "cache")]
    assert pair[0].kernels[0].digest == pair[1].kernels[0].digest


def test_a_folder_of_pairs_is_read_as_pairs(tmp_path: Path) -> None:
    record = fc.inspect(RECORDED / "precompile")
    assert record.format == "torch.compiler.precompile pair"
    assert record.unread == ()
    assert len({kernel.digest for kernel in record.kernels}) == 1
    shutil.copy(RECORDED / "precompile" / "eager.py", tmp_path / "one")
    shutil.copy(RECORDED / "precompile" / "inductor.cache", tmp_path / "other")
    (missed,) = fc.inspect(tmp_path).unread
    assert (missed.where, "is not in the folder" in missed.why) == ("other", True)


def test_an_aot_compile_file_of_torch_2_15_has_a_mark_before_its_pickle() -> None:
    path = RECORDED / "aot_compile_2_15"
    record = fc.inspect(path)
    assert (record.format, record.version) == ("aot_compile file", "torch 2.15.0+cu132, format 1")
    assert record.unread == ()
    assert len(record.kernels) == 2
    assert ("input", "args[0]") in {(value.kind, value.name) for value in record.values}
    assert any(guard.startswith("TENSOR_MATCH on args[0]: ") for guard in record.guards)
    data = path.read_bytes()
    newer = fc.inspect(data[:6] + b"\x02" + data[7:])
    assert [(missed.where, missed.why) for missed in newer.unread] == [
        ("format", "format 2 is not known; it is read as if it were 1")
    ]
    both = fc.inspect(pickle.dumps([data]))
    assert both.format == "aot_compile module file"


def test_the_cache_folder_of_vllm() -> None:
    record = fc.inspect(RECORDED / "vllm")
    assert record.format == "vLLM's compile cache"
    facts = dict(record.facts)
    assert facts["compiled submodules"] == "1"
    assert any(label.startswith("submodule 0, sizes (1, 2048)") for label in facts)
    stamps = dict(record.stamps)
    assert stamps["torch"] == "2.14.0+cu130"
    assert stamps["compiler hash"]
    roles = [text.role for text in record.texts]
    assert roles.count(OUTPUT) == 1
    assert GRAPH in roles
    assert EXECUTION in roles
    assert len(record.kernels) == 2
    assert any(entry.name.startswith("vllm.") for entry in record.globals)


def test_vllms_folder_is_known_by_its_files_not_by_their_names(tmp_path: Path) -> None:
    for number, path in enumerate(sorted((RECORDED / "vllm" / "rank_0_0").rglob("*"))):
        if path.is_file():
            shutil.copy(path, tmp_path / f"file{number}")
    record = fc.inspect(tmp_path)
    assert record.format == "vLLM's compile cache"
    assert len(record.kernels) == 2


def test_the_model_file_of_vllm_is_of_aot_compile() -> None:
    record = fc.inspect(RECORDED / "vllm" / "rank_0_0" / "model")
    assert (record.format, record.version) == ("aot_compile file", "torch 2.14.0+cu130")
    assert "VllmSerializableFunction" in dict(record.facts)["compiled by"]
    assert dict(record.facts)["guards"] == "none were kept"
    assert record.unread == ()
