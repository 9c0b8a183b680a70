from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ipy_fastcompile.artifact import blob_name, kinds, save_artifact
from ipy_fastcompile.artifact.compare import compare
from ipy_fastcompile.artifact.inspect import REPORT, inspect
from ipy_fastcompile.artifact.pickles import list_imports
from ipy_fastcompile.artifact.schema import KernelEntry, Library
from ipy_fastcompile.artifact.schema.write import as_data
from ipy_fastcompile.artifact.squeeze import squeeze
from ipy_fastcompile.artifact.units import format_bytes
from ipy_fastcompile.errors import ArtifactCorrupt, MemberCorrupt
from ipy_fastcompile.records import Report
from tests.faults.parts import run_child
from tests.unit.show.sample import sample_report

from .sample import PROGRAM, kernel

NATIVE = b"\x7fELF" + b"n" * 5000
FX = pickle.dumps({"graph": [json.JSONDecoder], "inner": pickle.dumps(io.StringIO)})
KERNEL = pickle.dumps(json.JSONEncoder)


def program(*kernels: KernelEntry) -> dict[str, Any]:
    native, torch = blob_name(NATIVE), blob_name(squeeze(KERNEL))
    parts: dict[str, Any] = {"libraries": (), "launches": (), "torch": torch}
    usual = (
        kernel(0, **{**parts, "libraries": (Library("k", native),)}),
        kernel(1, digest="cd" * 32, native=False, why="it mutates x", **parts),
    )
    made: dict[str, Any] = as_data(
        replace(
            PROGRAM,
            conditions=(),
            kernels=kernels or usual,
            fx=blob_name(squeeze(FX)),
            stitched={"submod_0": 0, "submod_1": 1, "submod_2": 0, "submod_4": 0},
        )
    )
    return made


def save(path: Path, **changes: Any) -> Path:
    manifest = {
        "model": {"name": "LlamaForCausalLM", "parameters": 2, "submodules": 5},
        "stamp": {"torch": "2.13.0", "cpu_flags": ["avx2", "fma"]},
        "programs": [program()],
        "ops_called": [],
        **changes.pop("manifest", {}),
    }
    blobs = (NATIVE, squeeze(KERNEL), squeeze(FX))
    members = {
        "execution.py": b"def execute(x):\n    return x\n",
        "graph.txt": b"%x\n",
        **{blob_name(blob): blob for blob in blobs},
        "constants.safetensors": b"\x08\0\0\0\0\0\0\0{}      ",
        **changes,
    }
    save_artifact(path, manifest, members)
    return path


def test_the_summary(tmp_path: Path) -> None:
    info = inspect(save(tmp_path / "a.fastcompile"))
    lines = str(info).splitlines()
    assert lines[0] == f"{tmp_path / 'a.fastcompile'} · {format_bytes(info.size)} · 6 members"
    assert lines[2].startswith("  saved       20")
    assert lines[2].endswith("Z · 0.1.0 · ipy_fastcompile/3")
    assert lines[3] == f"  digest      {info.digest}"
    del lines[2:4], lines[0]
    sizes = [format_bytes(len(squeeze(data))) for data in (KERNEL, FX)]
    assert "\n".join(lines) == (
        "  model       LlamaForCausalLM\n"
        "  trusted     yes: it was signed by this user\n"
        "  parameters  2\n"
        "  submodules  5\n"
        "  kernels     2: 1 native, 1 through torch\n"
        "                0 abababababab 3 submodules, native\n"
        "                1 cdcdcdcdcdcd 1 submodule, torch: it mutates x\n"
        "  stamp       torch: 2.13.0\n"
        "              cpu_flags: avx2 fma\n"
        "  sizes       32 B text\n"
        "              5 kB native binaries\n"
        f"              {sizes[0]} kernels for the torch path\n"
        f"              {sizes[1]} FX graph\n"
        "              16 B constants\n"
        "  texts       execution.py, graph.txt\n"
        "  edited      execution.py, line 1: the function execute is never generated.\n"
        f"  unpickling  kernels for the torch path, {blob_name(squeeze(KERNEL))[:18]}…: imports "
        "json.encoder.JSONEncoder\n"
        f"  unpickling  FX graph, {blob_name(squeeze(FX))[:18]}…: imports _io.StringIO, "
        "json.decoder.JSONDecoder"
    )


def two_programs(*names: str, **changes: Any) -> dict[str, Any]:
    """A manifest with programs of these names; each has the first one's kernel and one more."""
    entries = []
    for position, name in enumerate(names):
        entry = {**program(), "name": name, "conditions": ["seq is even"] if position else []}
        first, own = entry["kernels"]
        folder = f"programs/{position}/" if position else ""
        own = {**own, "digest": f"{position}d" * 32, "text": f"{folder}kernels/1/native.py"}
        entry |= {"kernels": [first, own], "execution": f"{folder}execution.py", **changes}
        entries.append(entry)
    return {"programs": entries}


def test_the_summary_of_several_programs(tmp_path: Path) -> None:
    path = save(tmp_path / "a", manifest=two_programs("call_0", "call_1\x1b"))
    lines = str(inspect(path)).splitlines()
    at = lines.index("  programs    call_0: ids int64[1, seq], scale=inf")
    assert lines[at + 1 : at + 7] == [
        "              call_1\\x1b: ids int64[1, seq], scale=inf",
        "  conditions  call_1\\x1b: seq is even",
        "  kernels     3: 1 native, 2 through torch",
        "                0 abababababab 6 submodules, native, in call_0, call_1\\x1b",
        "                1 0d0d0d0d0d0d 1 submodule, torch: it mutates x, in call_0",
        "                2 1d1d1d1d1d1d 1 submodule, torch: it mutates x, in call_1\\x1b",
    ]


def test_an_artifact_that_says_nothing(tmp_path: Path) -> None:
    save_artifact(tmp_path / "a.fastcompile", {}, {})
    text = str(inspect(tmp_path / "a.fastcompile"))
    assert "model       (not named)" in text
    assert "parameters  not recorded" in text
    assert "kernels     0: 0 native" in text
    assert "stamp       none" in text
    assert "manifest    no load takes it: model is missing, and 3 more" in text


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {"a": 1}, {"a": {}}, [[1]], True, 1.5])
def test_manifests_of_any_shape_are_summarised(tmp_path: Path, value: object) -> None:
    inner = ("kernels", "stitched", "fx", "code", "stored")
    kernel = dict.fromkeys(("digest", "native", "why", "libraries", "launches", "sizes"), value)
    for manifest in (
        dict.fromkeys(("model", "stamp", "programs", "key"), value),
        {"model": dict.fromkeys(("name", "parameters", "submodules"), value)},
        {"programs": [dict.fromkeys(inner, value), value]},
        {"programs": [{"kernels": [kernel, {**kernel, "sizes": [kernel], "libraries": [value]}]}]},
    ):
        save_artifact(tmp_path / "a.fastcompile", manifest, {"a.txt": b""})
        info = inspect(tmp_path / "a.fastcompile")
        assert str(info).count("\n") > 8
        assert repr(info).startswith("ArtifactInfo(")


def test_texts(tmp_path: Path) -> None:
    info = inspect(save(tmp_path / "a.fastcompile", **{"bad.txt": b"\xff"}))
    assert info.text("graph.txt") == "%x\n"
    with pytest.raises(MemberCorrupt, match="is not text"):
        info.text("bad.txt")
    with pytest.raises(MemberCorrupt, match="has no member"):
        info.text("missing.txt")


def test_the_report(tmp_path: Path) -> None:
    report = sample_report()
    info = inspect(save(tmp_path / "a", **{REPORT: squeeze(report.to_json().encode())}))
    assert isinstance(info.report, Report)
    assert info.report == report
    assert inspect(save(tmp_path / "b")).report is None
    for text in (b"", b"{}", b'{"model": 1}', b"\xff", b"[" * 100_000):
        for content in (text, squeeze(text)):
            with pytest.raises(MemberCorrupt, match="report"):
                _ = inspect(save(tmp_path / "c", **{REPORT: content})).report


def test_a_member_that_explodes_is_not_decompressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "SHOWN_BYTES", 10_000)
    bomb = squeeze(b"x" * 10_001)
    info = inspect(save(tmp_path / "a", **{REPORT: bomb, "bomb.bin": bomb}))
    with pytest.raises(ArtifactCorrupt, match="more than 10000"):
        _ = info.report
    assert "more than 10000" in info.pickles["bomb.bin"].note
    assert "more than 10000" in str(info)


def test_inspecting_needs_no_torch(tmp_path: Path) -> None:
    save(tmp_path / "a.fastcompile", **{REPORT: squeeze(sample_report().to_json().encode())})
    done = run_child(
        "sys.modules['torch'] = None\n"
        "try:\n    import torch\n"
        "except ImportError:\n    print('no torch')\n"
        "import ipy_fastcompile as fc\n"
        "info = fc.inspect(sys.argv[1])\n"
        "print(info.report.model, len(str(info)) > 300)\n",
        tmp_path / "a.fastcompile",
    )
    assert done.stdout.splitlines() == ["no torch", f"{sample_report().model} True"]


# --- pickles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_imports_of_every_protocol(protocol: int) -> None:
    data = pickle.dumps([json.JSONDecoder, {json.JSONDecoder: json.JSONEncoder}], protocol)
    listing = list_imports(data)
    assert listing.names == ("json.decoder.JSONDecoder", "json.encoder.JSONEncoder")
    assert listing.note == ""


def test_nested_pickles_are_listed() -> None:
    data = pickle.dumps(json.JSONDecoder)
    for _ in range(3):
        data = pickle.dumps(data)
    assert list_imports(data).names == ("json.decoder.JSONDecoder",)
    for _ in range(4):
        data = pickle.dumps(data)
    assert "nested deeper" in list_imports(data).note


def test_computed_names_are_said_to_be_unknown() -> None:
    data = b"\x80\x04\x8c\x02os\x94\x8c\x03sys\x94K\x01\x93."  # STACK_GLOBAL of "sys" and 1
    assert list_imports(data).names == ("?",)
    assert "computed" in list_imports(data).note


def test_an_old_pickle_is_recognised_by_its_end(tmp_path: Path) -> None:
    old = pickle.dumps(json.JSONDecoder, 0)
    info = inspect(save(tmp_path / "a.fastcompile", **{"old.bin": old, "raw.bin": b"\0\1\2"}))
    assert info.pickles["old.bin"].names == ("json.decoder.JSONDecoder",)
    assert "raw.bin" not in info.pickles


def test_a_broken_pickle_says_so() -> None:
    listing = list_imports(pickle.dumps(json.JSONDecoder)[:-3])
    assert "does not parse to its end" in listing.note


@settings(max_examples=300)
@given(st.binary(max_size=60), st.sampled_from([b"", b"\x80\x04", b"c", b"(i", b"\x8c\x01a"]))
def test_any_bytes_are_listed_without_an_exception(data: bytes, head: bytes) -> None:
    listing = list_imports(head + data)
    assert all(isinstance(name, str) for name in listing.names)


# --- two artifacts ------------------------------------------------------------------------------


def test_equal_artifacts(tmp_path: Path) -> None:
    comparison = compare(save(tmp_path / "a"), save(tmp_path / "b"))
    assert comparison.is_equal
    assert str(comparison).endswith("when they were saved and what their reports say.")


def test_what_differs(tmp_path: Path) -> None:
    other = {
        "stamp": {"torch": "2.12.0", "cpu_flags": ["avx2", "fma"], "gpu": "H100"},
        "programs": [program(kernel(0), kernel(1, digest="ef" * 32))],
    }
    comparison = compare(
        save(tmp_path / "a"),
        save(
            tmp_path / "b",
            manifest=other,
            **{"execution.py": b"def execute(x):\n    return -x\n", "more.txt": b"x"},
        ),
    )
    assert not comparison.is_equal
    changed = {change.path: (change.a, change.b) for change in comparison.manifest}
    assert changed["stamp.torch"] == ("2.13.0", "2.12.0")
    assert changed["stamp.gpu"] == (None, "H100")
    assert changed["programs[0].kernels[1].digest"] == ("cd" * 32, "ef" * 32)
    assert (comparison.kernels_a, comparison.kernels_b) == (("cd" * 32,), ("ef" * 32,))
    assert comparison.kernels_shared == 1
    assert {kind: b - a for kind, a, b in comparison.sizes}["text"] == 2
    text = str(comparison)
    for line in (
        "  stamp.torch: 2.13.0 -> 2.12.0",
        "  1 shared",
        f"  only in a: {'cd' * 32}",
        "  text: 32 B -> 34 B (+2 bytes)",
        "  -    return x",
        "  +    return -x",
        "more.txt: only in b",
    ):
        assert line in text.splitlines()


def test_programs_are_compared_by_name_wherever_they_stand(tmp_path: Path) -> None:
    texts = {"programs/1/execution.py": b"prefill = 1\n", "execution.py": b"step = 1\n"}
    a = save(tmp_path / "a", manifest=two_programs("step", "prefill"), **texts)
    moved = {"programs/1/execution.py": b"step = 1\n", "execution.py": b"prefill = 2\n"}
    b = save(tmp_path / "b", manifest=two_programs("prefill", "step", "other"), **moved)
    comparison = compare(a, b)
    assert (comparison.programs_a, comparison.programs_b) == ((), ("other",))
    assert not comparison.is_equal
    assert [text.name for text in comparison.texts] == ["prefill/execution.py"]
    assert {c.path for c in comparison.manifest if "digest" in c.path} == {
        "programs[step].kernels[1].digest",
        "programs[prefill].kernels[1].digest",
    }
    # The digests are the same, in other programs, but for the third one's.
    assert (comparison.kernels_a, comparison.kernels_b) == ((), ("2d" * 32,))
    assert comparison.kernels_shared == 3
    lines = str(comparison).splitlines()
    assert lines[lines.index("programs") + 1] == "  only in b: other"
    assert "  -prefill = 1" in lines


def test_a_single_program_is_compared_with_the_first_of_several(tmp_path: Path) -> None:
    a = save(tmp_path / "a")
    b = save(tmp_path / "b", manifest=two_programs("call_0", "call_1"))
    comparison = compare(a, b)
    assert comparison.programs_b == ("1",)
    assert ("programs[0].name", "", "call_0") in [
        (change.path, change.a, change.b) for change in comparison.manifest
    ]
    assert comparison.texts == ()
