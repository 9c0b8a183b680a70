"""Sizes as text, sizes that depend on data, and inputs made up for sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.artifact.schema import read_program
from ipy_fastcompile.errors import InputError
from ipy_fastcompile.runtime.inputs import example_inputs
from ipy_fastcompile.runtime.size_values import size_value
from ipy_fastcompile.runtime.unfit import unfit_data


@pytest.mark.parametrize(
    ("text", "number"),
    [(3, 3), ("2*n + 1", 15), ("Max(1, n//2)", 3), ("Mod(n, 4)", 3), ("min(n, 4) % 3", 1)],
)
def test_a_size_is_computed_from_its_text(text: int | str, number: int) -> None:
    assert size_value(text, {"n": 7}) == number


@pytest.mark.parametrize("text", ["m", "n.real", "__import__('os')", "n//0", "(", "9**9**9**9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        size_value(text, {"n": 7})


def test_inputs_are_made_up_for_the_sizes_asked_for(tiny_compiled: fc.CompiledModel) -> None:
    program = read_program(tiny_compiled.parts.manifest, "here")
    (ids,) = example_inputs(program, sizes={"seq": 9})
    assert ids.shape[1] == 9
    assert tiny_compiled(ids)["logits"].shape[1] == 9


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("Eq(Mod(u0, 4), 0)"), "u0 must be a multiple of 4"),
        (RuntimeError("u0 <= s77"), "u0 must be at most s77"),
        (
            RuntimeError("Runtime assertion failed for expression u0 >= 0 on node 'ge_1'"),
            "u0 must be at least 0",
        ),
        (
            AssertionError(
                "expected size 2==3 at dim=0\nError in op: torch.ops.aten.nonzero.default"
            ),
            "aten::nonzero gives another size, expected size 2==3 at dim=0",
        ),
    ],
)
def test_a_size_that_depends_on_data_is_refused_in_words(error: Exception, said: str) -> None:
    refused = unfit_data(error)
    assert refused is not None
    assert said in refused.what


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("out of memory"),
        AssertionError("expected size 2==3 at dim=0\nError in op: torch.ops.aten.mm.default"),
        ValueError("u0 >= 0"),
    ],
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    assert unfit_data(error) is None


class Rows(torch.nn.Module):
    """Pairs of rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0] // 2, 2, 4).sum(1)


def test_sizes_that_no_call_can_have_are_refused_before_anything_is_compiled() -> None:
    with pytest.raises(InputError, match="only where rows is a multiple of 2"):
        fc.compile(Rows(), (torch.ones(8, 4),), dynamic={"x": {0: "rows"}}, sizes={"rows": [4, 5]})


def test_a_size_that_inductor_refuses_runs_the_kernels_for_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ipy_fastcompile.torch_compat import inductor

    def refuse(*args: object) -> bytes:
        raise ValueError("no such size")

    monkeypatch.setattr(inductor, "compile_at_size", refuse)
    with pytest.warns(fc.errors.FastCompileWarning, match="no kernels of their own for rows=6"):
        compiled = fc.compile(
            Rows(), (torch.ones(8, 4),), dynamic={"x": {0: "rows"}}, sizes={"rows": [6]}
        )
    compiled.save(tmp_path / "rows.fastcompile")
    x = torch.randn(6, 4)
    for function in (compiled, fc.load(tmp_path / "rows.fastcompile", Rows())):
        torch.testing.assert_close(function(x), Rows()(x))


@pytest.mark.parametrize(
    ("bound", "said"),
    [("50L", "from 0 to 49"), ("7", "from 0 to 6"), ("ks0", "negative or too big")],
)
def test_an_index_out_of_bounds_is_told_without_the_file_of_the_kernel(
    bound: str, said: str
) -> None:
    text = (
        f"kernel, /tmp/torchinductor/t2/ct23.main.cpp:21, index out of bounds: 0 <= tmp2 < {bound}"
    )
    refused = unfit_data(RuntimeError(text))
    assert refused is not None
    assert said in refused.what
    assert "main.cpp" not in str(refused)
