"""Weights that all kernels want transposed are so once for a binding, and stay the model's."""

from __future__ import annotations

import copy
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile.engine.kernels.handed import views_of_weights
from ipy_fastcompile.engine.kernels.memories import Layout
from ipy_fastcompile.runtime.handed import FromWeights


class Layers(nn.Module):
    """Two layers, of which the first's weight is read as it is, too; a head tied to a table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(16, 8)
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.norm = nn.Parameter(torch.ones(8))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.table(ids)
        for layer in self.layers:
            x = F.scaled_dot_product_attention(x, x, x) * self.norm
            x = F.gelu(layer(x)) + x
        first = torch.ops.aten.sort.default(self.layers[0].weight)[0]
        return F.linear(x @ first, self.table.weight)


@pytest.fixture(scope="module")
def model() -> Layers:
    torch.manual_seed(0)
    return Layers().eval()


@pytest.fixture(scope="module")
def ids() -> Tensor:
    return torch.tensor([[1, 4, 2, 3, 1]])


@pytest.fixture(scope="module")
def compiled(model: Layers, ids: Tensor) -> Any:
    return fc.compile(model, (ids,), dynamic={"ids": {1: "n"}}, sizes={"n": [2]})


@pytest.fixture(scope="module")
def saved(compiled: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("handed") / "layers.fastcompile"
    compiled.save(path)
    return path


def assert_like(function: Any, model: nn.Module, ids: Tensor) -> None:
    for call in (ids, ids[:, :2], ids[:, :4]):
        with torch.no_grad():
            torch.testing.assert_close(function(call), model(call))


@pytest.mark.slow
def test_a_weight_is_handed_over_as_all_of_its_kernels_want_it(compiled: Any) -> None:
    lowered = compiled.lowered
    views = {n.name: v for n, v in views_of_weights(lowered.split, lowered.kernels).items()}
    assert views == {}  # the kernels have them so by now, and want nothing else
    # The first weight is sorted as it is, and the second one's kernel is the first one's, too. The
    # rows of the table are read by their address, whatever its layout.
    assert lowered.views == {
        "p_layers_2_weight": Layout("(8, 8)", "(1, 8)"),
        "p_table_weight": Layout("(8, 16)", "(1, 8)"),
    }
    texts = [kernel.native.code for kernel in lowered.kernels]
    assert any('"""Given as views: ' in text for text in texts)
    for kernel in lowered.kernels:
        assert set(kernel.native.views.values()) <= set(lowered.views.values())


@pytest.mark.slow
@pytest.mark.parametrize("via", ["native", "torch"])
def test_each_path_takes_weights_its_own_way(
    saved: Path, model: Layers, ids: Tensor, via: str
) -> None:
    function = fc.load(saved, model, via=via)
    assert_like(function, model, ids)
    kernels = function.parts.kernels
    assert any(isinstance(kernel, FromWeights) for kernel in kernels) is (via == "native")


@pytest.mark.slow
def test_the_parts_are_the_models_own_and_run_by_themselves(
    saved: Path, model: Layers, ids: Tensor
) -> None:
    function = fc.load(saved, model)
    given = dict(zip(function.flat.follower.names, function.parts.parameters, strict=True))
    for name, tensor in model.named_parameters():
        if name in given:
            assert given[name].shape == tensor.shape
            assert given[name].stride() == tensor.stride()
    with zipfile.ZipFile(saved) as archive:
        text = archive.read("execution.py").decode()
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    forward = namespace["bind"](*function.parts)
    with torch.no_grad():
        outputs = forward(*namespace["check_inputs"](function.check, ids))
        torch.testing.assert_close(outputs[0], model(ids))


@pytest.mark.slow
def test_whatever_becomes_of_the_weights_a_call_computes_with_them(
    saved: Path, model: Layers, ids: Tensor
) -> None:
    mine = copy.deepcopy(model)
    function = fc.load(saved, mine)
    first = mine.layers[2]
    with torch.no_grad():
        first.weight.mul_(2)  # in place: the view is of this memory
        assert_like(function, mine, ids)
        first.weight.data = torch.randn(8, 8)
        assert_like(function, mine, ids)
        first.weight = nn.Parameter(torch.randn(8, 8))
        assert_like(function, mine, ids)
        mine.load_state_dict(model.state_dict(), assign=True)
        assert_like(function, mine, ids)
        first.weight = mine.layers[0].weight  # tied by now
        assert_like(function, mine, ids)
        first.weight.data = torch.randn(8, 8).t()
        with pytest.raises(fc.errors.ParameterError, match=r"weight is .*strides \[1, 8\]"):
            function(ids)
        mine.half()
        with pytest.raises(fc.errors.ParameterError, match="float16"):
            function(ids)
    state = fc.load(saved, dict(model.state_dict()))
    assert_like(state, model, ids)


@pytest.mark.slow
def test_kernels_that_are_recompiled_take_weights_as_they_are(
    compiled: Any, model: Layers, ids: Tensor, tmp_path: Path
) -> None:
    from ipy_fastcompile.artifact.save import save_artifact

    manifest = compiled.parts.manifest
    stamp = {**manifest["stamp"], "platform": "elsewhere"}
    path = tmp_path / "elsewhere.fastcompile"
    save_artifact(path, {**manifest, "stamp": stamp}, compiled.parts.members)
    with pytest.warns(fc.errors.FastCompileWarning):
        function = fc.load(path, model, on_mismatch="recompile")
    assert set(function.kernel_ways) == {"recompiled"}
    assert_like(function, model, ids)
