from __future__ import annotations

import pytest

from tests.benchmarks.profiling import owner_of, summarise, tables
from tests.benchmarks.table import render_text

_TORCH = "/venv/lib/python3.11/site-packages/torch/fx/graph.py"
_OURS = "/src/ipy_fastcompile/engine/graph/split.py"


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        (_TORCH, "torch"),
        (_OURS, "ours"),
        ("/venv/lib/python3.11/site-packages/ipy_fastcompile/engine/graph/split.py", "ours"),
        ("/venv/lib/python3.11/site-packages/typing_extensions.py", "typing_extensions"),
        ("/usr/lib/python3.11/ast.py", "python"),
        ("~", "builtin"),
    ],
)
def test_whose_a_file_is(file: str, owner: str) -> None:
    assert owner_of(file) == owner


def test_what_python_does_counts_for_whoever_asked_for_it() -> None:
    torch, ours = (_TORCH, 10, "codegen"), (_OURS, 20, "split")
    timings = {
        torch: (1, 1, 3.0, 6.0, {ours: (1, 1, 3.0, 6.0)}),
        ours: (1, 1, 1.0, 8.0, {}),
        ("~", 0, "isinstance"): (
            9,
            9,
            4.0,
            4.0,
            {torch: (6, 6, 3.0, 3.0), ours: (3, 3, 1.0, 1.0)},
        ),
    }
    result = summarise(timings)
    assert result["seconds"] == 8.0
    assert result["owners"] == {"torch": 6.0, "ours": 2.0}
    assert result["parts"] == {"torch/fx/graph.py": 3.0}
    assert [f["function"] for f in result["ours"]] == ["split"]
    assert [f["function"] for f in result["own"]] == ["isinstance", "codegen", "split"]
    document = {"spec": {"family": "llama", "layers": 2}, "stage": "split", **result}
    text = "\n".join(map(render_text, tables(document)))
    assert "75.0%" in text
    assert "ipy_fastcompile/engine/graph/split.py:20" in text


def test_a_profile_that_failed_says_so() -> None:
    document = {"spec": {"family": "llama", "layers": 2}, "stage": "split", "error": "killed"}
    assert "[1] killed" in render_text(tables(document)[0])
