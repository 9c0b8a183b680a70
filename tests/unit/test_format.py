"""The specification of the format is enough to read an artifact, with nothing of this package."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ipy_fastcompile.artifact import limits, schema

ROOT = Path(__file__).parents[2]
FORMAT = ROOT / "ipy_fastcompile" / "artifact" / "FORMAT.md"
DESCRIPTION = FORMAT.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def members(tiny_artifact: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(tiny_artifact) as file:
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_STORED}
        return {info.filename: file.read(info) for info in file.infolist()}


@pytest.fixture(scope="module")
def manifest(members: dict[str, bytes]) -> Any:
    return json.loads(members["manifest.json"].decode("ascii"))


def expanded(data: bytes) -> bytes:
    magic, size = struct.unpack_from("<8sQ", data)
    assert magic == b"ipyfc/z1"
    text = zlib.decompress(data[16:])
    assert len(text) == size
    return text


def test_every_kind_of_member_is_in_the_table(members: dict[str, bytes]) -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", DESCRIPTION, re.MULTILINE)
    kinds = {re.sub(r"\bN\b", "\\\\d+", row).replace("SHA256", "[0-9a-f]{64}") for row in rows}
    unknown = [name for name in members if not any(re.fullmatch(kind, name) for kind in kinds)]
    assert len(rows) == 7
    assert unknown == []


def fields_of(record: type) -> set[str]:
    return {field.name for field in dataclasses.fields(record)}


def test_every_field_of_the_schema_is_described_and_no_other(manifest: Any) -> None:
    """Launch metadata is said to be in one field, and the fields are those of the records."""
    manifest_text, program_text = DESCRIPTION.split("## The manifest")[1].split(
        "The fields of a pro"
    )
    top = re.findall(r"^- `(\w+)`", manifest_text, re.MULTILINE)
    own = {field.name for field in dataclasses.fields(schema.Manifest)}
    assert set(top) - {"package", "created"} == own | {"format", "members"}
    named = set(re.findall(r"`(\w+)`", program_text))
    for record in (schema.Program, schema.Signature, schema.KernelEntry):
        assert fields_of(record) <= named
    assert set(manifest) <= {*own, "format", "package", "created", "members"}
    assert set(manifest["programs"][0]) == fields_of(schema.Program)
    assert set(manifest["programs"][0]["signature"]) == fields_of(schema.Signature)
    assert set(manifest["programs"][0]["kernels"][0]) == fields_of(schema.KernelEntry)
    assert set(manifest["stamp"]) <= set(re.findall(r"`(\w+)`", manifest_text))


def test_the_readme_leads_to_it_and_names_the_format() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"]({FORMAT.relative_to(ROOT)})" in readme
    assert f"`{limits.FORMAT}/{limits.FORMAT_VERSION}`" in DESCRIPTION


def test_digests_and_sizes_are_those_of_the_members(
    manifest: Any, members: dict[str, bytes]
) -> None:
    assert next(iter(members)) == "manifest.json"
    assert set(members) == {"manifest.json", "manifest.sig", *manifest["members"]}
    for name, (digest, size) in manifest["members"].items():
        assert (sha256(members[name]).hexdigest(), len(members[name])) == (digest, size)
    assert re.fullmatch(rb"hmac-sha256 [0-9a-f]{16} [0-9a-f]{64}\n", members["manifest.sig"])


def test_the_program_can_be_put_together(manifest: Any, members: dict[str, bytes]) -> None:
    program = manifest["programs"][0]
    namespace: dict[str, Any] = {}
    exec(members[program["execution"]].decode(), namespace)
    parameters = [[None] * 6 for row in program["parameters"] if len(row) == 6]
    forward = namespace["bind"]([None] * len(program["kernels"]), parameters, [])
    assert callable(forward)
    (symbol,) = program["symbols"]
    assert symbol[0] == "seq"
    assert symbol[1] <= symbol[3]
    assert program["signature"]["placeholders"].count("parameter") == len(parameters)
    for kernel in program["kernels"]:
        assert kernel["native"]
        compile(members[kernel["text"]], kernel["text"], "exec")
        for _, blob in kernel["libraries"]:
            assert members[blob].startswith(b"\x7fELF")
        assert expanded(members[kernel["torch"]])
    assert program["stored"] == ""
    for name in ("fx", "code"):
        assert expanded(members[program[name]])
    assert json.loads(expanded(members["report.json.z"]))
