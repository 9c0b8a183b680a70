"""The magics with the real compiler, on a tiny model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile.errors import CaptureError, InputError

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("real")
def test_compile_look_save_and_load(
    shell: InteractiveShell, run: Any, tiny_model: Any, tiny_ids: Any, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.fastcompile"
    cell = run(
        f"%%fastcompile --dynamic ids:1=seq --runs 1 --save {path} -o compiled\n"
        "out = model(ids)['logits']"
    )
    assert cell.error is None
    expected = tiny_model(tiny_ids)["logits"]
    torch.testing.assert_close(shell.user_ns["out"], expected)

    report = shell.user_ns["compiled"].report
    assert report.max_error < 1e-4
    assert [(r.path, r.error, r.runs) for r in report.reloads] == [
        ("native", "", 1),
        ("torch", "", 1),
        ("fx", "", 1),
    ]
    assert report.artifact.path == str(path)
    assert report.artifact.size == path.stat().st_size
    (text,) = cell.plain
    assert "TinyTransformer" in text
    assert "Warm reload" in text
    assert "Traceback" not in cell.printed

    # Another length, through the file, with the weights of the model.
    ids = torch.arange(5).reshape(1, 5)
    shell.user_ns["short"] = ids
    cell = run(f"fn = %fastcompile_load {path} model\nfn(short)")
    torch.testing.assert_close(cell.value["logits"], tiny_model(ids)["logits"])
    assert list(cell.value) == ["logits", "state"]

    (said,) = run(f"%fastcompile_inspect {path}").plain
    assert report.artifact.digest in said


@pytest.mark.usefixtures("real")
def test_a_module_inside_another_is_compiled_by_name(
    shell: InteractiveShell, run: Any, tiny_model: Any, tiny_ids: Any
) -> None:
    cell = run("%%fastcompile -m model.head --no-warm -q -o head\nmodel(ids)['logits']")
    assert cell.error is None, cell.printed
    torch.testing.assert_close(cell.value, tiny_model(tiny_ids)["logits"])
    assert shell.user_ns["head"].report.model == "Linear"
    x = torch.ones(1, 8, 32)
    torch.testing.assert_close(shell.user_ns["head"](x), tiny_model.head(x))


class Denoiser(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix, self.time = torch.nn.Linear(6, 6), torch.nn.Embedding(10, 6)

    def forward(self, x: torch.Tensor, t: torch.Tensor | int, *, scale: float = 1.0) -> Any:
        return {"sample": torch.tanh(self.mix(x) + self.time(torch.as_tensor(t))) * scale}


class Pipe:
    """Calls its model once a step, with other numbers and another time at each."""

    def __init__(self, *, tensors: bool) -> None:
        torch.manual_seed(0)
        self.unet: Any = Denoiser().eval()
        self.tensors = tensors

    @torch.no_grad()
    def __call__(self, n_steps: int, batch: int = 2) -> torch.Tensor:
        x = torch.randn(batch, 6, generator=torch.Generator().manual_seed(1))
        for step in reversed(range(n_steps)):
            t = torch.tensor(step) if self.tensors else step
            x = x - 0.1 * self.unet(x, t, scale=0.5)["sample"]
        return x


@pytest.mark.usefixtures("real")
def test_the_model_of_a_pipeline_computes_the_same_at_every_step(
    shell: InteractiveShell, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "unet.fastcompile"
    pipe = shell.user_ns["pipe"] = Pipe(tensors=True)
    expected, larger = pipe(5), pipe(9, batch=4)
    options = f"-m pipe.unet --dynamic x:0=batch --no-warm -q --save {path}"
    cell = run(f"%%fastcompile {options}\nfirst = pipe(5)\nimage = pipe(5)")
    assert cell.error is None, cell.printed
    for name in ("first", "image"):  # of the cell, run with what was compiled
        torch.testing.assert_close(shell.user_ns[name], expected)
    assert "_compiled_call_impl" not in vars(pipe.unet)
    run(f"pipe.unet = %fastcompile_load {path} pipe.unet")
    assert not isinstance(pipe.unet, torch.nn.Module)
    torch.testing.assert_close(pipe(5), expected)
    torch.testing.assert_close(pipe(9, batch=4), larger)


@pytest.mark.usefixtures("real")
def test_a_time_that_is_a_number_is_a_program_for_each_value_or_refused(
    shell: InteractiveShell, run: Any
) -> None:
    pipe = shell.user_ns["pipe"] = Pipe(tensors=False)
    expected = pipe(3)
    cell = run("%%fastcompile -m pipe.unet --no-warm -q -o unet\npipe(3)")
    assert cell.error is None, cell.printed
    torch.testing.assert_close(cell.value, expected)
    x, unet = torch.ones(2, 6), shell.user_ns["unet"]
    for time in (2, 1, 0):
        torch.testing.assert_close(unet(x, time, scale=0.5), pipe.unet(x, time, scale=0.5))
    with pytest.raises(InputError, match=r"Argument t "):
        unet(x, 5, scale=0.5)
    pipe.unet = unet
    with pytest.raises(InputError, match=r"Argument t "):
        pipe(6)


@pytest.mark.usefixtures("real")
def test_what_is_compiled_already_says_so_in_a_cell(shell: InteractiveShell, run: Any) -> None:
    shell.user_ns["pipe"] = Pipe(tensors=True)
    run("%%fastcompile -m pipe.unet --no-warm -q -o unet\npipe(1)")
    cell = run("%%fastcompile --no-warm\nunet(torch.ones(2, 6), torch.tensor(1), scale=0.5)")
    assert isinstance(cell.error, UsageError)
    assert "is compiled already. Call it as it is, or" in str(cell.error)
    cell = run("pipe.unet = unet\n%fastcompile --no-warm -m pipe.unet pipe(1)")
    assert "is compiled already. Call it as it is, or" in str(cell.error)


@pytest.mark.usefixtures("real")
def test_a_branch_on_data_is_refused_with_the_line_of_the_cell(run: Any) -> None:
    cell = run(
        "%%fastcompile\n"
        "class Branch(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        if x.sum() > 0:\n"
        "            return x\n"
        "        return -x\n"
        "Branch()(torch.ones(3))"
    )
    assert isinstance(cell.error, UsageError)
    assert isinstance(cell.error.__cause__, CaptureError)
    assert cell.io.stderr.startswith("UsageError: ")
    assert len(cell.io.stderr.splitlines()) == 1
    assert re.search(r" at cell In\[\d+\], line 4\b", cell.io.stderr)
    assert "if x.sum() > 0" in cell.io.stderr


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--dynamic idz:1", "idz"),
        ("--dynamic ids:5", "5"),
        ("--split-at aten::no_such_op", "no_such_op"),
    ],
)
def test_options_that_do_not_fit_the_model_are_one_sentence(
    run: Any, options: str, said: str
) -> None:
    cell = run(f"%%fastcompile {options}\nmodel(ids)")
    assert isinstance(cell.error, UsageError)
    assert said in str(cell.error)
    assert cell.printed == ""


@pytest.mark.usefixtures("real")
def test_arguments_that_the_model_refuses_are_one_sentence(run: Any) -> None:
    cell = run("%%fastcompile\nmodel(ids, 3)")
    assert isinstance(cell.error, UsageError)
    assert cell.printed == ""


@pytest.mark.usefixtures("real")
def test_sizes_compile_extra_kernels(
    shell: InteractiveShell, run: Any, tiny_model: Any, tiny_ids: Any
) -> None:
    cell = run(
        "%%fastcompile --dynamic ids:1=seq(2,64) --sizes seq=4 --no-warm -q -o compiled\n"
        "out = model(ids)['logits']"
    )
    assert cell.error is None, cell.printed
    for length in (4, 8, 9):
        ids = torch.arange(length).reshape(1, length)
        expected = tiny_model(ids)["logits"]
        torch.testing.assert_close(shell.user_ns["compiled"](ids)["logits"], expected)
