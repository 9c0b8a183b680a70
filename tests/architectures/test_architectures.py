"""Architectures and plain modules: right numbers after a reload with no compiler and cache."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.verification.check import largest_difference
from tests.architectures.zoo import BUILDERS

pytestmark = pytest.mark.slow
NAMES = sorted(BUILDERS)


@pytest.mark.parametrize("name", NAMES)
def test_native_reload_without_compiler_or_cache(name: str, bare_reloads: dict[str, Any]) -> None:
    result = bare_reloads[name]
    assert "failed" not in result, result["failed"]
    assert result["error"] <= result["allowed"]
    assert set(result["ways"]) == {"native"}


@pytest.mark.parametrize("via", ["torch", "fx"])
@pytest.mark.parametrize("name", ["llama", "t5", "buffer_mutation", "nested_trees", "custom_op"])
def test_other_paths_agree_with_eager(name: str, via: str, compiled_cases: Any) -> None:
    case = BUILDERS[name]()
    eager, loaded = copy.deepcopy(case.model), copy.deepcopy(case.model)
    function = fc.load(compiled_cases[name].path, loaded, via=via)
    for args, kwargs in ((case.args, case.kwargs), *case.more):
        with torch.no_grad():
            expected = eager(*args, **kwargs)
        assert largest_difference(expected, function(*args, **kwargs)) <= case.tolerance
    buffers = dict(eager.named_buffers()), dict(loaded.named_buffers())
    assert largest_difference(*buffers) <= case.tolerance


def test_every_kernel_is_native(compiled_cases: Any) -> None:
    rows = {
        n: [k.why for k in compiled_cases[n].compiled.report.kernels if not k.native] for n in NAMES
    }
    assert not any(rows.values()), rows


def test_outputs_alias_what_they_alias_in_eager(compiled_cases: Any) -> None:
    case = BUILDERS["aliased_outputs"]()
    x, y = case.args
    function = fc.load(compiled_cases["aliased_outputs"].path, case.model)
    same, flat, tail, z, again, turned = function(x, y)
    assert same is x
    assert flat.data_ptr() == y.data_ptr()
    assert tail.data_ptr() == x[1:].data_ptr()
    assert z is again
    assert turned.data_ptr() == z.data_ptr()


def test_mutation_reaches_the_callers_tensor(compiled_cases: Any) -> None:
    case = BUILDERS["input_mutation"]()
    x, y = (t.clone() for t in case.args)
    function = fc.load(compiled_cases["input_mutation"].path, case.model)
    function(x, y)
    assert torch.equal(x, case.args[0] * 2 + case.args[1])


def test_mutation_reaches_the_models_buffer(compiled_cases: Any) -> None:
    case = BUILDERS["buffer_mutation"]()
    model = copy.deepcopy(case.model)
    function = fc.load(compiled_cases["buffer_mutation"].path, model)
    function(*case.args)
    function(*case.args)
    torch.testing.assert_close(model.count, 2 * case.args[0].sum(0))


def test_tied_weights_stay_tied(compiled_cases: Any) -> None:
    case = BUILDERS["tied_weights"]()
    function = fc.load(compiled_cases["tied_weights"].path, case.model)
    before = function(*case.args)
    with torch.no_grad():
        case.model.head.weight.mul_(2)
        expected = case.model(*case.args)
    assert not torch.equal(before, expected)
    assert largest_difference(expected, function(*case.args)) <= case.tolerance
