"""The calling convention as data: trees whose types this process does not know."""

from __future__ import annotations

import json

import pytest

from ipy_fastcompile.errors import TreeTypeMissing
from ipy_fastcompile.runtime.signature import CallTree


def test_a_container_that_is_not_registered_names_the_module_to_import() -> None:
    leaf = {"type": None, "context": None, "children_spec": []}
    outputs = {"type": "far.away.Outputs", "context": '["scores"]', "children_spec": [leaf]}
    arguments = {"type": "builtins.tuple", "context": "null", "children_spec": [leaf]}
    data = {
        "argument_names": ["x"],
        "n_positional": 1,
        "keywords": [],
        "inputs": [{"path": "x"}],
        "flat": True,
        "in_tree": json.dumps([1, arguments]),
        "out_kind": "tree",
        "out_tree": json.dumps([1, outputs]),
    }
    with pytest.raises(TreeTypeMissing) as caught:
        CallTree(data)
    message = str(caught.value)
    assert "far.away.Outputs" in message
    assert "Import far.away before loading" in message
    assert ".." not in message
