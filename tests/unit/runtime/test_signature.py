"""The calling convention as data: types that this process does not know, calls that differ."""

from __future__ import annotations

import ast
import collections
import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from ipy_fastcompile.artifact.schema import Signature
from ipy_fastcompile.artifact.schema.write import as_data
from ipy_fastcompile.engine.describe_call import describe_call
from ipy_fastcompile.errors import ArtifactCorrupt, InputError, TreeTypeMissing
from ipy_fastcompile.runtime.nests import flatten
from ipy_fastcompile.runtime.signature import CallTree, literal_of


def signature_of_call(arguments: dict[str, Any], result: Any) -> Signature:
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


def tree_with_output_of_type(name: str) -> Signature:
    signature = signature_of_call({"x": 1}, [{"a": 1}])
    return replace(signature, out_tree=signature.out_tree.replace("builtins:dict", name))


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
    signature = replace(signature_of_call({"x": 1}, [{"a": 1}]), out_tree=text)
    with pytest.raises(ArtifactCorrupt):
        CallTree(signature)


def test_the_keys_of_a_dict_may_come_in_any_order() -> None:
    tree = CallTree(signature_of_call({"batch": {"ids": 1, "mask": [2, 3]}}, 1))
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
    tree = CallTree(signature_of_call({"batch": {"ids": 1, "mask": [2, 3]}}, 1))
    with pytest.raises(InputError, match=said):
        tree.leaves((value,), {})


def test_signatures_are_json() -> None:
    result = {"b": float("nan"), 3: b"x", ("t", 1): 2}
    data = as_data(signature_of_call({"x": {"a": (1, range(3))}}, result))
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def with_defaults() -> CallTree:
    """Of ``f(x, k=2.0, dims=(0, 1), *, eps=1e-5, mask=None)``, compiled as ``f(x, 2.0, eps=1)``."""
    names = ["x", "k", "dims", "eps", "mask"]
    defaults = {"k": "2.0", "dims": "(0, 1)", "eps": "1e-05", "mask": "None"}
    arguments = [(name, None) for name in ("x", "k", "eps")]
    return CallTree(describe_call(arguments, None, ["x", "k", "eps"], names, 2, ["eps"], defaults))


@pytest.mark.parametrize(
    ("args", "kwargs", "leaves"),
    [
        ((7, 2.0), {"eps": 1}, (7, 2.0, 1)),
        ((7,), {}, (7, 2.0, 1e-5)),
        ((), {"x": 7, "eps": 1}, (7, 2.0, 1)),
        ((7, 3.0, (0, 1)), {"eps": 1, "mask": None}, (7, 3.0, 1)),
        ((7,), {"mask": None, "dims": (0, 1), "k": 4}, (7, 4, 1e-5)),
    ],
)
def test_an_argument_that_has_its_default_may_be_left_out_or_given(
    args: Any, kwargs: Any, leaves: Any
) -> None:
    found = with_defaults().leaves(args, kwargs)
    assert found == leaves
    assert [type(v) for v in found] == [type(v) for v in leaves]


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((7,), {"dims": [0, 1]}, "dims was not part"),
        ((7,), {"dims": (0, 2)}, "dims was not part"),
        ((7,), {"dims": (0, True)}, "dims was not part"),
        ((7,), {"mask": torch.ones(2)}, "mask was not part"),
        ((7,), {"other": None}, "other was not part"),
        ((), {}, "x is missing"),
        ((7,), {"x": 7}, "x is given twice"),
        ((7, 2.0), {"k": 2.0}, "k is given twice"),
    ],
)
def test_what_is_no_default_is_refused_by_its_name(args: Any, kwargs: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        with_defaults().leaves(args, kwargs)


@pytest.mark.parametrize(
    "value",
    [None, True, -3, 2.5, "a'b", b"x", (1,), [], {"a": [1, (None, -0.0)]}, 1e308, (), "\n"],
)
def test_a_literal_gives_its_value_back(value: Any) -> None:
    text = literal_of(value)
    assert text == repr(ast.literal_eval(text))
    assert ast.literal_eval(text) == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1}, object(), torch.ones(2), int, [float("nan")]]
)
def test_what_is_no_literal_has_none(value: Any) -> None:
    assert literal_of(value) == ""


def test_a_missing_argument_beside_an_unknown_one_names_both() -> None:
    tree = CallTree(signature_of_call({"ids": 1}, 1))
    with pytest.raises(InputError, match=r"ids is missing.* in the place of idx") as caught:
        tree.leaves((), {"idx": 1})
    assert caught.value.argument == "ids"
