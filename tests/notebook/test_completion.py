from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile.notebook.completion import complete_option
from ipy_fastcompile.notebook.magics import register, unregister
from ipy_fastcompile.notebook.options import OPTIONS


@pytest.mark.parametrize(
    ("text", "completions"),
    [
        ("%%fastcompile --sp", ["--split-at"]),
        ("%fastcompile --no", ["--no-explorer", "--no-warm"]),
        ("%fastcompile --save a --d", ["--dynamic"]),
        # What may be repeated is offered again, what may not is not.
        ("%fastcompile --dynamic x:1 --d", ["--dynamic"]),
        ("%fastcompile --no-warm --no", ["--no-explorer"]),
        ("%fastcompile -q --q", []),
        # The values of an option, and no option where its value is due.
        ("%fastcompile_load a m --via ", ["native", "torch", "fx"]),
        ("%fastcompile_load a m --via t", ["torch"]),
        ("%fastcompile_load a m --on-mismatch ", ["error", "recompile"]),
        ("%fastcompile --save -", []),
        # The names of the namespace, where a model is named.
        ("%fastcompile mod", ["model", "model_b"]),
        ("%fastcompile -q mod", ["model", "model_b"]),
        ("%fastcompile --no-warm -m pip", ["pipe"]),
        ("%fastcompile_load a.fastcompile pi", ["pipe"]),
        # Elsewhere nothing.
        ("%fastcompile model(x", []),
        ("%fastcompile", []),
        ("%fastcompile_inspect mod", []),
        ("%timeit --", []),
        ("x = 1 --", []),
        ("", []),
    ],
)
def test_options_that_fit(text: str, completions: list[str]) -> None:
    assert complete_option(text, OPTIONS, ["model", "model_b", "pipe"]) == completions


@pytest.fixture
def completing(shell: InteractiveShell) -> Iterator[InteractiveShell]:
    register(shell)
    yield shell
    unregister(shell)


def completions(shell: InteractiveShell, text: str, cursor: int) -> list[tuple[int, int, str]]:
    with provisionalcompleter():
        return [(c.start, c.end, c.text) for c in shell.Completer.completions(text, cursor)]


@pytest.mark.parametrize(
    "text",
    [
        "%fastcompile --sp",
        "%%fastcompile --sp",
        "%%fastcompile --sp\nmodel(x)",
        "x\n%fastcompile --sp",
    ],
)
def test_the_shell_completes_both_forms(completing: InteractiveShell, text: str) -> None:
    cursor = text.index("--sp") + 4
    assert completions(completing, text, cursor) == [(cursor - 4, cursor, "--split-at")]


@pytest.mark.parametrize("form", ["%fastcompile", "%%fastcompile"])
def test_the_older_way_of_asking_works_too(completing: InteractiveShell, form: str) -> None:
    line = f"{form} --sp"
    assert list(completing.complete(None, line, len(line))[1]) == ["--split-at"]


@pytest.mark.parametrize("text", ["my_lo", "%fastcompile my_lo", "%%fastcompile\nmy_lo"])
def test_other_completion_still_works(completing: InteractiveShell, text: str) -> None:
    completing.user_ns["my_long_name"] = 1
    found = completions(completing, text, len(text))
    assert (len(text) - 5, len(text), "my_long_name") in found
