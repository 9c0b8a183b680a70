"""Source text of values: it evaluates to exactly them, or there is none."""

from __future__ import annotations

import collections
import enum
import math
import struct
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.fx import Graph
from torch.fx.immutable_collections import immutable_dict, immutable_list

from ipy_fastcompile.engine.code.literals import Constants, write_value
from ipy_fastcompile.errors import CodegenError
from ipy_fastcompile.grammar.check import check_grammar


def write(value: Any) -> str:
    return write_value(value, lambda node: node.name, "Node n")


def read(text: str) -> Any:
    """Evaluate a literal, after the grammar of execution code let it through."""
    module = f"import torch\n\n\ndef check_inputs(check):\n    return ({text},)\n"
    check_grammar(f"{module}\n\n{BIND}", "text")
    return eval(text, {"torch": torch})


BIND = """
def bind(kernels, parameters, constants):
    def forward():
        return ()
    return forward
"""


def bits(value: Any) -> Any:
    """A value as something that is equal only for equal bits, types included."""
    if isinstance(value, float):
        return ("float", struct.pack("d", value) if value == value else "nan")
    if isinstance(value, complex):
        return ("complex", bits(value.real), bits(value.imag))
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, [bits(v) for v in value])
    if isinstance(value, dict):
        return ("dict", [(bits(k), bits(v)) for k, v in value.items()])
    if isinstance(value, slice):
        return ("slice", bits(value.start), bits(value.stop), bits(value.step))
    return (type(value).__name__, value)


EXACT = [
    None, True, False, ..., 0, -1, 2**63, -(2**64), 10**5000, -(10**5000), 0.1, -0.0, 1e-323, 1e308,
    math.nan, math.inf, -math.inf, 1j, complex(-0.0, math.nan), complex(math.inf, -math.inf),
    "", "it's", 'say "hi"', '"""', "\\", "\n\r\t\0", "ünïcode", "\u202e", "\ud800", "{x}",
    b"", b"\x00'\"\\", slice(None, 3, -1), slice(0, None), range(3, -1, -2), (), (1,),
    (1, (2, [3])), [], [None, [True]], {}, {"a": {"b": (1,)}, 3: [4.5], None: ..., (1, 2): b"x"},
]  # fmt: skip


@pytest.mark.parametrize(
    "value", EXACT, ids=lambda v: ascii(v)[:40] if not isinstance(v, int) else "int"
)
def test_a_value_is_written_exactly(value: Any) -> None:
    assert bits(read(write(value))) == bits(value)


OF_TORCH = [v for v in vars(torch).values() if isinstance(v, (torch.dtype, torch.memory_format))]
OF_TORCH += [torch.strided, torch.sparse_coo, torch.sparse_csr, torch.per_tensor_affine]
OF_TORCH += [
    torch.device("cpu"),
    torch.device("cuda"),
    torch.device("cuda:3"),
    torch.device("meta"),
]


@pytest.mark.parametrize("value", OF_TORCH, ids=str)
def test_dtypes_devices_layouts_and_memory_formats_are_themselves(value: Any) -> None:
    assert read(write(value)) == value


class Mode(enum.IntEnum):
    FAST = 2


Pair = collections.namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Mode.FAST, 2),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.int64(-7), -7),
        (np.bool_(True), True),
        (torch.Size([2, 3]), (2, 3)),
        (immutable_list([1, immutable_dict({"a": 2})]), [1, {"a": 2}]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_stands_for_a_plain_value_is_written_as_that(value: Any, plain: Any) -> None:
    assert bits(read(write(value))) == bits(plain)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (torch.Generator(), "a random number generator, whose state is not part of a graph"),
        (torch.ones(2), "a Tensor"),
        (np.ones(2), "a ndarray"),
        (Pair(1, 2), "a Pair"),
        ({1, 2}, "a set"),
        (object(), "a object"),
        (len, "a builtin_function_or_method"),
        (torch.relu, "a builtin_function_or_method"),
        (torch.nn.Identity(), "a Identity"),
        ([1, (object(),)], "a object"),
    ],
    ids=lambda v: str(type(v).__name__),
)
def test_what_has_no_exact_source_is_refused_by_name(value: Any, what: str) -> None:
    with pytest.raises(CodegenError, match="Node n is ") as caught:
        write(value)
    assert what in str(caught.value)
    assert "split_at" in str(caught.value)


def test_tensors_go_to_the_table_once() -> None:
    table, tensor = Constants(), torch.ones(2)
    slots = [table.add(tensor), table.add(torch.zeros(2)), table.add(tensor)]
    assert slots == [0, 1, 0]
    assert [t is tensor for t in table.tensors] == [True, False]
    text = write_value([tensor], lambda n: n.name, "Node n", lambda t: f"constant_{table.add(t)}")
    assert text == "[constant_0]"


def test_nodes_are_written_by_name_wherever_they_stand() -> None:
    node = Graph().placeholder("x")
    assert write({"a": [node, slice(node, None)]}) == '{"a": [x, slice(x, None, None)]}'


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.binary(),
    st.text(st.characters(), max_size=20),
)  # fmt: skip
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4),
        st.builds(slice, inner, inner),
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(NESTED)
def test_any_nest_of_literals_is_written_exactly(value: Any) -> None:
    assert bits(read(write(value))) == bits(value)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", '"plain"'),
        ("", '""'),
        ("it's", '"it\'s"'),
        ('say "a"', "'say \"a\"'"),
        ("both ' and \"", "'both \\' and \"'"),
        ("back\\slash\n", '"back\\\\slash\\n"'),
        ("\u00e9", '"\\xe9"'),
        (b"bytes", 'b"bytes"'),
        (b"a'b", 'b"a\'b"'),
        (b'a"b', "b'a\"b'"),
    ],
)
def test_strings_are_in_double_quotes_where_that_takes_no_backslashes(
    text: str | bytes, literal: str
) -> None:
    assert write(text) == literal
    assert read(literal) == text
