"""What a miss says first: a fact or two that a reader acts on, of keys as they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipy_fastcompile.cache.changes import diff_components
from ipy_fastcompile.cache.entries import Entry, Explanation
from ipy_fastcompile.cache.key.call import make_key
from ipy_fastcompile.cache.key.components import Key, section
from ipy_fastcompile.cache.summarise import summarise

X = torch.ones(2, 8, 4)


@dataclass
class Config:
    width: int = 4
    layers: int = 2
    activation: str = "gelu"


class Net(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            nn.Linear(config.width, config.width) for _ in range(config.layers)
        )

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x * scale


def net(**config: Any) -> Net:
    return Net(Config(**config)).eval()


def components(model: nn.Module, *args: Any, **options: Any) -> Mapping[str, str]:
    return make_key(model, args, **options).key.components


@pytest.fixture(scope="module")
def known() -> Mapping[str, str]:
    return components(net(), X)


def facts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    return summarise(diff_components(old, new))


MISSES = [
    (
        lambda: components(net(), torch.ones(3, 8, 4)),
        ("args[0]: float32[2, 8, 4] -> float32[3, 8, 4] (dynamic= lets sizes vary)",),
    ),
    (lambda: components(net(), X[0]), ("args[0]: float32[2, 8, 4] -> float32[8, 4]",)),
    (lambda: components(net(), X.double()), ("args[0]: float32[2, 8, 4] -> float64[2, 8, 4]",)),
    (
        lambda: components(net(), X.transpose(0, 1).contiguous().transpose(0, 1)),
        ("args[0]: strides [32, 4, 1] -> strides [4, 8, 1]",),
    ),
    (
        lambda: components(net().bfloat16(), X.bfloat16()),
        (
            "args[0]: float32[2, 8, 4] -> bfloat16[2, 8, 4]",
            "4 parameters: float32 -> bfloat16",
        ),
    ),
    (
        lambda: components(net(activation="relu"), X),
        ("model.config.activation: 'gelu' -> 'relu'",),
    ),
    (lambda: components(net(layers=3), X), ("model.config.layers: 2 -> 3",)),
    (
        lambda: components(net(width=6), torch.ones(2, 8, 6)),
        ("model.config.width: 4 -> 6", "args[0]: float32[2, 8, 4] -> float32[2, 8, 6]"),
    ),
    (lambda: components(net().train(), X), ("model.training: False -> True (in 4 modules)",)),
    (lambda: components(net(), X, kwargs={"scale": 2.0}), ("added kwargs['scale'] = 2.0",)),
    (
        lambda: components(net(), X, dynamic={"x": {1: "seq"}}),
        ("dynamic: added x = {1: 'seq'}",),
    ),
    (
        lambda: components(net(), X, split_at="aten::linear"),
        ("split_at: None -> 'aten::linear'",),
    ),
]


@pytest.mark.parametrize(("miss", "told"), MISSES)
def test_a_near_miss_says_what_differs_and_not_what_follows_from_it(
    known: Mapping[str, str], miss: Any, told: tuple[str, ...]
) -> None:
    assert facts(known, miss()) == told


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    yield
    torch.set_num_threads(before)


def test_a_setting_of_torch_is_named(known: Mapping[str, str], one_thread: None) -> None:
    now = torch.get_num_threads()
    assert facts(known, components(net(), X)) == (f"flags: threads: {now - 1} -> {now}",)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first, _ = facts(known, components(net(), X))[:2]
    assert first == f"flags: threads: {now - 1} -> {now}"


def test_one_more_kind_of_call_is_told_once() -> None:
    first = "first: containers = {}\nfirst: args[0] = torch.float32[3, 4] strides [4, 1] cpu"
    more = "next: containers = {}\nnext: args[0] = torch.int64[1] strides [1] cpu"
    old = {"inputs": first, "dynamic": "first: x = {1: 'n'}"}
    new = {"inputs": f"{first}\n{more}", "dynamic": "first: x = {1: 'n'}\nnext: x = {0: 'n'}"}
    assert facts(old, new) == (
        "next: a kind of call that the entry does not have: args[0] int64[1]",
    )


def test_a_package_says_its_version_and_else_its_files() -> None:
    text = "version = 5.23.0\nfile t/a.py = 1f\ncode of t.a.f = 2e\nt.A.x = 1"
    newer = text.replace("5.23.0", "5.24.0").replace("1f", "3d").replace("2e", "4c")
    assert facts({"package:t": text}, {"package:t": newer}) == ("t 5.23.0 -> 5.24.0",)
    edited = text.replace("1f", "3d").replace("2e", "4c")
    assert facts({"package:t": text}, {"package:t": edited}) == ("t/a.py of t was edited",)
    stamp, flags = "torch = 2.12.1\nplatform = x", "cudnn = True"
    assert facts(
        {"flags": flags, "package:t": text, "stamp": stamp},
        {"flags": "cudnn = False", "package:t": newer, "stamp": stamp.replace("2.12.1", "2.13.0")},
    ) == ("t 5.23.0 -> 5.24.0", "torch: 2.12.1 -> 2.13.0", "flags: cudnn: True -> False")


def test_what_another_call_reaches_of_a_package_in_another_order_is_no_fact_of_its_own() -> None:
    old, new = (
        {"package:t": "version = 1\na = 1\nb = 2"},
        {"package:t": "version = 1\nb = 2\na = 1"},
    )
    assert facts(old | {"flags": "x = 1"}, new | {"flags": "x = 2"}) == ("flags: x: 1 -> 2",)
    assert facts(old, new) == ("package:t: the same lines in another order",)


def test_changed_lines_are_told_without_those_that_only_moved() -> None:
    old = section("m.py", "def f(x):\n    return x", 5) + section(
        "m.py", "def g(x):\n    return 2", 9
    )
    new = section("m.py", "def f(x):\n    x = x + 1\n    return x", 5) + section(
        "m.py", "def g(x):\n    return 3", 10
    )
    assert facts({"source:m.py": old}, {"source:m.py": new}) == (
        "m.py:6: added x = x + 1",
        "m.py:11: return 2 -> return 3",
    )
    only_moved = old.replace("m.py:9", "m.py:12")
    assert facts({"source:m.py": old}, {"source:m.py": only_moved}) == ("m.py: line 9 -> line 12",)


def test_three_facts_are_told_of_many_and_the_rest_is_folded(known: Mapping[str, str]) -> None:
    changed = Key({name: f"{text}\nx = 1\ny = 2\nz = 3" for name, text in known.items()})
    told = facts(known, changed.components)
    assert told[0] == "the source of ipy_fastcompile differs"
    assert told[1] == "added x = 1; added y = 2; and 1 more"
    assert len(told) == 3
    differ = diff_components(known, changed.components)
    entry = Entry("0" * 64, Path("it"), 1, 0.0, model="Net")
    explanation = Explanation(changed.digest, entry, len(known), differ)
    assert explanation.facts == told
    assert explanation.details == explanation.lines
    assert len(explanation.details) > 3 * len(known)


def test_what_is_told_in_full_is_not_folded_once_more(known: Mapping[str, str]) -> None:
    differ = diff_components(known, components(net(layers=2, activation="relu"), X))
    entry = Entry("0" * 64, Path("it"), 1, 0.0, model="Net")
    explanation = Explanation("1" * 64, entry, len(known), differ)
    assert len(explanation.lines) == 2
    assert explanation.details == ()
