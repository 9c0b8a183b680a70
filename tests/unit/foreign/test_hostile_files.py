"""Hostile ZIPs, JSON, literals and code: one sentence or a record, soon and small."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.errors import FastCompileError, ForeignUnreadable
from ipy_fastcompile.foreign import kernels, limits
from ipy_fastcompile.foreign.compare import compare
from ipy_fastcompile.foreign.comparison import ForeignComparison
from ipy_fastcompile.foreign.jsons import BadJson, parse
from ipy_fastcompile.foreign.literals import NoLiteral, parse_literal
from ipy_fastcompile.foreign.records import ForeignArtifact
from ipy_fastcompile.foreign.stubs import Pairs
from tests.unit.foreign.hostile import AMPLIFIED, legacy


def made_zip(members: dict[str, bytes], *, compress: bool = True) -> bytes:
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def inspected(data: bytes) -> ForeignArtifact | str:
    """The record, or the sentence; nothing else may come."""
    begun = time.process_time()
    found: ForeignArtifact | str
    try:
        found = fc.inspect(data)
    except FastCompileError as error:
        found = str(error)
    assert "\n" not in found if isinstance(found, str) else str(found)
    assert time.process_time() - begun < 3 * limits.SECONDS
    return found


HEAD = {"archive_format": b"pt2", "archive_version": b"0"}


def test_a_bomb_of_zeros_is_not_inflated() -> None:
    bomb = made_zip(HEAD | {"data/aotinductor/model/x.wrapper.cpp": b"\0" * 50_000_000})
    assert len(bomb) < 100_000
    found = inspected(bomb)
    assert isinstance(found, ForeignArtifact)
    (missed,) = found.unread
    assert "past the" in missed.why
    assert found.texts == ()


def test_a_member_that_lies_about_its_size_is_not_read_further() -> None:
    data = bytearray(made_zip(HEAD | {"models/m.json": b" " * 9_000_000}))
    for at in range(len(data) - 4):
        if data[at : at + 4] == struct.pack("<I", 9_000_000):
            data[at : at + 4] = struct.pack("<I", 3_000)
    found = inspected(bytes(data))
    assert isinstance(found, ForeignArtifact)
    assert [missed.where for missed in found.unread] == ["models/m.json"]


def test_a_zip_in_itself_is_read_once() -> None:
    inner = made_zip({"data.pkl": b"\x80\x04N."})
    for _ in range(30):
        inner = made_zip(HEAD | {"data/sample_inputs/model.pt": inner}, compress=False)
    found = inspected(inner)
    assert isinstance(found, ForeignArtifact)
    assert [binary.kind for binary in found.binaries] == ["torch.save"]


def test_more_members_than_are_read_is_a_sentence() -> None:
    many = made_zip(
        {f"a/{number}": b"" for number in range(limits.MAX_MEMBERS + 1)}, compress=False
    )
    said = inspected(many)
    assert isinstance(said, str)
    assert f"more members than the {limits.MAX_MEMBERS} that are read" in said


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b", "\x1b[31m", "a" * 60_000]
)
def test_a_name_of_a_member_is_only_shown(name: str, tmp_path: Path) -> None:
    data = made_zip(HEAD | {f"data/aotinductor/{name}.json": b"{}", "models/m.json": b"{}"})
    found = inspected(data)
    assert isinstance(found, ForeignArtifact)
    assert "\x1b" not in str(found)
    written = found.to_folder(tmp_path / "out")
    assert all((tmp_path / "out" / name).is_file() for name in written)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_said() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for content in ("pt2", "pt3"):
            archive.writestr("x/archive_format", content)
    found = inspected(file.getvalue())
    assert isinstance(found, ForeignArtifact)
    assert any("two members have this name" in missed.why for missed in found.unread)


def test_an_encrypted_member_is_said() -> None:
    data = bytearray(made_zip(HEAD | {"models/m.json": b"{}"}, compress=False))
    at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1) + 1)
    data[at + 8] |= 1
    found = inspected(bytes(data))
    assert isinstance(found, ForeignArtifact)
    assert [missed.why for missed in found.unread] == ["it is encrypted"]


JSONS = {
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep dicts": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "many lists": b"[" + b"[]," * 2_100_000 + b"1]",
    "a number of a million digits": b"9" * 1_000_000,
    "cut": b'{"graph_module": {"graph":',
    "no UTF-8": b'{"a": "\xff"}',
    "nothing": b"",
    "a surrogate": b'{"graph_module": {"graph": {"nodes": [{"target": "\\ud800"}]}}}',
}


@pytest.mark.parametrize("kind", JSONS)
def test_hostile_json_is_said_to_be_unread(kind: str) -> None:
    if kind != "a surrogate":
        with pytest.raises(BadJson):
            parse(JSONS[kind])
    found = inspected(made_zip(HEAD | {"models/m.json": JSONS[kind]}, compress=False))
    assert isinstance(found, ForeignArtifact)
    assert found.unread or found.texts
    json.loads(found.to_json())


@pytest.mark.parametrize(
    "program",
    [
        [],
        {"graph_module": {"graph": []}},
        {"graph_module": {"graph": {"nodes": {"a": 1}, "inputs": 7, "outputs": None}}},
        {"graph_module": {"graph": {"nodes": [1, None, {"inputs": [1], "outputs": [[]]}]}}},
        {"graph_module": {"graph": {}, "signature": {"input_specs": [{"parameter": 7}, {}]}}},
        {"graph_module": {"graph": {"tensor_values": {"x": {"sizes": [{"as_expr": 1}]}}}}},
        {"graph_module": {"graph": {}}, "range_constraints": {"s0": {"min_val": []}}},
        {"graph_module": {"graph": {}}, "schema_version": 7, "opset_version": [1]},
    ],
)
def test_a_program_of_another_shape_is_shown_as_far_as_it_goes(program: object) -> None:
    found = inspected(made_zip(HEAD | {"models/m.json": json.dumps(program).encode()}))
    assert isinstance(found, ForeignArtifact)


def _directory(count: int) -> bytes:
    """A ZIP that is only a directory, of members that are all one."""
    one = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *(20, 0, 20), *[0] * 8, 1, *[0] * 6) + b"a"
    listed = one * count
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listed), 4)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 4 + len(listed), 1)
    most = 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0
    return b"PK\3\4" + listed + wide + locator + struct.pack("<4s2H2H2LH", b"PK\5\6", 0, 0, *most)


@pytest.mark.parametrize("count", [limits.MAX_MEMBERS + 1, 1_000_000])
def test_a_directory_of_a_million_members_is_not_made_into_objects(count: int) -> None:
    data = _directory(count)
    begun = time.process_time()
    said = inspected(data)
    assert isinstance(said, str)
    assert "more members than the 20000 that are read" in said
    assert time.process_time() - begun < 1


_WRAPPER = "data/aotinductor/model/x.wrapper.cpp"
_WEIGHTS = {"config": {f"w{number}": {} for number in range(60_000)}}
_RANGES = {
    "graph_module": {"graph": {}},
    "range_constraints": {f"s{number}": {"min_val": number} for number in range(60_000)},
}
_METADATA = json.dumps({"__metadata__": {f"k{n}": "v" for n in range(100_000)}}).encode()
# Few bytes for their maker, and once quadratic for their reader.
LONG = {
    "blank lines": HEAD | {_WRAPPER: b"\n" * 5_000_000},
    "heads without a body": HEAD | {_WRAPPER: b'extern "C" void k(\n' * 100_000},
    "bodies without a statement": HEAD | {_WRAPPER: b'extern "C" void k(){}\n' * 100_000},
    "more weights than are listed": HEAD | {"data/weights_config.json": json.dumps(_WEIGHTS)},
    "more ranges than are listed": HEAD | {"models/m.json": json.dumps(_RANGES)},
    "many heads of one source": (
        "async_compile = AsyncCompile()\n"
        + "k = async_compile.cpp(\n" * 100_000
        + f"'''{'x' * 2_000_000}'''\n"
    ),
    "a long source in reach of many heads": (
        "async_compile = AsyncCompile()\n"
        + "k = async_compile.cpp(\n" * 800
        + f"'''{'x ' * 2_000_000}'''\n"
    ),
    "more facts than are listed": struct.pack("<Q", len(_METADATA)) + _METADATA,
}


@pytest.mark.parametrize("kind", LONG)
def test_what_is_long_is_looked_at_once(kind: str) -> None:
    given = LONG[kind]
    if isinstance(given, dict):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in given.items():
                archive.writestr(name, content)
        given = file.getvalue()
    data = given.encode() if isinstance(given, str) else given
    begun = time.process_time()
    found = inspected(data)
    assert isinstance(found, ForeignArtifact)
    assert time.process_time() - begun < 2.5
    assert len(found.kernels) <= (limits.MAX_KERNELS if "bodies" in kind else 1)
    assert len(found.facts) <= 2_000
    if kind.startswith("more"):
        assert any("only the first" in missed.why for missed in found.unread)


def test_blank_lines_in_a_folder_are_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "code").write_text("async_compile = AsyncCompile()\n")
    (tmp_path / "blank").write_bytes(b"\n" * 1_000_000 + b"x")
    begun = time.process_time()
    assert len(fc.inspect(tmp_path).texts) == 2
    assert time.process_time() - begun < 2


def test_kernels_of_one_line_a_thousand_times_are_compared_in_time() -> None:
    def side(name: str) -> bytes:
        lines = ["x = 1;" if (number * 7) % 13 else f"{name}{number % 5};" for number in range(999)]
        body = "\n".join(lines)
        heads = [f"k{n} = async_compile.cpp('''\n{body}\nint {name}{n};\n''')\n" for n in range(30)]
        return ("async_compile = AsyncCompile()\n" + "".join(heads)).encode()

    begun = time.process_time()
    found = compare(side("a"), side("b"))
    assert time.process_time() - begun < 5
    assert isinstance(found, ForeignComparison)
    assert len(found.only_a) == 30


def test_literals_are_read_without_pythons_parser() -> None:
    text = (
        "{ (None, 0, 'inductor'): ('ab\\'c', \"d\\x41\"), (Range(start=1, end=8), 1, 'x'): [1.5]}"
    )
    found = parse_literal(text)
    assert isinstance(found, Pairs)
    assert found.pairs == [((None, 0, "inductor"), ("ab'c", "dA")), (((1, 8), 1, "x"), [1.5])]
    for bad in ("__import__('os')", "[" * 100_000, "(" * 300 + ")" * 300, "{1}", "'a", "", "1 + 1"):
        with pytest.raises(NoLiteral):
            parse_literal(bad)


def test_code_that_never_closes_is_searched_once() -> None:
    for text in (
        "x = async_compile.cpp(" * 1 + "\n" + "k = async_compile.triton('k',\n" * 100_000,
        "'''".join(f"k{n} = async_compile.cpp(\n" for n in range(50_000)),
    ):
        begun = time.process_time()
        assert len(list(kernels.kernels_in(text, "python", "here"))) <= limits.MAX_KERNELS * 20
        assert time.process_time() - begun < 10
    cpp = 'extern "C" void k(int a) {\n' * 100_000
    begun = time.process_time()
    assert list(kernels.kernels_in(cpp, "cpp", "here")) == []
    kernels.normalise("k", "cpp", "/*" * 500_000)
    assert time.process_time() - begun < 10


def test_kernels_that_compute_the_same_have_one_digest() -> None:
    body = 'extern "C"  void  kernel(float* in_out_ptr0)\n{\n    in_out_ptr0[0] = 1; // one\n}\n'
    inductor = f"cpp_fused_relu_0 = async_compile.cpp_pybinding(['float*'], r'''\n{body}''')\n"
    package = (
        '#include "cpp_prefix.h"\nextern "C"  void  cpp_fused_relu_7(float* in_out_ptr0)\n'
        "{\n  in_out_ptr0[0] =  1;\n}\n"
    )
    (a,) = kernels.kernels_in(inductor, "python", "a")
    (b,) = kernels.kernels_in(package, "cpp", "b")
    (c,) = kernels.kernels_in(package.replace("1;", "2;"), "cpp", "c")
    assert a.digest == b.digest
    assert a.digest != c.digest


def test_triton_kernels_are_told_apart_by_what_they_do() -> None:
    def source(name: str, body: str) -> str:
        return (
            f"{name} = async_compile.triton('{name}', '''\nimport triton\n@triton.jit\n"
            f"def {name}(in_ptr0, xnumel):\n    # a remark\n    {body}\n''', device_str='cuda')\n"
        )

    text = source("triton_poi_0", "x = 1") + source("triton_poi_1", "x = 1")
    first, second = kernels.kernels_in(text, "python", "here")
    (other,) = kernels.kernels_in(source("triton_poi_0", "x = 2"), "python", "here")
    assert (first.language, first.digest) == ("python", second.digest)
    assert first.digest != other.digest


def test_mega_cache_with_a_lying_count_ends() -> None:
    from torch.utils._appending_byte_serializer import BytesWriter

    writer = BytesWriter()
    writer.write_uint64(1)
    writer.write_str("inductor")
    writer.write_uint64(2**63)
    writer.write_str("key")
    writer.write_bytes(b"\x80\x04N.")
    found = inspected(writer.to_bytes())
    assert isinstance(found, ForeignArtifact)
    assert [missed.why for missed in found.unread] == [
        "they are cut: one ends behind the end of the file"
    ]


def test_a_newer_version_is_read_and_said() -> None:
    from torch.utils._appending_byte_serializer import BytesWriter

    writer = BytesWriter()
    writer.write_uint64(2)
    writer.write_str("inductor")
    writer.write_uint64(0)
    found = inspected(writer.to_bytes())
    assert isinstance(found, ForeignArtifact)
    assert (found.format, found.version) == ("Mega-Cache", "encoding 2")
    assert "encoding 2 is not known" in found.unread[0].why


@pytest.mark.parametrize("kind", AMPLIFIED)
def test_what_is_the_same_a_million_times_is_looked_at_once(kind: str) -> None:
    for data in (AMPLIFIED[kind], legacy(AMPLIFIED[kind])):
        found = inspected(data)
        assert isinstance(found, ForeignArtifact)
        assert found.globals or "dict" in kind or "inside, a" in kind


@pytest.mark.slow
def test_a_cut_zip_says_so(foreign_samples: Path) -> None:
    data = (foreign_samples / "exported").read_bytes()
    with pytest.raises(ForeignUnreadable, match="has no directory that can be read"):
        fc.inspect(data[: len(data) // 2])
