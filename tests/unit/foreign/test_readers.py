"""Each format that the installed torch writes: recognised by content, and shown."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.errors import ArtifactNotFound, ForeignUnreadable
from ipy_fastcompile.foreign.dangers import RUNS
from ipy_fastcompile.foreign.records import EXECUTION, GRAPH, OUTPUT, ForeignArtifact
from tests.foreign_samples import FORMATS

pytestmark = pytest.mark.slow  # the samples are compiled

# The formats in which Inductor's output code is, and the AOT graph and the post-grad graph.
WITH_OUTPUT = (
    "aot_compile",
    "standalone_aot",
    "standalone_serialized",
    "standalone_cache",
    "standalone_unpacked",
    "mega_cache",
)


@pytest.fixture(scope="module")
def records(foreign_samples: Path) -> dict[str, ForeignArtifact]:
    return {name: fc.inspect(foreign_samples / name) for name in FORMATS}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_recognised_and_read_to_its_end(
    name: str, records: dict[str, ForeignArtifact]
) -> None:
    record = records[name]
    assert record.format == FORMATS[name]
    assert record.unread == ()
    assert record.loads_by
    assert json.loads(record.to_json())["format"] == record.format
    assert str(record).count("\n") > 5


@pytest.mark.parametrize("name", FORMATS)
def test_the_name_of_a_file_says_nothing(name: str, foreign_samples: Path, tmp_path: Path) -> None:
    copy = tmp_path / "photo.png"
    source = foreign_samples / name
    (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    assert fc.inspect(copy).format == FORMATS[name]
    if source.is_file():
        record = fc.inspect(source.read_bytes())
        assert (record.path, record.format) == ("<bytes>", FORMATS[name])


@pytest.mark.parametrize("name", WITH_OUTPUT)
def test_code_and_graphs_come_out_of_the_pickles(
    name: str, records: dict[str, ForeignArtifact]
) -> None:
    record = records[name]
    (output,) = [text for text in record.texts if text.role == OUTPUT]
    assert "async_compile = AsyncCompile()" in output.text
    assert "def call(" in output.text
    graphs = {text.name: text.text for text in record.texts if text.role == GRAPH}
    post_grad = next(text for title, text in graphs.items() if "post-grad" in title)
    assert "torch.ops.aten.addmm" in post_grad
    assert any("runnable" in title for title in graphs)
    if "aot" in name or "serialized" in name:
        assert any("AOT forward" in title for title in graphs)
    assert {kernel.language for kernel in record.kernels} == {"cpp"}
    assert all(kernel.text in output.text for kernel in record.kernels)
    assert {entry.name for entry in record.globals} >= {
        "torch._inductor.output_code.CompiledFxGraph"
    }
    assert all(entry.rank > RUNS for entry in record.globals)
    assert dict(record.stamps)["device"] == "cpu"


def test_an_aot_compile_file_says_its_signature_guards_and_machine(
    records: dict[str, ForeignArtifact],
) -> None:
    import sys

    import torch

    record = records["aot_compile"]
    assert dict(record.stamps)["torch"] == torch.__version__
    assert dict(record.stamps)["python"] == ".".join(map(str, sys.version_info[:3]))
    assert dict(record.facts)["backend"] == "inductor"
    values = {(value.kind, value.name) for value in record.values}
    assert values >= {
        ("parameter", "self.lin.weight"),
        ("parameter", "self.lin.bias"),
        ("buffer", "self.scale"),
        ("input", "args[0]"),
    }
    assert any(guard.startswith("TENSOR_MATCH on args[0]: ") for guard in record.guards)
    assert any("size=[32, 16]" in guard for guard in record.guards) or len(record.guards) > 10
    assert "sample_model" in dict(record.facts)["imports when called"] or any(
        entry.name == "sample_model.Sample" for entry in record.globals
    )
    assert any("class Sample" in t.text or "self.lin(x)" in t.text for t in record.texts)


def test_an_aotinductor_package_shows_wrapper_kernels_and_binaries(
    records: dict[str, ForeignArtifact],
) -> None:
    record = records["aotinductor"]
    (wrapper,) = [text for text in record.texts if text.role == EXECUTION]
    assert "AOTInductorModel::run_impl(" in wrapper.text
    assert record.kernels
    (library,) = record.binaries
    assert library.kind == "machine code (ELF)"
    assert len(library.sha256) == 64
    values = {(value.kind, value.name): value.detail for value in record.values}
    assert values[("parameter", "lin.weight")] == "float32[16, 16] on cpu, 1024 bytes"
    assert ("output", "output0") in values
    assert dict(record.stamps)["device"] == "cpu"
    assert dict(record.stamps)["CPU instructions"]
    assert any("kernel_information" in text.name for text in record.texts)
    assert record.globals == ()


def test_an_exported_program_is_a_graph_with_its_signature(
    records: dict[str, ForeignArtifact],
) -> None:
    import torch

    record = records["exported"]
    values = {(value.kind, value.name): value.detail for value in record.values}
    assert values[("parameter", "lin.weight")] == "float32[16, 16] on cpu"
    assert values[("buffer", "scale")] == "float32[16] on cpu"
    (x,) = [value for value in record.values if value.kind == "input"]
    assert x.detail.endswith(", 16] on cpu")
    (guard,) = record.guards
    assert guard.startswith("2 <= s")
    assert guard.endswith(" <= 64")
    (graph,) = [text for text in record.texts if text.role == GRAPH]
    assert graph.text.count("torch.ops.aten.linear.default(") == 2
    assert "sample_model.py:" in graph.text
    assert dict(record.stamps)["torch"] == torch.__version__
    assert [b.size for b in record.binaries if b.name.startswith("data/weights/")] == [1024, 64, 64]


def test_saved_tensors_are_named_and_never_made(records: dict[str, ForeignArtifact]) -> None:
    for name in ("saved", "saved_legacy", "safetensors"):
        found = {value.name: value.detail for value in records[name].values}
        assert set(found) == {"lin.weight", "lin.bias", "scale"}
        assert "16, 16" in found["lin.weight"]
    assert {entry.name for entry in records["saved"].globals} >= {"torch._utils._rebuild_tensor_v2"}
    assert records["safetensors"].globals == ()


def test_torchscript_shows_its_code(records: dict[str, ForeignArtifact]) -> None:
    assert any("def forward(" in text.text for text in records["torchscript"].texts)


def test_twins_in_a_cache_are_marked(records: dict[str, ForeignArtifact]) -> None:
    record = records["inductor_cache"]
    assert max(kernel.twins for kernel in record.kernels) > 1
    assert "twins" in str(record)
    digests = [kernel.digest for kernel in record.kernels]
    assert all(kernel.twins == digests.count(kernel.digest) for kernel in record.kernels)


def test_a_file_of_several_aot_compiled_calls(foreign_samples: Path) -> None:
    # As `AOTCompiledModel.serialize` writes it: a pickled list of the bytes of single ones.
    one = (foreign_samples / "aot_compile").read_bytes()
    record = fc.inspect(pickle.dumps([one, one + b""]))
    assert record.format == "aot_compile module file"
    assert dict(record.facts)["call 0: backend"] == "inductor"
    assert record.kernels
    assert record.unread == ()


def test_an_exported_program_of_before_torch_2_8(foreign_samples: Path, tmp_path: Path) -> None:
    # Made of a new one: the same JSON, under the name that it had, without the new members.
    with zipfile.ZipFile(foreign_samples / "exported") as new:
        program = new.read("exported/models/model.json")
    with zipfile.ZipFile(tmp_path / "old", "w") as old:
        old.writestr("serialized_exported_program.json", program)
        old.writestr("version", "7.3")
    record = fc.inspect(tmp_path / "old")
    assert record.format == "exported program"
    assert record.version == "archive version 7.3"
    assert any(text.role == GRAPH for text in record.texts)


UNKNOWN = {
    b"": "an empty file",
    b"\x1f\x8b\x08\x00": "a gzip file",
    b"GGUF\x03\0\0\0": "a GGUF model",
    b"\x7fELF\x02\x01\x01": "a shared library or program for Linux",
    b"\x08\x09\x12\x07pytorch\x1a": "an ONNX model",
    b'{"a": 1}': "JSON",
    b"<html></html>": "HTML",
    b"hello": "text",
    b"\x00\x01\x02\x03": "4 bytes that begin with 00 01 02 03",
    b"\x80\x63N.": "a pickle of protocol 99",
    b"version https://git-lfs.github.com/spec/v1\n": "a pointer of Git LFS",
}


@pytest.mark.parametrize("data", UNKNOWN)
def test_what_is_not_known_says_what_it_looks_like(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(data)
    for file in (path, data):
        with pytest.raises(ForeignUnreadable, match="it looks like") as error:
            fc.inspect(file)
        assert UNKNOWN[data] in str(error.value)
        assert "\n" not in str(error.value)


def test_a_folder_of_nothing_known_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(ForeignUnreadable, match="is a folder in which no file"):
        fc.inspect(tmp_path)
    with pytest.raises(ArtifactNotFound, match="There is no artifact"):
        fc.inspect(tmp_path / "missing")


def test_a_link_in_a_folder_is_not_followed(tmp_path: Path, foreign_samples: Path) -> None:
    folder = tmp_path / "cache"
    shutil.copytree(foreign_samples / "standalone_unpacked", folder)
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    record = fc.inspect(folder)
    assert [(u.where, u.why) for u in record.unread] == [
        ("link", "a symbolic link is not followed")
    ]
    assert "secret" not in record.to_json().replace("link", "")


def test_a_bare_library_of_aotinductor_is_named(foreign_samples: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(foreign_samples / "aotinductor") as package:
        (name,) = [name for name in package.namelist() if name.endswith(".so")]
        (tmp_path / "model").write_bytes(package.read(name))
    assert fc.inspect(tmp_path / "model").format == "AOTInductor library"
