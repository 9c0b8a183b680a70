"""This package in the key of a compile: an edit of what decides about it is a miss, no other is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import ipy_fastcompile

# Folders of the package whose code shows, reads others' files, or takes commands.
_SHOWING = {"show", "notebook", "foreign"}

_CHILD = """
import json, sys
from pathlib import Path
from torch import nn, ones
import ipy_fastcompile
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.cache.cached import compile_cached
from ipy_fastcompile.cache.key.call import make_key
from ipy_fastcompile.cache.store import Hit, Store

own, store = Path(sys.argv[1]) / "ipy_fastcompile", Store(sys.argv[2])
assert Path(ipy_fastcompile.__file__).parent == own, ipy_fastcompile.__file__
imported = [name.split(".") for name in sys.modules if name.startswith("ipy_fastcompile.")]

def key():
    return make_key(nn.Linear(2, 2), (ones(1, 2),)).key

first = key()
store.put(first, lambda path: save_artifact(path, {"key": first.manifest_entry}, first.members))
found = {}
for folder in sorted({file.parent for file in own.rglob("*.py")}):
    file = min(folder.glob("*.py"))
    before = file.read_bytes()
    file.write_bytes(before + b"# edited\\n")
    answer = store.lookup(key())
    file.write_bytes(before)
    found[str(folder.relative_to(own))] = "" if isinstance(answer, Hit) else str(answer)
assert isinstance(store.lookup(key()), Hit)
folders = sorted({parts[1] for parts in imported if (own / parts[1]).is_dir()})
print(json.dumps([found, folders]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], set[str]]:
    """Folder -> the miss after an edit of a file in it, "" for a hit; and what a compile imports.

    In a copy of the package, by a process that runs the copy.
    """
    root = tmp_path_factory.mktemp("copy")
    own = Path(ipy_fastcompile.__file__).parent
    shutil.copytree(
        own, root / "ipy_fastcompile", ignore=shutil.ignore_patterns("__pycache__", "static")
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CHILD, str(root), str(root / "cache")],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, imported = json.loads(done.stdout.splitlines()[-1])
    return found, set(imported)


def test_an_edit_in_a_folder_that_decides_about_a_compile_is_a_miss_that_names_it(
    answers: tuple[dict[str, str], set[str]],
) -> None:
    found, _ = answers
    deciding = {folder: said for folder, said in found.items() if _top(folder) not in _SHOWING}
    assert {".", "artifact", "cache/key", "engine/code", "runtime", "torch_compat"} < set(deciding)
    for folder, said in deciding.items():
        assert "the source of ipy_fastcompile differs" in said, folder


def test_an_edit_of_how_something_is_shown_is_a_hit(
    answers: tuple[dict[str, str], set[str]],
) -> None:
    found, _ = answers
    shown = {folder: said for folder, said in found.items() if _top(folder) in _SHOWING}
    assert {"show", "notebook", "foreign"} <= set(shown)
    assert set(shown.values()) == {""}


def test_what_shows_is_not_imported_by_a_compile(
    answers: tuple[dict[str, str], set[str]],
) -> None:
    found, imported = answers
    assert {"engine", "cache"} <= imported <= {_top(folder) for folder in found} - _SHOWING


def _top(folder: str) -> str:
    return folder.partition("/")[0]
