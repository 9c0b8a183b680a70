"""A causal model as it comes, in a real kernel: one call, its cache, and a whole generation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cells import run_cells
from tests.generation_cells import GENERATE, MODEL

pytestmark = pytest.mark.slow

# transformers calls the same argument `cache` from 5.24 on, and warns of the older name.
STEP = """\
import warnings
warnings.simplefilter("ignore", FutureWarning)
eager, step = model(ids), torch.tensor([[7]])
torch.testing.assert_close(out.logits, eager.logits)
after = model(step, past_key_values=out.past_key_values)
expected = model(step, past_key_values=eager.past_key_values)
torch.testing.assert_close(after.logits, expected.logits)
for layer, other in zip(out.past_key_values.layers, eager.past_key_values.layers, strict=True):
    torch.testing.assert_close(layer.keys, other.keys)
print(type(out).__name__, type(out.past_key_values).__name__, out.past_key_values.get_seq_length())
"""
CELLS = [
    MODEL,
    "%%fastcompile --no-warm --no-explorer\nout = model(ids)",
    STEP,
    "%fastcompile --no-warm --no-explorer model(ids)",
    GENERATE,
    (
        "again = model.generate(ids, max_new_tokens=8)\n"
        "torch.testing.assert_close(scores, model(ids, position_ids=positions).logits)\n"
        "print(tokens.equal(again), '_compiled_call_impl' in vars(model))"
    ),
    "fn = %fastcompile_load generate.fastcompile model",
    (
        "with fn.installed(model, strict=True):\n"
        "    print(model.generate(ids.flip(1), max_new_tokens=12, do_sample=False).tolist())\n"
        "print(model.generate(ids.flip(1), max_new_tokens=12, do_sample=False).tolist())"
    ),
    "fn",
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return run_cells(CELLS, tmp_path_factory.mktemp("kernel"), allow_errors=True)


def printed(cell: Any) -> list[str]:
    errors = [output for output in cell.outputs if output.output_type == "error"]
    assert not errors, "\n".join(errors[0].traceback)
    return "".join(o.text for o in cell.outputs if o.get("name") == "stdout").splitlines()


def warned(cell: Any) -> str:
    return "".join(o.text for o in cell.outputs if o.get("name") == "stderr")


def test_a_default_call_returns_its_cache_and_eager_goes_on_with_it(cells: list[Any]) -> None:
    assert printed(cells[2]) == ["CausalLMOutputWithPast DynamicCache 7"]


def test_the_value_of_the_cell_is_the_output(cells: list[Any]) -> None:
    report, value = cells[3].outputs
    assert "cache hit" in report.data["text/plain"]
    assert value.output_type == "execute_result"
    assert value.data["text/plain"].startswith("CausalLMOutputWithPast(")


def test_a_generation_is_compiled_as_programs_and_the_model_left_as_it_was(
    cells: list[Any],
) -> None:
    assert warned(cells[4]) == ""
    report, _ = cells[4].outputs
    for name in ("call_0", "call_1", "call_2"):
        assert f"Program {name}: input_ids" in report.data["text/html"]
    assert "also in call_2" in report.data["text/html"]
    assert printed(cells[5]) == ["True False"]


def test_a_load_lists_the_programs_and_generates_what_eager_does(cells: list[Any]) -> None:
    _, count, *programs = cells[6].outputs[0].data["text/plain"].splitlines()
    assert count == "3 programs; a call runs the one that it fits:"
    assert [line.split()[:2] for line in programs] == [
        ["call_0", "input_ids"],
        ["call_1", "input_ids"],
        ["call_2", "input_ids"],
    ]
    installed, eager = printed(cells[7])
    assert warned(cells[7]) == ""
    assert installed == eager
    (shown,) = cells[8].outputs
    first, *rest = shown.data["text/plain"].splitlines()
    assert first == "LlamaForCausalLM, loaded along the native path"
    assert [line.split()[0] for line in rest[:3]] == ["call_0", "call_1", "call_2"]
