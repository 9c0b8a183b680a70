"""Statements on a page: what they mean stays, and no line is longer than it must be."""

from __future__ import annotations

import ast
import re
import textwrap

import pytest
from hypothesis import given, strategies as st

from ipy_fastcompile.engine.code.wrap import PAGE, deletions, wrap

LONG = "a_rather_long_name_of_a_tensor"


def names(count: int) -> str:
    return ", ".join(f"{LONG}_{i}" for i in range(count))


def test_what_fits_stays_one_line_with_its_comment_behind_it() -> None:
    assert wrap("    x = f(a, b)", "  # model.py:1") == ["    x = f(a, b)  # model.py:1"]
    exact = "x = f(" + "a" * (PAGE - 7) + ")"
    assert wrap(exact) == [exact]


def test_what_is_in_the_brackets_goes_to_a_line_of_its_own() -> None:
    assert wrap(f"    (x,) = kernel_0({names(2)}, x, y, z, u, v)", "  # model.py:1") == [
        "    (x,) = kernel_0(  # model.py:1",
        f"        {names(2)}, x, y, z, u, v",
        "    )",
    ]


def test_or_to_one_line_an_item() -> None:
    assert wrap(f"(x,) = kernel_0({names(2)}, [{names(2)}], {LONG})") == [
        "(x,) = kernel_0(",
        f"    {LONG}_0,",
        f"    {LONG}_1,",
        f"    [{LONG}_0, {LONG}_1],",
        f"    {LONG},",
        ")",
    ]


def test_many_names_that_are_bound_get_brackets_and_the_call_keeps_the_comment() -> None:
    assert wrap(f"{names(4)} = kernel_0({names(4)})", "  # model.py:1") == [
        "(",
        *(f"    {LONG}_{i}," for i in range(4)),
        ") = kernel_0(  # model.py:1",
        *(f"    {LONG}_{i}," for i in range(4)),
        ")",
    ]


def test_brackets_and_commas_in_strings_are_none() -> None:
    text = f'check.condition({LONG} > {LONG}, "rows, (which = is", "it\'s \\" ({LONG}", (1, 2))'
    assert wrap(text)[1:-1] == [
        f"    {LONG} > {LONG},",
        '    "rows, (which = is",',
        f'    "it\'s \\" ({LONG}",',
        "    (1, 2),",
    ]


@pytest.mark.parametrize("value", [f"-({'x + ' * 40}x)", f"y[{'x + ' * 40}x]", f"({'x' * 120})"])
def test_a_comma_is_not_added_where_it_would_make_a_tuple(value: str) -> None:
    lines = wrap(f"z = {value}")
    assert len(lines) == 3
    assert "," not in "".join(lines)


VALUES = st.recursive(
    st.sampled_from(["x", LONG, "-1", "1.5", "None", '"a, (b = c"', "torch.float32"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map(lambda v: f"[{', '.join(v)}]"),
        st.lists(inner, min_size=2, max_size=6).map(lambda v: f"({', '.join(v)})"),
        inner.map(lambda v: f"({v},)"),
        inner.map(lambda v: f"({v})"),
        inner.map(lambda v: f"{LONG}[{v}]"),
        st.lists(inner, max_size=6).map(lambda v: f"torch.ops.aten.{LONG}({', '.join(v)})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda v: f"f(*x, {', '.join(v)}, dim={v[0]})"),
        inner.map(lambda v: f'{{"key": {v}}}'),
        st.tuples(inner, inner, inner).map(lambda v: f"({v[0]} if {v[1]} else {v[2]})"),
        st.tuples(inner, inner).map(lambda v: f"({v[0]} + {v[1]})"),
    ),
    max_leaves=30,
)


FORMS = ("return {}", "x = {}", "(x,) = {}", f"{names(2)} = {{}}", f"{names(9)} = {{}}",
         "check.tensor({})", "while inlined_0({}):\n    pass",
         "with torch.autocast({}):\n    pass")  # fmt: skip
# A pair of brackets with something in it, but no further brackets.
PAIR = re.compile(r"\([^()\[\]{}]+\)|\[[^()\[\]{}]+\]|\{[^()\[\]{}]+\}")


@given(VALUES, st.sampled_from(FORMS), st.integers(0, 3))
def test_the_meaning_stays_and_long_lines_have_nothing_to_open(
    value: str, form: str, depth: int
) -> None:
    head, _, body = form.format(value).partition("\n")
    indent = " " * 4 * depth
    commented = wrap(indent + head, "  # a comment (with, brackets")
    assert sum("# a comment" in line for line in commented) == 1
    written = textwrap.dedent("\n".join([*commented, *([indent + body] if body else [])]))
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(form.format(value)))
    for line in wrap(indent + head):
        assert len(line) <= PAGE or not PAIR.search(line.replace('"a, (b = c"', "text"))


def test_a_list_of_deletions_is_several_statements() -> None:
    words = [f"{LONG}_{i}" for i in range(7)]
    found = deletions(words, 8)
    assert [word for line in found for word in line] == words
    assert len(found) == 4
    assert all(8 + len(f"del {', '.join(line)}") <= PAGE for line in found)
    assert deletions([], 8) == []
    assert deletions(["x" * 200], 8) == [["x" * 200]]
