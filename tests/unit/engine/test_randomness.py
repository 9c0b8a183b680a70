"""Random numbers: training mode is refused, what is meant is kept, constants are refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from tests.unit.engine.graphs import result_of

X = torch.ones(2, 3, 8)


class Calls(nn.Module):
    """A module around a function that is told whether it trains."""

    def __init__(self, function: Callable[[Tensor, bool], Any], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, self.training)


def drop_path(x: Tensor, training: bool) -> Tensor:
    if not training:
        return x
    return x * x.new_empty(x.shape[0], 1, 1).bernoulli_(0.9)


def stochastic_depth(x: Tensor, training: bool) -> Tensor:
    return x * (torch.rand(x.shape[0], 1, 1) > 0.5) if training else x


FUNCTIONS: dict[str, Callable[[Tensor, bool], Any]] = {
    "sdpa": lambda x, t: F.scaled_dot_product_attention(x, x, x, dropout_p=0.1 if t else 0.0),
    "dropout": lambda x, t: F.dropout(x, 0.5, t),
    "alpha": lambda x, t: F.alpha_dropout(x, 0.5, t),
    "feature": lambda x, t: F.dropout1d(x, 0.5, t),
    "feature alpha": lambda x, t: F.feature_alpha_dropout(x, 0.5, t),
    "rrelu": lambda x, t: F.rrelu(x, training=t),
    "drop path": drop_path,
    "stochastic depth": stochastic_depth,
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True),
    "lstm": lambda: nn.LSTM(8, 8, num_layers=2, dropout=0.3, batch_first=True),
    "gru": lambda: nn.GRU(8, 8, num_layers=2, dropout=0.3, batch_first=True),
    "rrelu": nn.RReLU,
    "encoder layer": lambda: nn.TransformerEncoderLayer(8, 2, 8, batch_first=True),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_draw_in_training_mode_only(name: str) -> None:
    model = Calls(FUNCTIONS[name])
    with pytest.raises(errors.CaptureError, match=r"training mode.*model\.eval\(\)"):
        capture(model, (X,))
    captured = capture(model.eval(), (X,))
    assert captured.notes == ()
    torch.testing.assert_close(result_of(captured, model, (X,))[0], model(X))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_draw_in_training_mode_only(name: str) -> None:
    layer = LAYERS[name]()
    is_attention = isinstance(layer, nn.MultiheadAttention)
    args = (X, X, X) if is_attention else (X,)
    with pytest.raises(errors.CaptureError, match=r"training mode.*model\.eval\(\)"):
        capture(layer, args)
    assert capture(layer.eval(), args).notes == ()


def test_what_has_no_chance_to_draw_is_not_refused() -> None:
    assert capture(nn.MultiheadAttention(8, 2, batch_first=True), (X, X, X)).notes == ()
    assert capture(nn.LSTM(8, 8, batch_first=True), (X,)).notes == ()
    assert capture(nn.Sequential(nn.Dropout(0.0), nn.Linear(8, 8)), (X,)).notes == ()


def test_a_function_around_a_model_in_training_mode_is_refused() -> None:
    model = Calls(FUNCTIONS["sdpa"])
    with pytest.raises(errors.CaptureError, match="training mode"):
        capture(lambda x: model(x) + 1, (X,))
    model.eval()
    assert capture(lambda x: model(x) + 1, (X,)).notes == ()


MEANT: dict[str, Callable[[Tensor, bool], Any]] = {
    "randn": lambda x, _: x + torch.randn(8),
    "randn_like": lambda x, _: x + torch.randn_like(x),
    "rand": lambda x, _: x + torch.rand(x.shape),
    "bernoulli": lambda x, _: torch.bernoulli(x / 2),
    "normal_": lambda x, _: torch.empty_like(x).normal_() + x,
    "multinomial": lambda x, _: torch.multinomial(x[0], 2, replacement=True),
    "randint": lambda x, _: x + torch.randint(0, 9, (8,)),
    "randperm": lambda x, _: x[..., torch.randperm(8)] + torch.randperm(8),
    "gumbel": lambda x, _: F.gumbel_softmax(x),
    "dropout": lambda x, _: F.dropout(x, 0.5, True),
    "sdpa": lambda x, _: F.scaled_dot_product_attention(x, x, x, dropout_p=0.9),
    "poisson": lambda x, _: torch.poisson(5 * x),
    "exponential": lambda x, _: torch.empty_like(x).exponential_() + x,
}


@pytest.mark.parametrize("name", MEANT)
def test_numbers_that_are_meant_in_evaluation_mode_are_drawn_anew(name: str) -> None:
    model = Calls(MEANT[name]).eval()
    captured = capture(model, (X,))
    assert captured.notes[0].startswith("Draws random numbers at every call")
    torch.manual_seed(1)
    first, second = (result_of(captured, model, (X,))[0] for _ in range(2))
    torch.manual_seed(1)
    again, eager = result_of(captured, model, (X,))[0], None
    torch.manual_seed(1)
    eager = model(X)
    assert not torch.equal(first, second)
    assert torch.equal(first, again)
    assert torch.equal(first, eager)


def test_dropout_that_was_put_into_training_mode_by_itself_is_kept() -> None:
    layers = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5)).eval()
    layers[1].train()
    captured = capture(layers, (X,))
    assert "1 (" in captured.notes[0]
    assert not torch.equal(*(result_of(captured, layers, (X,))[0] for _ in range(2)))


def test_numbers_that_nothing_uses_are_not_worth_a_word() -> None:
    model = Calls(lambda x, t: (torch.rand(()), x + 1)[1])
    assert capture(model.eval(), (X,)).notes == ()
    assert capture(model.train(), (X,)).notes == ()


@pytest.mark.parametrize(
    "draw",
    [
        random.random,
        lambda: random.uniform(0, 2),
        lambda: float(random.random() < 0.5),
        np.random.rand,
        lambda: torch.from_numpy(np.random.rand(8).astype("float32")),
    ],
)
def test_numbers_of_other_generators_would_be_constants(draw: Callable[[], Any]) -> None:
    state = random.getstate()
    with pytest.raises(errors.CaptureError, match=r"draws numbers from .*torch\.rand"):
        capture(lambda x: x * draw(), (X,))
    assert random.getstate() == state


def test_numbers_of_other_generators_that_change_nothing_are_allowed() -> None:
    def forward(x: Tensor, training: bool) -> Tensor:
        skip = np.random.uniform(0, 1) < 0.1
        return x if training and skip else x + 1

    assert capture(Calls(forward).eval(), (X,)).notes == ()


def test_a_generator_of_the_models_own_is_named() -> None:
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(errors.CaptureError, match=r"torch\.Generator of its own"):
        capture(lambda x: x + torch.randn(8, generator=generator), (X,))


def test_statistics_that_a_function_updates_are_refused() -> None:
    norm = nn.BatchNorm1d(3)
    with pytest.raises(errors.CaptureError, match="batch statistics"):
        capture(lambda x: norm(x) + 1, (X,))
    instance = nn.InstanceNorm1d(3, track_running_stats=True)
    with pytest.raises(errors.CaptureError, match="batch statistics"):
        capture(instance, (X,))
    assert capture(nn.BatchNorm1d(3, track_running_stats=False).eval(), (X,)).notes == ()


@pytest.mark.parametrize(
    "make", [lambda: random.Random(0), lambda: np.random.default_rng(0), np.random.RandomState]
)
def test_numbers_of_a_generator_that_the_model_holds_would_be_constants(
    make: Callable[[], Any],
) -> None:
    class Holds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rng = make()

        def forward(self, x: Tensor) -> Tensor:
            return x * float(self.rng.uniform(0, 1))

    model = Holds().eval()
    with pytest.raises(errors.CaptureError, match=r"draws numbers from Holds\.rng"):
        capture(model, (X,))


def test_a_generator_that_is_held_stands_where_it_stood() -> None:
    rng = random.Random(7)
    with pytest.raises(errors.CaptureError, match="draws numbers from rng"):
        capture(lambda x: x * rng.random(), (X,))
    assert rng.random() == random.Random(7).random()


def test_a_seed_that_the_model_sets_is_refused_where_it_matters() -> None:
    def draws(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return x + torch.randn(8)

    def does_not(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return x + 1

    state = torch.get_rng_state()
    with pytest.raises(errors.CaptureError, match="sets torch's seed and then draws"):
        capture(draws, (X,))
    with pytest.warns(errors.FastCompileWarning, match="the seed that it sets"):
        capture(does_not, (X,))
    assert torch.equal(torch.get_rng_state(), state)


def _noisy(x: Tensor) -> Tensor:
    return x + torch.rand_like(x)


class _Calls:
    def __call__(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)

    def noisy(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


@pytest.mark.parametrize(
    "model", [_noisy, lambda x: x + torch.rand_like(x), _Calls(), _Calls().noisy]
)
def test_a_draw_of_a_function_is_cited_by_its_own_line(model: Any) -> None:
    (note,) = capture(model, (torch.ones(2),)).notes
    assert "torch.rand_like(x)" in note


def test_a_draw_of_torchs_own_function_cites_no_line() -> None:
    (note,) = capture(torch.rand_like, (torch.ones(2),)).notes
    assert note.startswith("Draws random numbers at every call: aten::rand_like;")
