"""An artifact speaks of tensors by the model's own names, whatever is wrapped around a module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.runtime.wrappers import by_plain_name, plain_name, unwrapped
from tests.tiny import everything

NAMES = ["0.weight", "0.bias", "1.1.weight", "1.1.bias"]


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 3))).eval()


def with_part(wrap: Callable[[nn.Module], Any]) -> nn.Module:
    model = plain()
    model[1] = wrap(model[1])  # type: ignore[index]
    return model


def compiled_in_place() -> nn.Module:
    model = plain()
    model.compile()
    return model


WRAPPED: dict[str, Callable[[], Any]] = {
    "plain": plain,
    "torch.compile": lambda: torch.compile(plain()),
    "torch.compile of a part": lambda: with_part(torch.compile),
    "compiled in place": compiled_in_place,
    "DataParallel": lambda: nn.DataParallel(plain()),
    "DataParallel of a part": lambda: with_part(nn.DataParallel),
    "torch.compile of DataParallel": lambda: torch.compile(nn.DataParallel(plain())),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("wrapped")
    paths = {}
    for number, (name, make) in enumerate(WRAPPED.items()):
        with torch.no_grad():
            compiled = fc.compile(make(), (torch.randn(2, 4),))
        rows = compiled.parts.manifest["programs"][0]["parameters"]
        assert [row[0] for row in rows] == NAMES, name
        assert compiled.report.model == "Sequential"
        compiled.save(folder / str(number))
        paths[name] = folder / str(number)
    return paths


@pytest.mark.parametrize("made_from", WRAPPED)
def test_what_was_compiled_of_any_loads_for_every_other_and_its_state_dict(
    saved: dict[str, Path], made_from: str
) -> None:
    x = torch.randn(2, 4)
    with torch.no_grad():
        expected = plain()(x)
        for name, make in WRAPPED.items():
            for source in (make(), make().state_dict()):
                found = fc.load(saved[made_from], source)(x)
                torch.testing.assert_close(found, expected, msg=name)


def adapted() -> Any:
    """A model with adapters of peft in it, which is changed in place, and peft's wrapper of it."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    options = peft.LoraConfig(r=2, target_modules=["1"], init_lora_weights=False)
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)).eval()
    return model, peft.get_peft_model(model, options).eval()


def test_what_was_compiled_of_the_model_is_installed_where_peft_wraps_it(tmp_path: Path) -> None:
    x = torch.randn(2, 4)
    inner, wrapper = adapted()
    fc.compile(inner, (x,), split_at=everything).save(tmp_path / "a")
    function = fc.load(tmp_path / "a", wrapper)
    expected = inner(x)
    with function.installed(wrapper, strict=True):
        torch.testing.assert_close(wrapper(x), expected)
        torch.testing.assert_close(inner(x), expected)
        with pytest.raises(errors.InputError):  # so it is the function that is called
            wrapper(x.double())
    assert "_compiled_call_impl" not in vars(inner)


def test_a_model_with_adapters_of_peft_loads_with_and_without_its_wrapper(tmp_path: Path) -> None:
    x = torch.randn(2, 4)
    inner, wrapper = adapted()
    with torch.no_grad():
        expected = inner(x)
        for number, model in enumerate((inner, wrapper)):
            compiled = fc.compile(model, (x,))
            names = [row[0] for row in compiled.parts.manifest["programs"][0]["parameters"]]
            assert "1.lora_A.default.weight" in names
            compiled.save(tmp_path / str(number))
            for source in (*adapted(), torch.compile(wrapper), inner.state_dict()):
                torch.testing.assert_close(fc.load(tmp_path / str(number), source)(x), expected)
            found = fc.load(tmp_path / str(number), wrapper.state_dict())(x)
            torch.testing.assert_close(found, expected)


def test_names_are_those_without_wrappers() -> None:
    model = torch.compile(nn.DataParallel(with_part(nn.DataParallel)))
    assert type(unwrapped(model)) is nn.Sequential
    names = [plain_name(model, name) for name, _ in model.named_parameters()]
    assert names == NAMES


def test_a_step_called_module_that_is_the_models_own_is_kept() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)

    assert plain_name(Own(), "module.weight") == "module.weight"


def test_a_plain_name_that_two_tensors_could_have_is_left_out() -> None:
    found = by_plain_name(["module.a", "_orig_mod.module.b", "x.module.c", "x._orig_mod.c"])
    assert found["a"] == "module.a"
    assert found["b"] == found["module.b"] == "_orig_mod.module.b"
    assert "x.c" not in found


def test_quantized_scripted_and_exported_models_are_refused_by_name() -> None:
    x = torch.randn(2, 4)
    quantize = torch.ao.quantization.quantize_dynamic
    inner = nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 4)).eval()
    refused = [
        (quantize(plain(), {nn.Linear}, dtype=torch.qint8), "part 0.* is quantized"),
        (quantize(inner, {nn.LSTM}, dtype=torch.qint8), "part 1, a LSTM, is quantized"),
        (torch.jit.script(plain()), "The model is TorchScript"),
        (torch.jit.trace(plain(), x), "The model is TorchScript"),
        (with_part(torch.jit.script), "part 1, a RecursiveScriptModule, is TorchScript"),
        (torch.export.export(plain(), (x,)), r"ExportedProgram.*model\.module\(\)"),
    ]
    for model, words in refused:
        with torch.no_grad(), pytest.raises(fc.errors.CaptureError, match=words):
            fc.compile(model, (x,))
