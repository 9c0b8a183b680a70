"""What lies on a disk and nobody expected: read as far as it goes, or refused in a sentence."""

from __future__ import annotations

import errno
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.errors import ArtifactUnreadable, FastCompileError, ForeignUnreadable
from ipy_fastcompile.foreign import source as sources
from ipy_fastcompile.foreign.records import ForeignArtifact
from tests.unit.foreign.test_hostile_files import HEAD, made_zip

CODE = b"async_compile = AsyncCompile()\ndef call(args): pass\n"
SYSTEM = b"cos\nsystem\n(S'true'\ntR."
PROGRAM = HEAD | {"models/m.json": b'{"graph_module": {"graph": {"nodes": []}}}'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is Inductor's cache by one file in it."""
    made = tmp_path / "cache"
    made.mkdir()
    (made / "code").write_bytes(CODE)
    return made


def refused(path: object) -> FastCompileError:
    with pytest.raises(FastCompileError) as error:
        fc.inspect(path)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    return error.value


def named(record: ForeignArtifact) -> set[str]:
    return {entry.name for entry in record.globals}


# --- pickles that no mark gives away --------------------------------------------------------------

UNMARKED = {
    "a number first": b"I1\n0" + SYSTEM,
    "none first": b"N0" + SYSTEM,
    "protocol 0, marked": b"\x80\x00" + SYSTEM,
    "protocol 1, marked": b"\x80\x01" + SYSTEM,
    "something behind": SYSTEM + b"and more",
    "no end": b"N0" + SYSTEM[:-1],
}


@pytest.mark.parametrize("kind", UNMARKED)
def test_a_pickle_without_a_mark_is_one_all_the_same(kind: str, folder: Path) -> None:
    record = fc.inspect(UNMARKED[kind])
    assert record.format == "pickle"
    assert named(record) == {"os.system"}
    # In a folder, too, and whatever it is called there.
    for name in ("x.o", "y.lock", "z.gch", "w"):
        (folder / name).write_bytes(UNMARKED[kind])
    record = fc.inspect(folder)
    assert record.format == "Inductor's cache folder"
    (entry,) = record.globals
    assert (entry.name, entry.calls) == ("os.system", 4)


@pytest.mark.parametrize("text", [b"cats\ndogs\nand more.", b"N. Bourbaki", b"I1\nfoo.", b"bad."])
def test_a_text_is_no_pickle(text: bytes) -> None:
    assert "it looks like text" in str(refused(text))


def test_bytes_that_are_a_pickle_and_a_zip_are_both_said() -> None:
    record = fc.inspect(SYSTEM + made_zip(PROGRAM))
    assert named(record) == {"os.system"}
    (missed,) = record.unread
    assert "with a ZIP that other tools may open instead" in missed.why


def test_a_zip_with_something_before_it_is_read_and_said() -> None:
    stub = b"#!/bin/sh\nexit\n"
    record = fc.inspect(stub + made_zip(PROGRAM))
    assert record.format == "exported program"
    assert [(u.where, u.why) for u in record.unread] == [
        ("before the ZIP", f"{len(stub)} bytes that belong to no member")
    ]


@pytest.mark.parametrize("before", [b"", b"\0"])
def test_a_zip_of_many_disks_is_a_sentence(before: bytes) -> None:
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 2)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, 0, 0)
    refused(before + made_zip(PROGRAM) + locator + end)


# --- paths ----------------------------------------------------------------------------------------


def test_a_path_that_cannot_be_asked_is_a_sentence(tmp_path: Path) -> None:
    assert isinstance(refused("a" * 5_000), ArtifactUnreadable)
    assert len(str(refused("a" * 5_000))) < 1_500
    refused("a\0b")
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic link" in str(refused(tmp_path / "loop"))
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in str(refused(tmp_path / "pipe"))


@dataclass
class _Broken:
    """A file on a disk that gives its first bytes, and fails where more are asked for."""

    data: bytes
    most: int

    def seek(self, at: int) -> None:
        assert at == 0

    def read(self, size: int) -> bytes:
        if size > self.most:
            raise OSError(errno.EIO, "Input/output error")
        return self.data[:size]

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("most", [4, 100])
@pytest.mark.parametrize("data", [CODE * 9, SYSTEM * 9, made_zip(PROGRAM), bytes(200)])
def test_a_disk_that_fails_is_a_sentence(
    data: bytes, most: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_broken(path: str) -> sources.Source:
        return sources.Source(path, len(data), cast("BinaryIO", _Broken(data, most)))

    (folder / "other").write_bytes(data)
    assert fc.inspect(folder).format == "Inductor's cache folder"
    for module in ("open", "folders", "inspect"):
        monkeypatch.setattr(f"ipy_fastcompile.foreign.{module}.open_source", open_broken)
    assert "Input/output error" in str(refused(folder / "other"))
    assert "in which no file is of a compiler's cache" in str(refused(folder))


def test_a_path_is_inert_in_a_message(tmp_path: Path) -> None:
    for name in ("two\nlines", "\x1b[31mred"):
        (tmp_path / name).write_text("text")
        (tmp_path / f"{name} folder").mkdir()
        for path in (tmp_path / name, tmp_path / f"{name} folder", tmp_path / f"{name} missing"):
            assert "\x1b" not in str(refused(path))


def test_what_may_not_be_read_is_a_sentence() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "code").write_bytes(CODE)
        (folder / "own").write_bytes(CODE)
        (folder / "closed").mkdir()
        for name in ("own", "closed"):
            (folder / name).chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65_534)  # root may read everything
        try:
            for path in (folder / "own", folder / "closed", folder / "closed" / "below"):
                error = refused(path)
                assert isinstance(error, ArtifactUnreadable)
                assert "Permission denied" in str(error)
            unread = {u.where: u.why for u in fc.inspect(folder).unread}
        finally:
            os.seteuid(user)
            (folder / "closed").chmod(0o700)
    assert set(unread) == {"own", "closed"}
    assert all("Permission denied" in why for why in unread.values())


@pytest.mark.parametrize("head", [b"", b"PK\3\4", b"\x80\x04", b"\x7fELF\2", b"\0\0\0\0", b"c"])
def test_a_sparse_file_of_ten_gigabytes_costs_nothing(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.write_bytes(head)
    os.truncate(path, 10 * 2**30)
    refused(path)


def test_a_safetensors_file_of_ten_gigabytes_is_read_by_its_header(tmp_path: Path) -> None:
    header = b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}'
    path = tmp_path / "large"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 10 * 2**30)
    record = fc.inspect(path)
    assert [value.detail for value in record.values] == ["F32[4]"]


# --- folders --------------------------------------------------------------------------------------


def test_a_folder_says_what_it_passed_over(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(".")
    (folder / "a: b").symlink_to("/etc/passwd")
    with (folder / "sparse").open("wb") as file:
        os.truncate(file.fileno(), 10 * 2**30)
    unread = {u.where: u.why for u in fc.inspect(folder).unread}
    assert set(unread) == {"pipe", "loop", "a: b", "sparse"}
    assert unread["pipe"] == "it is no regular file, and is not opened"
    assert unread["a: b"] == unread["loop"] == "a symbolic link is not followed"


def test_a_folder_that_changes_while_it_is_read_is_read_as_far_as_it_goes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ("gone", "linked", "piped"):
        (folder / name).write_bytes(CODE)
    listed = sources.files_of

    def then_changed(path: str) -> object:
        found = listed(path)
        for name in ("gone", "linked", "piped"):
            (folder / name).unlink()
        (folder / "linked").symlink_to(tmp_path / "secret")
        os.mkfifo(folder / "piped")
        return found

    monkeypatch.setattr("ipy_fastcompile.foreign.folders.files_of", then_changed)
    record = fc.inspect(folder)
    assert {u.where for u in record.unread} == {"gone", "linked", "piped"}
    assert "secret" not in record.to_json().replace(str(tmp_path / "secret"), "")


def test_names_that_are_no_text_are_shown_and_exported(folder: Path, tmp_path: Path) -> None:
    for name in (b"\xff\xfe.py", b"two\nlines.py", b"<b>.py", b"..py", b"n" * 250):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"print('" + str(len(name)).encode() + b"')")
    record = fc.inspect(folder)
    assert len(record.texts) == 6
    record.to_html(tmp_path / "page.html")
    assert "<b>" not in (tmp_path / "page.html").read_text().partition("</style>")[2]
    assert len(record.to_folder(tmp_path / "out")) == 7
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "out", "page.html"]


def test_a_folder_of_others_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "README.md").write_text("# words")
    assert isinstance(refused(tmp_path), ForeignUnreadable)
