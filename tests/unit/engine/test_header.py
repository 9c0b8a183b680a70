"""What the docstring of the execution code lists."""

from __future__ import annotations

from typing import Any

import torch

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.code.codegen import generate_execution_code
from ipy_fastcompile.engine.graph.split import split
from tests.stitching import lower_without_compiler


class Many(torch.nn.Module):
    """As many results as a cache of so many layers has."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: torch.Tensor) -> Any:
        return [(x + n, True) for n in range(self.count)]


def outputs(count: int) -> list[str]:
    captured = capture(Many(count), (torch.ones(2),))
    text = generate_execution_code(lower_without_compiler(split(captured))).text
    return [line.strip() for line in text.split("Outputs:\n")[1].split("Sub")[0].splitlines()]


def test_few_outputs_are_listed_with_what_is_always_the_same() -> None:
    assert outputs(2) == ["add: float32[2] on cpu", "True", "add_1: float32[2] on cpu", "True"]


def test_of_many_outputs_the_first_that_are_computed_are_listed() -> None:
    found = outputs(10)
    assert found[:2] == ["add: float32[2] on cpu", "add_1: float32[2] on cpu"]
    assert found[8:] == ["and 2 more, and 10 plain values"]
    assert outputs(5)[5:] == ["and 5 plain values"]
