"""What a wrapper does around a kernel keeps it off the native path, in words."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from ipy_fastcompile.engine.kernels.obstacles import obstacles_of
from ipy_fastcompile.torch_compat.wrapping import Wrapping
from tests.stitching import NOTHING

WRAPPED = {
    "mutated_outside": ((0, 2), "inputs [0, 2] are mutated outside the kernel"),
    "intermediate_bases": (1, "outputs are views of an intermediate value"),
    "outputs": (("non_alias", "alias_of_intermediate"), "output 1 is alias_of_intermediate"),
    "tokens": (1, "ops with effects pass tokens"),
    "generator_states": (1, "random number generator states are inputs"),
    "has_subclass_inputs": (True, "an input is a tensor subclass"),
    "unwraps_subclasses": (True, "tensor subclasses are unwrapped"),
    "has_backward": (True, "it has a backward"),
    "wrappers": (("FakifiedOutWrapper",), "FakifiedOutWrapper is in effect"),
    "has_script_objects": (True, "it holds script objects"),
    "has_frozen_parameters": (True, "parameters are frozen into it"),
    "is_partitioned": (True, "its output code is partitioned for CUDA graphs"),
}


def test_where_nothing_is_done_around_a_kernel_there_is_no_obstacle() -> None:
    assert list(obstacles_of(NOTHING)) == []
    exact = Wrapping(outputs=("non_alias", "alias_of_input", "is_input", "unsafe_view_alias"))
    assert list(obstacles_of(replace(NOTHING, wrapping=exact))) == []


@pytest.mark.parametrize("name", [field.name for field in fields(Wrapping)])
def test_whatever_a_wrapper_does_is_one(name: str) -> None:
    value, said = WRAPPED[name]
    changes: dict[str, Any] = {name: value}
    assert list(obstacles_of(replace(NOTHING, wrapping=Wrapping(**changes)))) == [said]


def test_so_is_what_the_output_code_itself_needs() -> None:
    parts = replace(NOTHING, mutated_inputs=(1, 3), checked_inputs=(3, 4))
    assert list(obstacles_of(parts)) == ["inputs [3] are mutated and need an alignment check"]
    parts = replace(NOTHING, constants={"_tensor_constant0": torch.ones(1)})
    assert list(obstacles_of(parts)) == ["its output code holds tensors (_tensor_constant0)"]
