"""Attacks 10, 11 and 12: files that two readers read differently, that explode, that escape."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from ipy_fastcompile.artifact import limits, open_artifact
from ipy_fastcompile.artifact.container import pack_members, parse_container
from ipy_fastcompile.artifact.inspect import inspect
from ipy_fastcompile.errors import ArtifactCorrupt, ArtifactTooLarge, ContainerCorrupt
from tests.faults.parts import read_text, rehash, run_child, save_tiny, tree, unpack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "a.fastcompile"
    save_tiny(target)
    return target


def zip_of(members: list[tuple[zipfile.ZipInfo | str, bytes]], comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
        archive.comment = comment
    return buffer.getvalue()


def refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(ArtifactCorrupt):
        open_artifact(path)
    with pytest.raises(ArtifactCorrupt):
        inspect(path)


def test_other_tools_can_read_what_we_write(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert names[:2] == ["manifest.json", "manifest.sig"]


def test_what_other_tools_write_is_refused(path: Path) -> None:
    refused(path, zip_of(list(unpack(path).items())))


def test_twice_the_same_member(path: Path) -> None:
    members = unpack(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        refused(path, zip_of([*members.items(), ("execution.py", b"other")]))
    # The same with headers as we write them: one more entry of a name that is there already.
    first = pack_members(members)
    twice = pack_members({**members, "execution.pz": b"other"}).replace(
        b"execution.pz", b"execution.py"
    )
    assert len(twice) > len(first)
    path.write_bytes(twice)
    with pytest.raises(ContainerCorrupt, match=r"execution\.py is there twice"):
        open_artifact(path)


@pytest.mark.parametrize("junk", [b"\0", b"#!/bin/sh\n", b"\x7fELF", b"PK\x03\x04", b"x" * 5000])
def test_bytes_before_between_and_after(path: Path, junk: bytes) -> None:
    whole = path.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    second = whole.index(b"PK\x03\x04", 4)
    for at in (0, second, directory, len(whole) - 22, len(whole)):
        refused(path, whole[:at] + junk + whole[at:])
    path.write_bytes(whole)
    assert read_text(path) == "old"


def test_a_gap_that_the_directory_accounts_for(path: Path) -> None:
    members = pack_members({"a.txt": b"1", "b.txt": b"2"})
    second = members.index(b"PK\x03\x04", 4)
    shifted = bytearray(members[:second] + b"gap" + members[second:])
    directory = shifted.index(b"PK\x01\x02")
    entry = shifted.index(b"PK\x01\x02", directory + 4)
    struct.pack_into("<I", shifted, entry + 42, second + 3)
    struct.pack_into("<I", shifted, len(shifted) - 6, directory)
    with zipfile.ZipFile(io.BytesIO(shifted)) as archive:
        assert archive.read("b.txt") == b"2"  # Python's reader does not mind
    with pytest.raises(ContainerCorrupt):
        parse_container(bytes(shifted), "it")


def test_overlapping_members(path: Path) -> None:
    packed = bytearray(pack_members({"a.txt": b"1", "b.txt": b"1"}))
    directory = packed.index(b"PK\x01\x02")
    second = packed.index(b"PK\x01\x02", directory + 4)
    struct.pack_into("<I", packed, second + 42, 0)
    with pytest.raises(ContainerCorrupt):
        parse_container(bytes(packed), "it")


def test_two_files_in_one(path: Path) -> None:
    whole = path.read_bytes()
    refused(path, whole + whole)
    refused(path, zip_of([("a.txt", b"x")]) + whole)
    refused(path, whole + zip_of([("a.txt", b"x")]))


def test_comments_extra_fields_and_other_methods(path: Path) -> None:
    members = list(unpack(path).items())
    refused(path, zip_of(members, comment=b"hello"))
    extra = zipfile.ZipInfo("extra.txt")
    extra.extra = b"\x01\0\0\0"
    refused(path, zip_of([*members, (extra, b"x")]))
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        packed = zipfile.ZipInfo("packed.txt")
        packed.compress_type = method
        refused(path, zip_of([*members, (packed, b"x" * 1000)]))


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "a/../../evil",
        "evil\0.txt",
        "C:\\evil",
        "a\\b",
        "./a",
        "a/",
        "ä",
        " a",
    ],
)
def test_names_that_escape(tmp_path: Path, path: Path, name: str) -> None:
    members = unpack(path)
    before = tree(tmp_path.parent)
    info = zipfile.ZipInfo("x")
    info.filename = name
    refused(path, zip_of([*members.items(), (info, b"evil")]))
    # And with headers as we write them.
    encoded = name.encode("latin-1")
    plain = pack_members({**members, "m" * len(encoded): b"evil"})
    refused(path, plain.replace(b"m" * len(encoded), encoded))
    assert not (tmp_path.parent / "evil").exists()
    path.write_bytes(pack_members(members))
    assert tree(tmp_path.parent) == before


def test_a_member_that_is_a_symbolic_link(tmp_path: Path, path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = 0o120777 << 16
    before = sorted(tmp_path.iterdir())
    refused(path, zip_of([*unpack(path).items(), (link, b"/etc/passwd")]))
    save_tiny(path)
    ours = bytearray(path.read_bytes())
    entry = ours.rindex(b"PK\x01\x02")
    struct.pack_into("<I", ours, entry + 38, 0o120777 << 16)
    refused(path, bytes(ours))
    assert sorted(tmp_path.iterdir()) == before


BOMBS = """
import resource, struct
from ipy_fastcompile.artifact import open_artifact
from ipy_fastcompile.artifact.inspect import inspect
from ipy_fastcompile.errors import ArtifactError
resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))
for path in sys.argv[1:]:
    for read in (open_artifact, inspect):
        try:
            read(path)
            print("read", path)
        except ArtifactError as error:
            print(type(error).__name__, end=" ")
print()
# Not ru_maxrss: a child starts with its parent's.
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
print(int(status["VmHWM"].split()[0]) // 1024)
"""


def with_manifest(raw: bytes) -> bytes:
    return pack_members({limits.MANIFEST: raw})


def test_bombs_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    packed = zipfile.ZipInfo("bomb.txt")
    packed.compress_type = zipfile.ZIP_DEFLATED
    lying = bytearray(pack_members({limits.MANIFEST: b"{}", "a.txt": b"1"}))
    entry = lying.rindex(b"PK\x01\x02")
    struct.pack_into("<II", lying, entry + 20, 2**31 - 1, 2**31 - 1)
    counting = bytearray(pack_members({limits.MANIFEST: b"{}"}))
    struct.pack_into("<HH", counting, len(counting) - 14, 65535, 65535)
    far = bytearray(pack_members({limits.MANIFEST: b"{}"}))
    struct.pack_into("<II", far, len(far) - 10, 2**32 - 1, 2**32 - 1)
    bombs = {
        "deflated": zip_of([(packed, b"0" * 50_000_000)]),
        "lying": bytes(lying),
        "counting": bytes(counting),
        "far": bytes(far),
        "deep": with_manifest(b"[" * 1_000_000),
        "deep closed": with_manifest(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        "deep enough": with_manifest(b'{"a":' * 200 + b"1" + b"}" * 200),
        "wide": with_manifest(b"[" + b"[]," * 2_700_000 + b"0]"),
        "long": with_manifest(b'{"a":"' + b"x" * limits.MAX_MANIFEST_BYTES + b'"}'),
        "number": with_manifest(b'{"format":' + b"9" * 100_000 + b"}"),
        "many": pack_many(limits.MAX_MEMBERS + 1),
    }
    paths = []
    for name, data in bombs.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    for name, size in (("sparse", 2 * 2**30 - 1), ("huge", 2**40)):
        paths.append(tmp_path / name)
        with paths[-1].open("wb") as file:
            file.truncate(size)
    done = run_child(BOMBS, *paths)
    verdicts, peak = done.stdout.splitlines()
    assert len(verdicts.split()) == 2 * len(paths)
    assert set(verdicts.split()) <= {
        "ContainerCorrupt",
        "ManifestCorrupt",
        "ArtifactTooLarge",
        "ArtifactUntrusted",
    }
    assert int(peak) < 300


def pack_many(count: int) -> bytes:
    """More members than the format allows, written as well as our writer would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MAX_MEMBERS", count)
        return pack_members({f"m{number}": b"" for number in range(count)})


def test_limits_hold_at_their_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.fastcompile"
    size = save_tiny(path).size
    for name, value in (
        ("MAX_FILE_BYTES", size),
        ("MAX_MEMBERS", 4),
        ("MAX_MANIFEST_BYTES", len(unpack(path)["manifest.json"])),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, value)
            assert read_text(path) == "old"
            patch.setattr(limits, name, value - 1)
            with pytest.raises(ArtifactTooLarge, match=str(value - 1)):
                open_artifact(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("members"),
        lambda m: m.update(members=[]),
        lambda m: m.update(members={"execution.py": "x"}),
        lambda m: m["members"].update({"execution.py": ["0" * 64, "1"]}),
        lambda m: m["members"].update({"execution.py": ["0" * 64, True]}),
        lambda m: m["members"].update({"execution.py": ["0" * 63, 12]}),
        lambda m: m["members"].update({"execution.py": ["A" * 64, 12]}),
        lambda m: m["members"].update({"execution.py": ["0" * 64, -1]}),
        lambda m: m["members"].update({"execution.py": [["0" * 64], 12]}),
        lambda m: m["members"].update({"manifest.json": ["0" * 64, 12]}),
        lambda m: m.update(created=1),
        lambda m: m.pop("package"),
    ],
)
def test_manifests_of_another_shape(path: Path, change: object) -> None:
    members = unpack(path)
    manifest = json.loads(members[limits.MANIFEST])
    change(manifest)  # type: ignore[operator]
    raw = json.dumps(manifest).encode()
    path.write_bytes(pack_members({**members, limits.MANIFEST: raw}))
    with pytest.raises(ArtifactCorrupt):
        inspect(path)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"\xff", b"{", b'{"a":1}x', "ä".encode()])
def test_manifests_that_are_none(path: Path, raw: bytes) -> None:
    path.write_bytes(pack_members({**unpack(path), limits.MANIFEST: raw}))
    with pytest.raises(ArtifactCorrupt):
        inspect(path)


def test_the_manifest_comes_first_and_once(path: Path) -> None:
    members = rehash(unpack(path), signature=b"x")
    manifest, signature = members.pop(limits.MANIFEST), members.pop(limits.SIGNATURE)
    for order in (
        {**members, limits.MANIFEST: manifest},
        {limits.SIGNATURE: signature, limits.MANIFEST: manifest, **members},
        {limits.MANIFEST: manifest, **members, limits.SIGNATURE: signature},
        members,
        {},
    ):
        refused(path, pack_members(order))
