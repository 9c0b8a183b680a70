"""The tests of runtime, artifact and notebook, run by the other Pythons of this machine.

Each needs torch anew, gigabytes and minutes; so it is asked for: FASTCOMPILE_OTHER_PYTHONS=oldest
takes the oldest supported Python that is found beside this one, "all" each of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.packaging import pythons
from tests.packaging.pythons import ROOT, Python, other_pythons, supported_versions

ASKED = os.environ.get("FASTCOMPILE_OTHER_PYTHONS", "")
FOLDERS = ("unit/children", "unit/runtime", "unit/artifact", "notebook")
# What pip says where it reaches no index, or where the index has no torch for this Python.
UNREACHABLE = re.compile(
    "No matching distribution|Could not find a version|Max retries|name resolution"
)


def chosen() -> list[Python]:
    if not ASKED:
        return []
    found = other_pythons()
    return found if ASKED == "all" else found[:1]


CHOSEN = chosen()
WHY_NOT = (
    "no other Python that the package supports is on PATH or in pyenv's folder"
    if ASKED
    else "asked for by FASTCOMPILE_OTHER_PYTHONS=oldest or =all: each installs torch anew"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "venv", ignore_errors=True)  # pytest would keep the gigabytes


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.skipif(not CHOSEN, reason=WHY_NOT)
@pytest.mark.parametrize("python", CHOSEN, ids=lambda python: python.name)
def test_runtime_artifact_and_notebook_work_on_it(python: Python, folder: Path) -> None:
    subprocess.run([python.path, "-m", "venv", folder / "venv"], check=True, capture_output=True)
    own = folder / "venv" / "bin" / "python"
    release = torch.__version__.partition("+")[0]
    install = [own, "-m", "pip", "install", "-q", f"torch=={release}", "-e", f"{ROOT}[test]"]
    installed = subprocess.run(install, capture_output=True, text=True)
    if installed.returncode and UNREACHABLE.search(installed.stderr):
        pytest.skip(f"pip finds no torch {release} for Python {python.name}, or no index at all")
    assert installed.returncode == 0, installed.stderr[-3000:]
    words = ["-q", "-m", "not slow and not browser", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [own, "-m", "pytest", *words, f"--basetemp={folder / 'tests'}",
         *(str(ROOT / "tests" / name) for name in FOLDERS)],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=1800,  # a process that does not end is a failure, too
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 500, done.stdout[-2000:]


# --- which there are -----------------------------------------------------------------------------


def test_the_oldest_supported_python_is_the_one_that_is_required() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    major, minor = supported_versions()[0]
    assert f'requires-python = ">={major}.{minor}"' in text
    assert sys.version_info[:2] in supported_versions()


def test_pythons_are_found_on_the_path_and_in_pyenvs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def python(file: Path, says: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{says}\n")
        file.chmod(0o755)

    monkeypatch.setattr(
        pythons, "supported_versions", lambda: ((3, 1), (3, 2), sys.version_info[:2])
    )
    python(
        tmp_path / "shims" / "python3.1", "echo pyenv: python3.1: command not found >&2; exit 127"
    )
    python(tmp_path / "bin" / "python3.2", "echo '[3, 2]'")
    python(tmp_path / "pyenv/versions/3.1.9/bin/python3.1", "echo '[3, 1]'")
    python(tmp_path / "pyenv/versions/3.2.0/bin/python3.2", "echo '[3, 2]'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'bin'}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert [(python.name, python.path) for python in other_pythons()] == [
        ("3.1", tmp_path / "pyenv/versions/3.1.9/bin/python3.1"),
        ("3.2", tmp_path / "bin" / "python3.2"),
    ]
