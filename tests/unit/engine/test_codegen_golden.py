"""The execution code of six models, as text: a change of the generator shows as a diff.

``REFRESH_GOLDEN=1 python -m pytest tests/unit/engine/test_codegen_golden.py`` writes the files
anew; review the diff. No compiler is needed: kernels are only called by name. Line numbers of the
models' files are left out, so that the files do not change with them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.code.codegen import generate_execution_code
from ipy_fastcompile.engine.graph.split import split
from ipy_fastcompile.grammar.check import check_grammar
from tests.architectures.zoo import BUILDERS, Case
from tests.stitching import lower_without_compiler
from tests.tiny import TinyTransformer

FOLDER = Path(__file__).parents[2] / "golden" / "execution_code"


def tiny() -> Case:
    torch.manual_seed(0)
    ids = torch.arange(8).reshape(1, 8)
    return Case(TinyTransformer().eval(), (ids,), dynamic={"ids": {1: ("seq", 2, 512)}})


# Attention at any length; nests of containers; in-place updates; outputs that share memory; an op
# of a library between compiled pieces; two inputs of one size.
CASES = {
    "tiny_transformer": tiny,
    "nested_trees": BUILDERS["nested_trees"],
    "buffer_mutation": BUILDERS["buffer_mutation"],
    "aliased_outputs": BUILDERS["aliased_outputs"],
    "custom_op": BUILDERS["custom_op"],
    "no_parameters": BUILDERS["no_parameters"],
}


def execution_code(case: Case) -> str:
    captured = capture(case.model, case.args, case.kwargs, dynamic=case.dynamic)
    lowered = lower_without_compiler(split(captured, case.split_at))
    return generate_execution_code(lowered).text


@pytest.mark.parametrize("name", CASES)
def test_the_execution_code_is_the_golden_one(name: str) -> None:
    text = execution_code(CASES[name]())
    check_grammar(text, name)
    text = re.sub(r"(  # \w+\.py):\d+ in ", r"\1 in ", text)
    path = FOLDER / f"{name}.py"
    if os.environ.get("REFRESH_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8"), f"{path} differs; see {__name__} for how to refresh it"


def test_the_same_model_gives_the_same_text_again() -> None:
    assert execution_code(tiny()) == execution_code(tiny())
