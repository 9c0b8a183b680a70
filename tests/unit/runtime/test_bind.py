"""Generated text that is executed: what it sees, and what its code objects are read from."""

from __future__ import annotations

import marshal

import pytest

from ipy_fastcompile.errors import GrammarError
from ipy_fastcompile.runtime import bind


def test_executed_text_sees_no_builtins_but_its_own() -> None:
    for name in ("open", "eval", "exec", "compile", "getattr", "globals", "print", "input", "type"):
        assert name not in bind.SAFE_BUILTINS
        with pytest.raises(NameError, match=name):
            bind.run_code(compile(f"{name}", "text", "exec"), {})
    assert bind.run_code(compile("import math\nx = max(1, 2)", "t", "exec"), {})["x"] == 2


@pytest.mark.parametrize("text", ["x = (", "x = 1\0", "x = " + "-" * 100_000 + "1"])
def test_text_that_is_no_python_is_named(text: str) -> None:
    with pytest.raises(GrammarError, match=r"<kernel_0 [0-9a-f]{12}> is not valid Python"):
        bind.compile_text(text, "kernel_0")


def test_stored_code_is_read_back_as_it_was() -> None:
    code = bind.compile_text("def f(x):\n    return (x, -0.0, 1e400, 1j)", "text")
    found = bind.stored_code(bind.store_code({"a.py": code}))
    assert found == {"a.py": code}
    assert found["a.py"].co_filename == code.co_filename


@pytest.mark.parametrize(
    "data", [b"", b"no marshal", marshal.dumps([1]), marshal.dumps({"a": 1}), marshal.dumps({1: 2})]
)
def test_stored_code_that_is_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(GrammarError, match="stored code"):
        bind.stored_code(data)
