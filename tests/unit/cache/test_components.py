from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from ipy_fastcompile.artifact.squeeze import squeeze
from ipy_fastcompile.cache.changes import diff_components
from ipy_fastcompile.cache.key.components import KEY_MEMBER, Key, recorded_digests, section
from ipy_fastcompile.errors import CacheKeyError, ManifestCorrupt

texts = st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=5)


def lines_of(old: str, new: str) -> tuple[str, ...]:
    (change,) = diff_components({"x": old}, {"x": new})
    return change.lines


@given(texts, texts)
def test_keys_are_equal_where_their_components_are(a: dict[str, str], b: dict[str, str]) -> None:
    assert (Key(a).digest == Key(b).digest) == (a == b)
    assert len(Key(a).digest) == 64


@given(texts)
def test_what_is_recorded_comes_back(components: dict[str, str]) -> None:
    key = Key(components)
    entry = json.loads(json.dumps(key.manifest_entry))
    assert recorded_digests({"key": entry}, "it") == (key.digest, key.digests)
    assert Key.from_member(key.members[KEY_MEMBER], "it") == key


def test_a_key_is_a_value() -> None:
    components = {"a": "1"}
    key = Key(components)
    components["a"] = "2"
    assert key.components["a"] == "1"
    assert {key: 1}[Key({"a": "1"})] == 1
    with pytest.raises(TypeError):
        key.components["a"] = "2"  # type: ignore[index]


def test_lone_surrogates_have_a_digest_too() -> None:
    assert Key({"a": "\udc80"}).digest != Key({"a": "\udc81"}).digest


@pytest.mark.parametrize("components", [{"a": 1}, {1: "a"}, {"a": None}, {"a": b"x"}])
def test_components_are_text(components: dict[str, str]) -> None:
    with pytest.raises(CacheKeyError, match="not text"):
        Key(components)


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a":1}', b"\xff", b"[" * 100_000])
def test_members_that_are_no_key(data: bytes) -> None:
    for member in (data, squeeze(data)):
        with pytest.raises(ManifestCorrupt, match="is not a key"):
            Key.from_member(member, "it")


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "x",
        {},
        {"digest": "0" * 64, "components": {"a": "0" * 64}},
        {"digest": "0" * 64, "components": {"a": 1}},
        {"digest": "0" * 64, "components": {"a": "0"}},
    ],
)
def test_entries_that_are_no_key(entry: object) -> None:
    with pytest.raises(ManifestCorrupt, match="key"):
        recorded_digests({"key": entry}, "it")


def test_one_line() -> None:
    (change,) = diff_components({"torch": "2.12"}, {"torch": "2.13"})
    assert (change.component, change.old, change.new) == ("torch", "2.12", "2.13")
    assert change.lines == ("2.12 -> 2.13",)
    assert lines_of("", "x") == ("(empty) -> x",)


def test_flags_are_named() -> None:
    old = "max_autotune=False\nfreezing = True\ncpp.threads=4"
    new = "max_autotune=True\nfreezing = False\ncpp.threads=4"
    assert lines_of(old, new) == ("max_autotune: False -> True", "freezing: True -> False")


def test_flags_of_several_words_are_named() -> None:
    old, new = (f"a = 1\nmatmul precision = {value!r}" for value in ("highest", "medium"))
    assert lines_of(old, new) == ("matmul precision: 'highest' -> 'medium'",)


def test_digests_of_code_are_shown_only_without_a_line_that_differs() -> None:
    def component(text: str, digest: str) -> str:
        return section("helper.py", text, 4) + f"@@ compiled code\nhelper.scale = {digest}"

    before = component("return x * 2", "1f")
    edited = component("return x * 3", "2e")
    assert lines_of(before, edited) == ("helper.py:4: return x * 2 -> return x * 3",)
    same_text = component("return x * 2", "2e")
    assert lines_of(before, same_text) == ("compiled code: helper.scale: 1f -> 2e",)


def test_source_lines_are_numbered_from_where_the_function_starts() -> None:
    source = "def f(x):\n    y = x\n    return y\n"
    old = section("helper.py", source, 43) + section("cell 3", "f(1)\n")
    new = section("helper.py", source.replace("y = x", "y = -x"), 43) + section("cell 3", "f(2)\n")
    assert lines_of(old, new) == (
        "helper.py:44: y = x -> y = -x",
        "cell 3:1: f(1) -> f(2)",
    )


def test_added_and_removed_lines() -> None:
    assert lines_of("a\nb\nc", "a\nc") == ("line 2: removed b",)
    assert lines_of("a\nc", "a\nb\nc") == ("line 2: added b",)
    assert lines_of("a\nb\nc\nd", "a\nx\nd") == ("line 2: b -> x", "line 3: removed c")


def test_indentation_alone_is_shown() -> None:
    assert lines_of("if x:\n  a", "if x:\n    a") == ("line 2:   a ->     a",)


def test_a_flag_in_source_is_source() -> None:
    old, new = section("a.py", "x = 1\n"), section("a.py", "x = 2\n")
    assert lines_of(old, new) == ("a.py:1: x = 1 -> x = 2",)


def test_components_that_come_and_go() -> None:
    changes = diff_components({"a": "1", "b": "2"}, {"c": "3", "b": None})
    assert [(c.component, c.lines) for c in changes] == [
        ("c", ("a component that the entry does not have",)),
        ("b", ("differs; the text is not recorded in the entry",)),
        ("a", ("a component that only the entry has",)),
    ]


def test_long_texts_are_cut_and_still_quick() -> None:
    old = "\n".join(f"line {n}" for n in range(20_000))
    new = "\n".join(f"line {n} changed" for n in range(20_000))
    lines = lines_of(old, new)
    assert len(lines) == 21
    assert lines[-1] == "and 19980 more lines"
    assert lines_of("x" * 1000 + "\n", "y" * 1000 + "\n")[0].count("…") == 2


def test_lines_of_a_long_text_are_found_wherever_they_are() -> None:
    lines = [f"transformers.name_{n} = {n}" for n in range(3_000)]
    moved = [*lines[1_500:], *lines[:1_500]]
    assert lines_of("\n".join(lines), "\n".join(moved)) == ("the same lines in another order",)
    moved[7] = "transformers.name_1507 = 0"
    assert lines_of("\n".join(lines), "\n".join(moved)) == ("transformers.name_1507: 1507 -> 0",)
    assert lines_of("\n".join(lines), "\n".join([*moved, "x = 1"])) == (
        "transformers.name_1507: 1507 -> 0",
        "added x = 1",
    )


def test_lines_with_a_name_need_no_number() -> None:
    assert lines_of("a = 1\nb = 2\nc = 3", "a = 1\nc = 3") == ("removed b = 2",)
    assert lines_of("a = 1\nb = 2\nd", "a = 1\nx = 2\nd") == ("removed b = 2", "added x = 2")


INPUTS = """\
first: containers = {{"kind": "tuple"}}
first: args[0] = torch.float32[3, 4] strides [4, 1] cpu
next: containers = {{"kind": "dict"}}
next: kwargs['ids'] = torch.int64[{0}, 1] strides [1, 1] cpu
next: kwargs['cache'].keys = torch.float32[{0}, 2, 3] strides [6, 3, 1] cpu
next: kwargs['cache'].values = torch.float32[{0}, 2, 3] strides [6, 3, 1] cpu
next: kwargs['flag'] = True"""


def test_a_kind_of_call_that_came_or_went_is_one_line() -> None:
    two, first = INPUTS.format(1), "\n".join(INPUTS.format(1).split("\n")[:2])
    alone = first.replace("first: ", "")
    old = {"inputs": two, "dynamic": "first: x = 1\nnext: seen = past 3 to 5"}
    new = {"inputs": alone, "dynamic": "(default)"}
    takes = "kwargs['ids'] int64[1, 1], kwargs['cache'].keys float32[1, 2, 3] and 1 more"
    assert [change.lines for change in diff_components(old, new)] == [
        (
            "first: a kind of call that only the entry has: args[0] float32[3, 4]",
            f"next: a kind of call that only the entry has: {takes}",
            "a call by itself that the entry does not have: args[0] float32[3, 4]",
        ),
        (
            "first: a kind of call that only the entry has",
            "next: a kind of call that only the entry has",
        ),
    ]
    (change,) = diff_components({"inputs": first}, {"inputs": two})
    assert change.lines == (f"next: a kind of call that the entry does not have: {takes}",)
    (change,) = diff_components({"inputs": two}, {"inputs": INPUTS.format(2)})
    assert "next: kwargs['ids']: torch.int64[1, 1] strides [1, 1] cpu -> " in change.lines[0]
    assert len(change.lines) == 3


def test_a_kind_that_went_leaves_what_else_differs_to_be_said() -> None:
    first = "\n".join(INPUTS.format(1).split("\n")[:2]).replace("[3, 4]", "[5, 4]")
    (change,) = diff_components({"inputs": INPUTS.format(1)}, {"inputs": first})
    assert len(change.lines) == 2
    assert change.lines[0].startswith("next: a kind of call that only the entry has: ")
    assert change.lines[1].startswith("first: args[0]: torch.float32[3, 4] strides")


def test_changes_print_one_component_a_line() -> None:
    first, second = diff_components({"a": "1", "b": "x\ny"}, {"a": "2", "b": "X\nY"})
    assert str(first) == "a: 1 -> 2"
    assert str(second) == "b:\n  line 1: x -> X\n  line 2: y -> Y"
