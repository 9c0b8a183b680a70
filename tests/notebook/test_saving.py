from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from IPython.core.error import UsageError

from ipy_fastcompile.notebook.saving import check_save_path


def test_a_new_file_in_a_folder_is_fine(tmp_path: Path) -> None:
    check_save_path(tmp_path / "new.fastcompile")
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_save_path(Path("new.fastcompile"))
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_may_be_replaced_and_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "old.fastcompile"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", "{}")
    before = path.read_bytes()
    check_save_path(path)
    assert path.read_bytes() == before


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        check_save_path(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'no'}" in refused(tmp_path / "no" / "a.fastcompile")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_somebody_s_work_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("precious = True")
    assert "would replace a file that is no artifact" in refused(path)
    assert path.read_text() == "precious = True"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refused(tmp_path / "pipe")


def test_a_file_system_that_cannot_be_written_is_found_out() -> None:
    # Permissions do not stop root; /proc refuses new files to everybody.
    assert "cannot be written" in refused(Path("/proc/new.fastcompile"))
