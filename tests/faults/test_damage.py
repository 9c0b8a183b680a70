"""Faults 7, 8, 9 and 13: cut, flipped, mixed up, from the future."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ipy_fastcompile.artifact import limits, open_artifact
from ipy_fastcompile.artifact.inspect import inspect
from ipy_fastcompile.errors import (
    ArtifactCorrupt,
    ArtifactIncompatible,
    ArtifactUntrusted,
    ContainerCorrupt,
    FastCompileError,
    ManifestCorrupt,
    MemberCorrupt,
)
from tests.faults.parts import read_text, rehash, repack, save_tiny, unpack


def outcome(path: Path) -> str:
    """What a load makes of the file: the error's class, or the text that it says."""
    try:
        return read_text(path)
    except FastCompileError as error:
        return type(error).__name__ if str(path) in str(error) else f"does not name it: {error}"


def test_truncated_at_every_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.fastcompile"
    size = save_tiny(path, "old").size
    whole = path.read_bytes()
    outcomes: Counter[str] = Counter()
    for length in range(size - 1, -1, -1):
        os.truncate(path, length)
        outcomes[outcome(path)] += 1
    assert outcomes == {"ContainerCorrupt": size}
    path.write_bytes(whole)
    assert outcome(path) == "old"
    with capsys.disabled():
        print(f"\ntruncated at {size} lengths: {dict(outcomes)}")


def test_flipped_at_every_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.fastcompile"
    size = save_tiny(path, "old").size
    whole = path.read_bytes()
    outcomes: Counter[str] = Counter()
    descriptor = os.open(path, os.O_WRONLY)
    for at in range(size):
        for bit in range(8):
            os.pwrite(descriptor, bytes([whole[at] ^ 1 << bit]), at)
            outcomes[outcome(path)] += 1
        os.pwrite(descriptor, whole[at : at + 1], at)
    os.close(descriptor)
    assert outcome(path) == "old"
    # Not one flip goes unnoticed, not even in a date or an attribute of a header.
    assert set(outcomes) <= {"ContainerCorrupt", "ManifestCorrupt", "MemberCorrupt"}
    assert outcomes.total() == 8 * size
    with capsys.disabled():
        print(f"\nflipped at {8 * size} bits of {size} bytes: {dict(outcomes)}")


def test_every_value_of_every_byte_that_no_hash_covers(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    size = save_tiny(path, "old").size
    whole = path.read_bytes()
    covered = {  # contents of members; everything else is structure
        at
        for content in unpack(path).values()
        for at in range(whole.index(content), whole.index(content) + len(content))
    }
    structure = sorted(set(range(size)) - covered)
    descriptor = os.open(path, os.O_WRONLY)
    wrong = 0
    for at in structure:
        for step in (1, 0x7F, 0xFF):
            os.pwrite(descriptor, bytes([(whole[at] + step) % 256]), at)
            wrong += outcome(path) == "ContainerCorrupt"
        os.pwrite(descriptor, whole[at : at + 1], at)
    os.close(descriptor)
    assert wrong == 3 * len(structure)
    assert len(structure) > 300


@pytest.mark.parametrize("trusted", [True, False])
def test_flipped_in_an_unsigned_artifact_is_noticed_by_inspect(
    tmp_path: Path, trusted: bool
) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path, "old")
    if not trusted:
        repack(path, rehash(unpack(path)))
    whole = path.read_bytes()
    noticed = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(ArtifactCorrupt):
            inspect(path)
        noticed += 1
    assert noticed == len(whole) > 800


edits = st.lists(
    st.tuples(
        st.integers(0, 2**20), st.sampled_from(["set", "drop", "add"]), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=edits)
def test_random_damage_to_a_large_artifact(
    tmp_path: Path, edits: list[tuple[int, str, bytes]]
) -> None:
    path, damaged = tmp_path / "a.fastcompile", tmp_path / "b.fastcompile"
    if not path.exists():
        save_tiny(path, "old" * 50_000)
    whole = path.read_bytes()
    data = bytearray(whole)
    for at, how, piece in edits:
        at %= len(data) + 1
        if how == "set":
            data[at : at + len(piece)] = piece
        elif how == "drop":
            del data[at : at + len(piece)]
        else:
            data[at:at] = piece
    damaged.write_bytes(data)
    damaged.chmod(0o600)
    said = outcome(damaged)
    assert (said == "old" * 50_000) == (data == whole)
    assert data == whole or said.endswith("Corrupt")


def test_missing_blob(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path)
    members = unpack(path)
    blob = next(name for name in members if name.startswith("blobs/"))
    repack(path, {name: data for name, data in members.items() if name != blob})
    with pytest.raises(ManifestCorrupt, match=f"{blob}.*which the file lacks"):
        open_artifact(path)


def test_extra_member(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path)
    repack(path, {**unpack(path), "more.txt": b"hello"})
    with pytest.raises(ManifestCorrupt, match=r"does not list member more\.txt"):
        open_artifact(path)


def test_swapped_blobs(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path)
    other = tmp_path / "b.fastcompile"
    save_tiny(other, "new")
    members, others = unpack(path), unpack(other)
    blob = next(name for name in members if name.startswith("blobs/"))
    theirs = next(data for name, data in others.items() if name.startswith("blobs/"))
    repack(path, {**members, blob: theirs})
    artifact = open_artifact(path)  # the manifest is the one that was signed ...
    assert artifact.read("execution.py") == members["execution.py"]
    with pytest.raises(MemberCorrupt, match=blob):  # ... and the blob is not the one it lists
        artifact.read(blob)
    with pytest.raises(MemberCorrupt, match=blob):
        artifact.verify()


def test_text_of_another_artifact(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path)
    repack(path, {**unpack(path), "execution.py": b"return 'new'\n"})
    with pytest.raises(MemberCorrupt, match=r"execution\.py"):
        open_artifact(path).read("execution.py")


def test_a_member_that_is_not_there(tmp_path: Path) -> None:
    save_tiny(tmp_path / "a.fastcompile")
    artifact = open_artifact(tmp_path / "a.fastcompile")
    for name in ("nothing.txt", "manifest.json", "", "\x1b[31m"):
        with pytest.raises(MemberCorrupt, match="has no member"):
            artifact.read(name)


def test_empty_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    for content in (b"", b"PK", b"x" * 5000, b"\0" * 22, b"PK\x05\x06" + b"\0" * 18):
        path.write_bytes(content)
        with pytest.raises(ContainerCorrupt):
            open_artifact(path)


def test_newer_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.fastcompile"
    with monkeypatch.context() as patch:
        patch.setattr(limits, "FORMAT_VERSION", 4)
        save_tiny(path)
        assert read_text(path) == "old"
    with pytest.raises(ArtifactIncompatible, match="written by newer ipy_fastcompile") as caught:
        open_artifact(path)
    assert (caught.value.expected, caught.value.found) == (3, 4)
    with pytest.raises(ArtifactIncompatible, match="Upgrade"):
        inspect(path)


def test_older_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.fastcompile"
    with monkeypatch.context() as patch:
        patch.setattr(limits, "FORMAT_VERSION", 2)
        save_tiny(path)
        assert read_text(path) == "old"
    with pytest.raises(ArtifactIncompatible, match="written by older ipy_fastcompile") as caught:
        open_artifact(path)
    assert (caught.value.expected, caught.value.found) == (3, 2)
    with pytest.raises(ArtifactIncompatible, match="Compile and save it again"):
        inspect(path)


@pytest.mark.parametrize(
    "text",
    [
        "ipy_fastcompile/0",
        "ipy_fastcompile/-1",
        "ipy_fastcompile",
        "other/1",
        1,
        None,
        "/1",
        "ipy_fastcompile/\u0661",
    ],
)
def test_formats_that_never_were(tmp_path: Path, text: object) -> None:
    path = tmp_path / "a.fastcompile"
    save_tiny(path)
    members = unpack(path)
    manifest = {**json.loads(members["manifest.json"]), "format": text}
    repack(path, {**members, "manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(ArtifactUntrusted):
        open_artifact(path)
    with pytest.raises(ManifestCorrupt, match="format"):
        inspect(path)
