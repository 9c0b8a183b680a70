"""The room of private torch APIs: all that it offers is used, and its files say what they touch."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ipy_fastcompile

PACKAGE = Path(ipy_fastcompile.__file__).parent
ROOM = PACKAGE / "torch_compat"
FILES = sorted(path for path in ROOM.glob("*.py") if path.name != "__init__.py")


def offered(path: Path) -> list[str]:
    """The public functions and constants that a file defines at its top."""
    names: list[str] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def words(path: Path) -> set[str]:
    """The names and attributes that a file reads or imports, those that it defines left out."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_whatever_a_file_offers_is_used_elsewhere_in_the_package(path: Path) -> None:
    used: set[str] = set()
    for other in PACKAGE.rglob("*.py"):
        if other != path:
            used |= words(other)
    assert [name for name in offered(path) if name not in used] == []


def test_a_function_that_nobody_calls_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "made_up.py"
    path.write_text("LIMIT = 1\n\n\ndef unused() -> int:\n    return _own()\n\n\ndef _own(): ...\n")
    assert offered(path) == ["LIMIT", "unused"]
    assert "unused" not in words(path)
    path.write_text("from .made_up import unused\n")
    assert "unused" in words(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_what_it_touches_and_on_which_releases_that_was_seen(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert " -> " in docstring.splitlines()[0]
    assert re.search(r"\btorch[.\w]+", docstring)
    assert re.search(r"; seen on 2\.\d+", docstring)
