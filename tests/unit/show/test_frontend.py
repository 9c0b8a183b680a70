from __future__ import annotations

import re
from pathlib import Path

import pytest

import ipy_fastcompile.show
from ipy_fastcompile.show.frontend import (
    MODULES,
    SHEETS,
    module_source,
    script_source,
    style_source,
)

STATIC = Path(ipy_fastcompile.show.__file__).parent / "static"
FILES = {path.stem: path.read_text("utf-8") for path in STATIC.glob("*.js")}
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', re.MULTILINE)
TOP_LEVEL = re.compile(
    r"^(?:export )?(?:async )?(?:function|const|class|let|var) (\w+)", re.MULTILINE
)


def test_every_file_is_joined_after_those_it_needs() -> None:
    assert set(MODULES) == set(FILES)
    for name, text in FILES.items():
        for names, other in IMPORT.findall(text):
            assert MODULES.index(other) < MODULES.index(name)
            for word in re.findall(r"\w+", names):
                declared = rf"^export (?:async )?(?:function|const|class) {word}\b"
                assert re.search(declared, FILES[other], re.MULTILINE)


def test_every_sheet_is_joined() -> None:
    assert set(SHEETS) == {path.stem for path in STATIC.glob("*.css")}
    assert all(path.read_text("utf-8") in style_source() for path in STATIC.glob("*.css"))


def test_names_are_unique_across_files() -> None:
    names = [name for text in FILES.values() for name in TOP_LEVEL.findall(text)]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})


def test_the_module_has_one_export_and_no_import() -> None:
    source = module_source()
    assert re.findall(r"^(?:import|export)\b.*", source, re.MULTILINE) == [
        "export default { render };"
    ]
    assert "export default" not in script_source()
    assert "function render(" in script_source()


def test_no_state_outlives_a_view() -> None:
    # marimo runs a module once for all its views; a notebook shows a widget twice.
    for name, text in FILES.items():
        assert not re.search(r"^(?:export )?(?:let|var) ", text, re.MULTILINE), name
        for const in re.findall(r"^(?:export )?const \w+ = (.*)", text, re.MULTILINE):
            assert not re.match(r"new (?:Map|Set|WeakMap|Array)\b|\[\]|\{\}", const), (name, const)


@pytest.mark.parametrize("name", sorted(FILES))
def test_text_never_becomes_markup_or_code(name: str) -> None:
    text = FILES[name]
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                   "new Function", "</script", "<!--"):  # fmt: skip
        assert danger not in text
    assert text.startswith("// @ts-check\n")


def test_comments_stay_in_the_files() -> None:
    assert not re.search(r"^\s*(?://|/\*\*.*\*/$)", module_source(), re.MULTILINE)
    assert len(module_source()) < 0.9 * sum(map(len, FILES.values()))


def test_the_style_sheet_stays_inside_the_explorer() -> None:
    css = re.sub(r"/\*.*?\*/", "", style_source(), flags=re.DOTALL)
    selectors = re.findall(r"(?:^|[{}])\s*([^{}@]+)\{", css)
    for selector in selectors:
        for part in selector.split(","):
            if not re.fullmatch(r"\s*(?:\d+%|from|to)\s*", part):
                assert ".fc-" in part or "[aria-sort" in part, part
    assert "@import" not in css
    assert "url(" not in css
    assert "prefers-reduced-motion" in css
