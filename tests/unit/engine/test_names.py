"""Names of generated values: identifiers that collide with nothing."""

from __future__ import annotations

import builtins
import keyword

import pytest
from hypothesis import given, strategies as st

from ipy_fastcompile.engine.code.names import OWN_WORDS, Namespace
from ipy_fastcompile.grammar.terms import Refused, check_plain_name
from ipy_fastcompile.grammar.words import BUILTINS

HOSTILE = [
    "", " ", "1", "x; import os", "__import__", "__class__", "_", "__", "___", "def", "lambda",
    "match", "None", "print", "exec", "torch", "check", "bind", "forward", "kernels", "kernel_0",
    "inlined_12", "constant_3", "submod_1", "mark", "math", "ünïcode", "\u202e", "a\nb", "x-y",
    "x.y", "\0",
]  # fmt: skip


def assert_is_free(name: str) -> None:
    assert name.isidentifier()
    assert name.isascii()
    assert not name.startswith("__")
    assert not keyword.iskeyword(name)
    assert not keyword.issoftkeyword(name) or name == "_"
    assert name not in dir(builtins)
    assert name not in OWN_WORDS
    try:
        check_plain_name(None, name)  # type: ignore[arg-type]
    except Refused as refused:
        pytest.fail(f"the grammar refuses {name}: {refused.what}")


@pytest.mark.parametrize("wish", HOSTILE, ids=ascii)
def test_any_wish_becomes_a_name_the_grammar_accepts(wish: str) -> None:
    names = Namespace()
    for count in range(4):
        assert_is_free(names.name(count, wish))


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8)), max_size=40))
def test_no_two_values_share_a_name(wishes: list[str]) -> None:
    names = Namespace()
    slot = names.own("slot", "kernel_0")
    found = [names.name(key, wish) for key, wish in enumerate(wishes)]
    assert len({*found, slot}) == len(found) + 1
    for name in found:
        assert_is_free(name)
    assert [names.name(key, "another wish") for key in range(len(wishes))] == found


def test_a_good_wish_is_granted() -> None:
    names = Namespace()
    assert names.name("a", "hidden_states") == "hidden_states"
    assert names.name("b", "hidden_states") == "hidden_states_1"
    assert names.name("c", "kernel_0") == "v_kernel_0"
    names.alias("d", "a")
    assert names.name("d", "anything") == "hidden_states"


def test_builtins_that_generated_text_calls_are_no_names() -> None:
    names = Namespace()
    assert not {names.name(word, word) for word in BUILTINS} & BUILTINS
