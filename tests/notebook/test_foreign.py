"""``%fastcompile_inspect`` on others' artifacts: shown, compared, and never loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.foreign_samples import FORMATS
from tests.unit.foreign.hostile import NAMES, RUN

pytestmark = pytest.mark.slow  # the samples are compiled

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests" / "unit" / "foreign" / "recorded"


@pytest.fixture(scope="module")
def shown(foreign_samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Path -> (kinds of output, text), for every format and every hostile pickle."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = [str(foreign_samples / name) for name in FORMATS]
    paths += map(str, [*sorted((RECORDED / "precompile").iterdir()), RECORDED / "vllm"])
    for kind, make in RUN.items():
        (folder / kind.replace(" ", "_")).write_bytes(make(str(folder / "ran")))
    hostile = [str(folder / kind.replace(" ", "_")) for kind in RUN]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.notebook.foreign_child"),
            *(str(folder / "canary"), *paths, *hostile),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert not (folder / "canary").exists()
    assert not (folder / "ran").exists()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {Path(path).name: [*kinds, text] for path, kinds, text in rows}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_opens_where_nothing_can_be_loaded(
    name: str, shown: dict[str, list[str]]
) -> None:
    *kinds, text = shown[name]
    assert kinds == ["text/html", "text/plain"]
    assert FORMATS[name] in text


@pytest.mark.parametrize("name", ["eager.py", "inductor.cache", "vllm"])
def test_recorded_formats_open_where_nothing_can_be_loaded(
    name: str, shown: dict[str, list[str]]
) -> None:
    assert "it was imported or run" in shown[name][-1]


@pytest.mark.parametrize("kind", RUN)
def test_a_hostile_pickle_shows_what_it_would_call(kind: str, shown: dict[str, list[str]]) -> None:
    text = shown[kind.replace(" ", "_")][-1]
    assert NAMES[kind] in text
    assert "runs code" in text


def test_two_formats_are_compared_in_a_cell(
    foreign_samples: Path, shell: InteractiveShell, run: Any
) -> None:
    assert run("%load_ext ipy_fastcompile").error is None
    a, b = foreign_samples / "aotinductor", foreign_samples / "mega_cache"
    cell = run(f"%fastcompile_inspect {a} {b} -o found")
    (output,) = cell.io.outputs
    assert sorted(output.data) == ["text/html", "text/plain"]
    assert shell.user_ns["found"].a.format == "AOTInductor package"
    assert output.data["text/plain"] == str(shell.user_ns["found"])


def test_what_is_not_known_is_a_sentence_in_a_cell(tmp_path: Path, run: Any) -> None:
    (tmp_path / "x").write_bytes(b"\x1f\x8b\x08")
    run("%load_ext ipy_fastcompile")
    cell = run(f"%fastcompile_inspect {tmp_path / 'x'}")
    assert "it looks like a gzip file" in str(cell.error)
    assert "Traceback" not in cell.printed
