"""The cache knows calls of several kinds: one entry for all of them, whose key covers each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile.cache.cached import CachedModel, compile_cached
from ipy_fastcompile.errors import CacheMiss, CallError, FastCompileWarning
from tests.faults.parts import repack, unpack


@dataclass(frozen=True)
class Call:
    """A kind of call, as `record` notes one."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    dynamic: Any = None
    autocast: tuple[tuple[str, torch.dtype], ...] | None = None


class Model(nn.Module):
    """One op, which is inlined: nothing has to be compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, past: torch.Tensor | None = None) -> torch.Tensor:
        return self.linear(x) if past is None else nn.functional.linear(x, past)


X = torch.ones(3, 4)
CALLS = [
    Call("first", (X,), {}, {"x": {0: ("rows", 2, 64)}}),
    Call("next", (torch.ones(1, 4),), {"past": torch.ones(4, 4)}),
]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return Model().eval()


@pytest.fixture
def ask(store: Any, model: nn.Module) -> Any:
    def call(calls: Any = CALLS, **options: Any) -> Any:
        options = {"split_at": "aten::linear", "store": store, **options}
        return compile_cached(model, calls=calls, **options)

    return call


def test_all_kinds_are_one_entry_and_a_hit_loads_all_programs(ask: Any, model: nn.Module) -> None:
    first, second = ask(), ask()
    assert (first.hit, second.hit, first.key) == (False, True, second.key)
    assert isinstance(second.model, CachedModel)
    assert second.model.report.max_error is not None
    assert [p.name for p in second.model.report.programs] == ["first", "next"]
    assert list(second.model.function.programs) == ["first", "next"]
    one, past = torch.randn(1, 4), torch.randn(4, 4)
    with torch.no_grad():
        torch.testing.assert_close(second.model(one, past), model(one, past))
        torch.testing.assert_close(second.model(X), model(X))
        with second.model.installed(model, strict=True):
            torch.testing.assert_close(model(one, past=past), second.model(one, past))
    with pytest.raises(AttributeError, match="a model from the cache has none"):
        second.model.programs  # noqa: B018


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ([CALLS[0], replace(CALLS[1], dynamic={"past": {0: "n"}})], "next: past"),
        ([replace(CALLS[0], dynamic=None), CALLS[1]], "first: x"),
        ([CALLS[0], replace(CALLS[1], kwargs={"past": torch.ones(4, 4).double()})], "next: kwargs"),
        ([CALLS[0], replace(CALLS[1], name="other")], "other: "),
        ([*CALLS, Call("more", (torch.ones(5, 4).double(),))], "more: "),
        (CALLS[:1], "first: "),
    ],
)
def test_the_key_covers_every_kind_and_what_may_vary_in_it(
    changed: Any, named: str, ask: Any
) -> None:
    ask()
    other = ask(changed, assert_warm=False) if named == "first: " else None
    if other is None:
        with pytest.raises(CacheMiss) as caught:
            ask(changed, assert_warm=True)
        assert named in str(caught.value)
    else:
        assert not other.hit
        assert any(named in line for line in other.why_miss)


def test_one_kind_has_the_key_of_the_call_itself(ask: Any, model: nn.Module, store: Any) -> None:
    known = ask(CALLS[:1])
    same = compile_cached(
        model, CALLS[0].args, dynamic=CALLS[0].dynamic, split_at="aten::linear", store=store
    )
    assert (same.hit, same.key) == (True, known.key)
    assert ask([replace(CALLS[0], autocast=())]).hit


@pytest.mark.slow
def test_the_autocast_that_calls_were_recorded_in_is_part_of_the_key(ask: Any) -> None:
    cast = [replace(CALLS[0], autocast=(("cpu", torch.bfloat16),))]
    known = ask(cast, split_at=None)
    assert known.model(X).dtype is torch.bfloat16
    assert ask(cast, split_at=None).hit
    with pytest.raises(CacheMiss, match="autocast"):
        ask(CALLS[:1], split_at=None, assert_warm=True)


def test_damage_of_a_later_program_is_a_miss_that_names_it(ask: Any, store: Any) -> None:
    key = ask().key
    path = store.path_of(key)
    members = unpack(path)
    name = "programs/1/execution.py"
    repack(path, {**members, name: members[name].replace(b"forward", b"f0rward")})
    with pytest.warns(FastCompileWarning, match=r"programs/1/execution\.py"):
        again = ask()
    assert not again.hit
    assert ask().hit


def test_calls_that_are_none_are_refused_before_any_key_is_made(ask: Any) -> None:
    with pytest.raises(CallError, match="calls is empty"):
        ask([])
