"""``inspect`` on the command line: read, compare, write, and refuse in a line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ipy_fastcompile as fc
from ipy_fastcompile.__main__ import main
from tests.foreign_samples import FORMATS

pytestmark = pytest.mark.slow  # the samples are compiled


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
