"""The texts of a record as a folder, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.errors import SaveError
from tests.foreign_samples import FORMATS

pytestmark = pytest.mark.slow  # the samples are compiled


@pytest.mark.parametrize("name", FORMATS)
def test_the_texts_of_a_file_are_exported_as_they_are(
    name: str, foreign_samples: Path, tmp_path: Path
) -> None:
    record = fc.inspect(foreign_samples / name)
    written = record.to_folder(tmp_path / "out")
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert sorted(written) == sorted(p.relative_to(tmp_path / "out").as_posix() for p in files)
    texts = [(tmp_path / "out" / n).read_bytes().decode() for n in written if n.startswith("texts")]
    assert texts == [text.text for text in record.texts]
    kernels = [(tmp_path / "out" / n).read_text() for n in written if n.startswith("kernels/")]
    assert kernels == [kernel.text for kernel in record.kernels]
    data = json.loads((tmp_path / "out" / "record.json").read_text())
    assert data == json.loads(record.to_json())


def test_a_folder_with_files_is_not_written_into(foreign_samples: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(SaveError, match="is not empty"):
        fc.inspect(foreign_samples / "exported").to_folder(tmp_path)
    with pytest.raises(SaveError, match="cannot be written"):
        fc.inspect(foreign_samples / "exported").to_folder(tmp_path / "mine" / "out")
