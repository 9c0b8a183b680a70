"""The calling convention as data: types that this process does not know, calls that differ."""

from __future__ import annotations

import collections
import json
from typing import Any

import pytest

from ipy_fastcompile.errors import ArtifactCorrupt, InputError, TreeTypeMissing
from ipy_fastcompile.runtime.nests import flatten
from ipy_fastcompile.runtime.signature import CallTree, describe_call


def data_of_call(arguments: dict[str, Any], result: Any) -> dict[str, Any]:
    """The signature of a call with these arguments, by position."""
    rows = [(name, flatten(value, name)) for name, value in arguments.items()]
    return describe_call(
        [(name, found.nest) for name, found in rows],
        flatten(result).nest,
        [path for _, found in rows for path in found.paths],
        list(arguments),
        len(arguments),
        [],
    )


def tree_with_output_of_type(name: str) -> dict[str, Any]:
    data = data_of_call({"x": 1}, [{"a": 1}])
    return {**data, "out_tree": data["out_tree"].replace("builtins:dict", name)}


def test_a_container_of_a_module_that_is_not_imported_says_which_to_import() -> None:
    with pytest.raises(TreeTypeMissing) as caught:
        CallTree(tree_with_output_of_type("far.away:Outputs"))
    message = str(caught.value)
    assert "far.away.Outputs" in message
    assert "Import far.away before loading" in message
    assert ".." not in message


def test_a_container_that_its_module_does_not_define_is_named() -> None:
    with pytest.raises(TreeTypeMissing, match=r"json\.Gone, which is not defined in json"):
        CallTree(tree_with_output_of_type("json:Gone"))
    with pytest.raises(TreeTypeMissing, match="is not a type in this process"):
        CallTree(tree_with_output_of_type("json:dumps"))
    with pytest.raises(TreeTypeMissing, match="local to a function"):
        CallTree(tree_with_output_of_type("json:f.<locals>.Pair"))


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[1]", '"x"', "[" * 9999, '{"kind": "list"}'),
        '{"kind": "list", "type": "os.system"}',
        '{"kind": "dict", "type": "a:b", "keys": ["k"], "children": []}',
    ],
)
def test_a_tree_that_no_pack_writes_is_corrupt(text: str) -> None:
    data = {**data_of_call({"x": 1}, [{"a": 1}]), "out_tree": text}
    with pytest.raises(ArtifactCorrupt):
        CallTree(data)


def test_the_keys_of_a_dict_may_come_in_any_order() -> None:
    tree = CallTree(data_of_call({"batch": {"ids": 1, "mask": [2, 3]}}, 1))
    assert tree.leaves(({"mask": [5, 6], "ids": 4},), {}) == [4, 5, 6]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"ids": 1}, "Argument batch has no 'mask'"),
        ({"ids": 1, "mask": [2, 3], "more": 1}, 'has "more", which was not part'),
        ({"ids": 1, "mask": (2, 3)}, r"batch\['mask'\] is a tuple, .* takes a list"),
        ({"ids": 1, "mask": [2]}, r"batch\['mask'\] has 1, .* takes 2 entries"),
        ([1, [2, 3]], "batch is a list, .* takes a dict"),
        (None, "batch is a NoneType"),
        (collections.OrderedDict(ids=1, mask=[2, 3]), "is a collections.OrderedDict"),
    ],
)
def test_a_call_that_is_nested_in_another_way_names_the_place(value: Any, said: str) -> None:
    tree = CallTree(data_of_call({"batch": {"ids": 1, "mask": [2, 3]}}, 1))
    with pytest.raises(InputError, match=said):
        tree.leaves((value,), {})


def test_signatures_are_json() -> None:
    data = data_of_call({"x": {"a": (1, range(3))}}, {"b": float("nan"), 3: b"x", ("t", 1): 2})
    assert json.loads(json.dumps(data)) == data
