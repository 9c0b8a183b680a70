"""The README says what is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ipy_fastcompile import __main__ as command_line
from ipy_fastcompile.demo import make_llama
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.code.codegen import generate_execution_code
from ipy_fastcompile.engine.graph.split import split
from ipy_fastcompile.notebook.options import COMPILE_OPTIONS, LOAD_OPTIONS
from tests.stitching import lower_without_compiler

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FILES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def test_the_table_of_options_is_complete_and_has_none_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `(-[^ `]*)", README, re.MULTILINE)
    flags = {flag for option in COMPILE_OPTIONS for flag in option.flags}
    help_is_said_elsewhere = {"-h", "--help", "call"}
    shorter = {"--output": "-o", "--model": "-m", "--quiet": "-q", "--force": "-f"}
    assert {shorter.get(f, f) for f in flags - help_is_said_elsewhere} == set(rows)


@pytest.mark.parametrize("option", LOAD_OPTIONS, ids=lambda option: option.flags[0])
def test_the_options_of_load_are_named(option: object) -> None:
    flag = option.flags[0]
    assert flag == "-h" or flag in README or flag.upper() in README


@pytest.mark.parametrize("name", re.findall(r"python -m ipy_fastcompile (\w+)", README))
def test_the_commands_exist(name: str) -> None:
    assert name in command_line.COMMANDS


@pytest.mark.parametrize("file", FILES)
def test_the_links_lead_somewhere(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_python_in_it_can_be_parsed() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    plain = [block for block in blocks if not re.search(r"(^|= )%", block, re.MULTILINE)]
    assert len(plain) >= 2
    for block in plain:
        ast.parse(block)


def test_the_execution_code_in_it_is_the_text_that_is_generated() -> None:
    model, ids = make_llama()
    captured = capture(model, (ids,), dynamic={"input_ids": {1: ("seq", 2, 512)}})
    text = generate_execution_code(lower_without_compiler(split(captured))).text
    (shown,) = re.findall(r"```python\n(\"{3}Execution code.*?)```", README, re.DOTALL)
    # Lines of transformers move from release to release.
    written, *parts = (
        re.sub(r"  # \w+\.py:.*", "", code) for code in (text, *re.split(r"\.\.\.,?\n", shown))
    )
    assert len(parts) > 4
    at = 0
    for part in parts:
        found = written.find(part.rstrip(" "), at)
        assert found >= 0, part
        at = found + len(part.rstrip(" "))
    assert at == len(written)


def test_the_map_of_the_code_is_up_to_date() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = ROOT / "ipy_fastcompile"
    places = [f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()]
    files = [path.name for path in package.glob("*.py") if not path.name.startswith("__")]
    notebook = [path.name for path in (package / "notebook").glob("[!_]*.py")]
    assert [name for name in places + files + notebook if f"{name}`" not in text] == []
