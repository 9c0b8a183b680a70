"""A model whose second call computes something else than its first is refused, by name."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.snapshot import changes_since, take_snapshot

X = torch.ones(2, 3)
SEEN: dict[str, Any] = {"calls": 0}


class Remembers(nn.Module):
    def __init__(self, how: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.how = how
        self.n = 0
        self.average = torch.zeros(3)
        self.list: list[Any] = []
        self.ring: collections.deque[Any] = collections.deque(maxlen=2)
        self.dict: dict[str, Any] = {}
        self.first = True
        self.cache: Any = None
        self.register_buffer("lazy", None)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.how(self, x)


def counts(m: Any, x: Tensor) -> Tensor:
    m.n += 1
    return x * m.n


def averages(m: Any, x: Tensor) -> Tensor:
    m.average = m.average * 0.9 + x.mean(0) * 0.1
    return x - m.average


def averages_in_place(m: Any, x: Tensor) -> Tensor:
    m.average.mul_(0.9).add_(x.mean(0) * 0.1)
    return x - m.average


def appends(m: Any, x: Tensor) -> Tensor:
    m.list.append(x)
    return torch.stack(m.list).sum(0)


def rings(m: Any, x: Tensor) -> Tensor:
    m.ring.append(x)
    return torch.cat(tuple(m.ring))


def grows(m: Any, x: Tensor) -> Tensor:
    m.dict["k"] = torch.cat([m.dict["k"], x]) if "k" in m.dict else x
    return m.dict["k"]


def is_first(m: Any, x: Tensor) -> Tensor:
    if m.first:
        m.first = False
        return x + 1
    return x + 2


def counts_outside(_: Any, x: Tensor) -> Tensor:
    SEEN["calls"] += 1
    return x + SEEN["calls"]


def adds_lazily(m: Any, x: Tensor) -> Tensor:
    y = x if m.lazy is None else x + m.lazy
    m.lazy = x
    return y


def scales_a_third_time(m: Any, x: Tensor) -> Tensor:
    m.n += 1
    return x * (2 if m.n > 2 else 1)


CARRIED: dict[str, tuple[Callable[[Any, Tensor], Tensor], str]] = {
    "counter": (counts, r"Remembers\.n \(0, then 1\)"),
    "average": (averages, r"Remembers\.average"),
    "list": (appends, r"Remembers\.list\[0\]"),
    "ring": (rings, r"Remembers\.ring\[0\]"),
    "dict": (grows, r"Remembers\.dict\['k'\]"),
    "flag": (is_first, r"Remembers\.first \(True, then False\)"),
    "global": (counts_outside, r"SEEN\['calls'\]"),
    "buffer": (adds_lazily, r"Remembers\.lazy"),
    "third call": (scales_a_third_time, r"Remembers\.n"),
}


@pytest.mark.parametrize("name", CARRIED)
def test_what_a_later_call_reads_is_refused_by_its_name(name: str) -> None:
    how, where = CARRIED[name]
    model = Remembers(how)
    before = take_snapshot({"model": model, "seen": SEEN})
    average = model.average.clone()
    with pytest.raises(errors.CaptureError, match=rf"depends on what earlier .*{where}") as caught:
        capture(model, (X,))
    assert f"Call {3 if name == 'third call' else 2} of the compiled" in str(caught.value)
    assert changes_since(before) == ()
    assert torch.equal(model.average, average)


@pytest.mark.parametrize("call", ["function", "method", "partial"])
def test_what_a_callable_carries_is_refused_as_well(call: str) -> None:
    model = Remembers(counts)
    ways: dict[str, Any] = {
        "function": lambda x: model(x) + 1,
        "method": model.forward,
        "partial": functools.partial(model),
    }
    with pytest.raises(errors.CaptureError, match=r"\.n \(0, then 1\)"):
        capture(ways[call], (X,))


def makes_once(m: Any, x: Tensor) -> Tensor:
    if m.cache is None:
        m.cache = torch.arange(3.0)
    return x + m.cache


def makes_a_buffer_once(m: Any, x: Tensor) -> Tensor:
    if m.lazy is None:
        m.lazy = torch.arange(3.0)
    return x + m.lazy


def keeps_the_last(m: Any, x: Tensor) -> Tensor:
    m.cache = x
    m.list.append(x)
    return x * 2


@pytest.mark.parametrize(
    "how", [makes_once, makes_a_buffer_once, keeps_the_last, averages_in_place]
)
def test_what_no_later_result_depends_on_is_said_to_be_without_harm(how: Any) -> None:
    with pytest.warns(errors.FastCompileWarning, match="3 calls in a row are eager's even so"):
        capture(Remembers(how), (X,))


def test_a_model_that_cannot_be_called_again_is_refused() -> None:
    def how(m: Any, x: Tensor) -> Tensor:
        m.n += 1
        del m.first
        return x * 2

    with pytest.raises(errors.CaptureError, match=r"Call 2 .* where eager raises AttributeError"):
        capture(Remembers(how), (X,))


def test_where_eager_cannot_be_called_at_all_the_words_say_so() -> None:
    def how(m: Any, x: Tensor) -> Tensor:
        m.n += 1
        if not torch.compiler.is_exporting():
            raise ValueError("on purpose")
        return x * 2

    with pytest.warns(errors.FastCompileWarning, match="results of later calls may differ"):
        capture(Remembers(how), (X,))
