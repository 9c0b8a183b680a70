"""A loaded function follows its model: what replaces a tensor is used, or refused by name."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipy_fastcompile as fc
from ipy_fastcompile.errors import InputError, ParameterError

pytestmark = pytest.mark.slow
X = torch.linspace(-1, 1, 24).reshape(3, 8)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).tanh() * self.scale


class Model(nn.Module):
    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.register_buffer("table", torch.linspace(0, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x + self.table


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("follow") / "model.fastcompile"
    dynamic = {"x": {0: ("rows", 2, 16)}}
    fc.compile(Model().eval(), (X,), dynamic=dynamic, sizes={"rows": [3]}).save(path)
    return path


@pytest.fixture(params=["native", "torch", "fx"])
def via(request: Any) -> str:
    return str(request.param)


def agrees(function: Any, model: nn.Module) -> None:
    for x in (X, X[:2]):  # at a size with a kernel of its own, and at another one
        with torch.no_grad():
            torch.testing.assert_close(function(x), model(x))


def assign(model: Any) -> None:
    state = {name: value * 2 for name, value in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


def new_weight(model: Any) -> None:
    model.blocks[0].linear.weight = nn.Parameter(torch.randn(8, 8))


def new_linear(model: Any) -> None:
    model.blocks[1].linear = nn.Linear(8, 8)


def new_block(model: Any) -> None:
    model.blocks[0] = Block()


def new_list(model: Any) -> None:
    model.blocks = nn.ModuleList(Block() for _ in range(2))


def swapped_blocks(model: Any) -> None:
    model.blocks[0], model.blocks[1] = model.blocks[1], model.blocks[0]


def new_buffer(model: Any) -> None:
    model.table = torch.ones(8)


def new_data(model: Any) -> None:
    for parameter in model.parameters():
        parameter.data = parameter.data * 3


def in_place(model: Any) -> None:
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.mul_(0.5)


def there_and_back(model: Any) -> None:
    model.half()
    model.float()


def frozen(model: Any) -> None:
    model.requires_grad_(False)


FITS: list[Callable[[Any], None]] = [
    assign, new_weight, new_linear, new_block, new_list, swapped_blocks, new_buffer, new_data,
    in_place, there_and_back, frozen,
]  # fmt: skip


@pytest.mark.parametrize("change", FITS)
def test_a_change_that_fits_is_followed(
    change: Callable[[Any], None], via: str, artifact: Path
) -> None:
    model = Model().eval()
    function = fc.load(artifact, model, via=via)
    agrees(function, model)
    for _ in range(2):
        change(model)
        agrees(function, model)


def test_a_compiled_model_follows_as_well() -> None:
    model = Block().eval()
    compiled = fc.compile(model, (X,))
    for change in (assign, new_data, in_place, frozen):
        change(model)
        with torch.no_grad():
            torch.testing.assert_close(compiled(X), model(X))
    model.half()
    with pytest.raises(ParameterError, match="has changed since"):
        compiled(X)


def transposed(model: Any) -> None:
    weight = model.blocks[1].linear.weight
    weight.data = weight.data.t()


def as_integers(model: Any) -> None:
    model.table.data = model.table.data.view(torch.int32)


def emptied(model: Any) -> None:
    model.blocks[1].linear.weight.untyped_storage().resize_(0)


def as_sparse(model: Any) -> None:
    weight = model.blocks[1].linear.weight.detach().to_sparse()
    model.blocks[1].linear.weight = torch.nn.Parameter(weight)


def for_onednn(model: Any) -> None:
    weight = model.blocks[1].linear.weight.detach().to_mkldnn()
    model.blocks[1].linear.weight = torch.nn.Parameter(weight)


def removed(model: Any) -> None:
    del model.blocks[1].linear.weight


def without(model: Any) -> None:
    model.blocks[1].linear.bias = None


MISFITS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "half": (lambda m: m.half(), "blocks.0", "float16"),
    "bfloat16": (lambda m: m.bfloat16(), "blocks.0", "bfloat16"),
    "double": (lambda m: m.double(), "blocks.0", "float64"),
    "meta": (lambda m: m.to("meta"), "blocks.0", "meta device"),
    "transposed": (transposed, "blocks.1.linear.weight", "strides"),
    "integers": (as_integers, "table", "int32"),
    "freed": (emptied, "blocks.1.linear.weight", "freed"),
    "sparse": (as_sparse, "blocks.1.linear.weight", "sparse"),
    "oneDNN": (for_onednn, "blocks.1.linear.weight", "oneDNN"),
    "removed": (removed, "blocks.1.linear.weight", "does not have"),
    "no bias": (without, "blocks.1.linear.bias", "does not have"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_change_that_does_not_fit_is_refused_until_it_is_undone(
    name: str, via: str, artifact: Path
) -> None:
    change, tensor, words = MISFITS[name]
    model = Model().eval()
    kept = copy.deepcopy(model)
    function = fc.load(artifact, model, via=via)
    change(model)
    for _ in range(2):
        with pytest.raises(ParameterError) as caught:
            function(X)
        assert "The model has changed since it was loaded" in str(caught.value)
        assert tensor in str(caught.value)
        assert words in str(caught.value)
    model.blocks, model.table = kept.blocks, kept.table
    agrees(function, model)


def test_a_mapping_is_bound_as_it_is_at_load(via: str, artifact: Path) -> None:
    model = Model().eval()
    state = dict(model.state_dict())
    function = fc.load(artifact, state, via=via)
    state["table"] = torch.zeros(8)
    agrees(function, model)
    in_place(model)
    agrees(function, model)
    with torch.no_grad():
        expected = model(X)
    model.half()  # the tensors of the mapping are others
    torch.testing.assert_close(function(X), expected)
    state["blocks.0.scale"].untyped_storage().resize_(0)
    with pytest.raises(ParameterError, match=r"blocks\.0\.scale.*freed"):
        function(X)


def test_equality_of_modules_is_not_asked(artifact: Path) -> None:
    class Equal(Block):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = nn.Module.__hash__

    model: Any = Model().eval()
    model.blocks = nn.ModuleList(Equal() for _ in range(2))
    function = fc.load(artifact, model)
    agrees(function, model)
    model.blocks[1] = Equal()
    agrees(function, model)


def test_weights_of_functional_call_are_used(artifact: Path) -> None:
    model = Model().eval()
    function = fc.load(artifact, model)
    weights = {name: torch.rand_like(value) for name, value in model.named_parameters()}
    with torch.no_grad():
        expected = torch.func.functional_call(model, weights, (X,))
    model.forward = function  # type: ignore[method-assign]
    torch.testing.assert_close(torch.func.functional_call(model, weights, (X,)), expected)


def test_a_loaded_function_keeps_no_model_alive(artifact: Path) -> None:
    model = Model().eval()
    extra = weakref.ref(model.blocks[0])
    whole = weakref.ref(model)
    function = fc.load(artifact, model)
    expected = function(X)
    del model
    gc.collect()
    assert whole() is None
    assert extra() is None
    assert torch.equal(function(X), expected)


def test_threads_see_the_old_weights_or_the_new_ones(artifact: Path) -> None:
    model: Any = Model().eval()
    function = fc.load(artifact, model)
    tables = [torch.zeros(8), torch.ones(8)]
    model.table = tables[0]
    first = function(X)
    wrong: list[Any] = []
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            found = function(X) - first
            if not (torch.equal(found, tables[0] + 0 * found) or torch.allclose(found, tables[1])):
                wrong.append(found)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(200):
        model.table = tables[number % 2].clone()
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


# --- memory that is shared -----------------------------------------------------------------------


class Tied(nn.Module):
    def __init__(self, *, tie: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 9, bias=False)
        if tie:
            self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embed(ids))


IDS = torch.tensor([[1, 2, 3]])


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tied") / "tied.fastcompile"
    fc.compile(Tied().eval(), (IDS,)).save(path)
    return path


def test_tied_weights_must_be_tied_where_they_are_loaded(tied: Path) -> None:
    model = Tied().eval()
    function = fc.load(tied, model)
    with torch.no_grad():
        torch.testing.assert_close(function(IDS), model(IDS))
    with pytest.raises(ParameterError, match=r"head\.weight and embed\.weight|embed.*head"):
        fc.load(tied, Tied(tie=False))
    model.head.weight = nn.Parameter(torch.randn(9, 4))
    with pytest.raises(ParameterError, match="one memory when the model was compiled"):
        function(IDS)
    model.embed.weight = model.head.weight
    with torch.no_grad():
        torch.testing.assert_close(function(IDS), model(IDS))
    assert fc.verify(tied).passed


def test_a_state_dict_may_hold_equal_copies_of_tied_weights(tied: Path) -> None:
    model = Tied().eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        torch.testing.assert_close(fc.load(tied, state)(IDS), model(IDS))
    state["embed.weight"] += 1
    with pytest.raises(ParameterError, match="are two now"):
        fc.load(tied, state)
    assert fc.load(tied, {"head.weight": model.head.weight})(IDS).shape == (1, 3, 9)


def test_a_tied_model_runs_an_artifact_of_one_that_is_not(tmp_path: Path) -> None:
    fc.compile(Tied(tie=False).eval(), (IDS,)).save(tmp_path / "untied.fastcompile")
    model = Tied().eval()
    function = fc.load(tmp_path / "untied.fastcompile", model)
    for _ in range(2):
        with torch.no_grad():
            torch.testing.assert_close(function(IDS), model(IDS))
            model.embed.weight.mul_(2)
    model.head.weight = nn.Parameter(torch.randn(9, 4))
    with torch.no_grad():
        torch.testing.assert_close(function(IDS), model(IDS))


class Counting(nn.Module):
    count: Tensor
    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(4))
        self.register_buffer("table", torch.arange(4.0))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        self.count.add_(1)
        y.mul_(2)
        return x * self.table + self.count + y


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("counting") / "counting.fastcompile"
    fc.compile(Counting().eval(), (torch.ones(4), torch.ones(4))).save(path)
    return path


def test_an_input_that_is_memory_of_what_is_written_is_refused(counting: Path) -> None:
    model = Counting().eval()
    function = fc.load(counting, model)
    x, y = torch.ones(4), torch.ones(4)
    expected = Counting()(x, y.clone())
    torch.testing.assert_close(function(x, y.clone()), expected)
    with pytest.raises(InputError, match="x shares memory with count"):
        function(model.count, y)
    with pytest.raises(InputError, match="y shares memory with table"):
        function(x, model.table)
    with pytest.raises(InputError, match="x and y share memory"):
        function(x, x)
    # What is only read may be read twice.
    other = copy.deepcopy(model)
    torch.testing.assert_close(function(model.table, y.clone()), other(other.table, y.clone()))


def test_inputs_that_are_parts_of_one_tensor_pass_where_they_do_not_touch(counting: Path) -> None:
    model = Counting().eval()
    other = copy.deepcopy(model)
    whole, twin = torch.ones(12), torch.ones(12)
    function = fc.load(counting, model)
    torch.testing.assert_close(function(whole[:4], whole[8:]), other(twin[:4], twin[8:]))
    assert torch.equal(whole, twin)
    with pytest.raises(InputError, match="share memory"):
        function(whole[:4], whole[2:6])


def test_a_buffer_that_is_written_must_be_apart_where_it_is_loaded(counting: Path) -> None:
    model = Counting().eval()
    model.table = model.count
    with pytest.raises(ParameterError, match="share memory, and the model writes to count"):
        fc.load(counting, model)
