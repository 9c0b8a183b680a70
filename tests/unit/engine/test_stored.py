"""Code objects that go into an artifact are those of its texts."""

from __future__ import annotations

import pytest

from ipy_fastcompile.engine.code.stored import check_code, store_code_of
from ipy_fastcompile.errors import GrammarError
from ipy_fastcompile.runtime import bind

TEXT = "def f(x):\n    return x + 1\n"
MEMBERS = {"execution.py": TEXT.encode(), "kernels/0/native.py": b"def kernel_0(): pass\n"}
KINDS = {"execution.py": "execution code", "kernels/0/native.py": "kernel_0"}


def test_each_text_has_its_code_object() -> None:
    codes = bind.stored_code(store_code_of(MEMBERS, KINDS))
    assert set(codes) == set(KINDS)
    for member, kind in KINDS.items():
        text = MEMBERS[member].decode()
        assert codes[member] == compile(text, "f", "exec", dont_inherit=False)
        assert codes[member].co_filename == bind.text_filename(kind, text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TEXT.replace("1", "2"), "execution code"),
        (TEXT.replace("1", "1.0"), "execution code"),
        (TEXT.replace("x", "y"), "execution code"),
        ("\n" + TEXT, "execution code"),
        (TEXT, "another name"),
    ],
)
def test_a_code_object_of_another_text_is_refused(text: str, kind: str) -> None:
    codes = {"execution.py": bind.compile_text(TEXT, "execution code")}
    check_code(codes, dict(codes))
    other = {"execution.py": bind.compile_text(text, kind)}
    with pytest.raises(GrammarError, match=r"stored for execution\.py is not that of its text"):
        check_code(codes, other)


def test_a_code_object_that_is_missing_or_has_no_text_is_refused() -> None:
    codes = {"execution.py": bind.compile_text(TEXT, "execution code")}
    for wanted, found in ((codes, {}), ({}, codes)):
        with pytest.raises(GrammarError, match=r"execution\.py"):
            check_code(wanted, found)
