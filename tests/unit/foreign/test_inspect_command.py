"""The record as a page, as a folder, and on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.__main__ import main
from ipy_fastcompile.errors import SaveError
from ipy_fastcompile.foreign.open import open_foreign
from tests.foreign_samples import FORMATS
from tests.unit.foreign.hostile import RUN

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


@pytest.mark.parametrize("name", ["aot_compile", "aotinductor", "inductor_cache", "exported"])
def test_a_page_has_no_script_and_needs_no_network(
    name: str, foreign_samples: Path, tmp_path: Path
) -> None:
    record = fc.inspect(foreign_samples / name)
    record.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert record.format.replace("'", "&#x27;") in page
    assert not re.search(r"<script|<link|<img|<iframe|\son\w+=|src=|href=", page)
    for kernel in record.kernels:
        assert kernel.name in page
    assert len(page) < 6_000_000
    assert record._repr_mimebundle_()["text/html"] in page


def test_hostile_text_is_inert_in_text_and_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\x1b[31m\u202e"
    data = b"\x80\x04c" + evil.encode() + b"\n" + evil.encode() + b"\n)R."
    record = open_foreign(data)
    assert "\x1b" not in str(record)
    assert "\u202e" not in str(record)
    record.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert json.loads(record.to_json())["globals"][0]["name"] == f"{evil}.{evil}"


def test_the_worst_global_comes_first(tmp_path: Path) -> None:
    for kind in ("reduce", "exec", "popen", "getattr and import_module"):
        record = open_foreign(RUN[kind](str(tmp_path / "canary")))
        assert record.globals[0].danger == "runs code"
        listed = str(record).splitlines()
        (title,) = [n for n, line in enumerate(listed) if line.startswith("loading would import")]
        assert listed[title + 1].split()[:2] == ["runs", "code"]
    assert list(tmp_path.iterdir()) == []


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_reads_compares_and_writes(
    foreign_samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign_samples / "exported"
    code, out, err = run(capsys, "inspect", path)
    assert (code, err) == (0, "")
    assert out == f"{fc.inspect(path)}\n"
    assert json.loads(run(capsys, "inspect", path, "--json")[1])["format"] == "exported program"
    assert run(capsys, "inspect", path, "--html", tmp_path / "p.html")[0] == 0
    assert run(capsys, "inspect", path, "--folder", tmp_path / "out")[0] == 0
    assert (tmp_path / "p.html").stat().st_size > 1_000
    assert (tmp_path / "out" / "record.json").exists()
    assert "aten.linear" in run(capsys, "inspect", path, "--text", "models/model.json: graph")[1]
    code, out, _ = run(capsys, "inspect", path, foreign_samples / "aotinductor")
    assert code == 1
    assert "code that calls the kernels" in out
    assert run(capsys, "inspect", path, path)[0] == 0


def test_the_command_refuses_in_a_line(
    foreign_samples: Path,
    tiny_artifact: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "x").write_bytes(b"\x1f\x8b\x08")
    for arguments, words in (
        ((tmp_path / "x",), "ForeignUnreadable"),
        ((tmp_path,), "is a folder in which no file"),
        ((foreign_samples / "exported", "--text", "nothing"), "has no text 'nothing'"),
        ((foreign_samples / "exported", "--html", tmp_path / "a" / "b"), "cannot be written"),
        ((tiny_artifact, "--json"), "for others' artifacts"),
    ):
        code, out, err = run(capsys, "inspect", *arguments)
        assert (code, out) == (2, "")
        assert words in err
        assert err.count("\n") == 1


def test_opening_needs_no_torch(foreign_samples: Path) -> None:
    child = "import sys; sys.modules['torch'] = sys.modules['numpy'] = None\n"
    child += "import ipy_fastcompile as fc\nprint(fc.inspect(sys.argv[1]))"
    for name in FORMATS:
        done = subprocess.run(
            [sys.executable, "-c", child, str(foreign_samples / name)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert FORMATS[name] in done.stdout
