"""Models whose arguments and results are in containers of this module; a child imports it, too."""

from __future__ import annotations

import collections
import dataclasses
import enum
import typing
from typing import Any

import torch

Box = collections.namedtuple("Box", "inner rest")


class State(typing.NamedTuple):
    h: torch.Tensor
    c: torch.Tensor


class Mode(enum.Enum):
    SUM = "sum"
    MEAN = "mean"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    ids: torch.Tensor
    mode: Mode = Mode.SUM
    scale: float = 2.0
    more: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Output:
    y: torch.Tensor
    name: str = "y"
    made: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        self.made += 1


class Table(dict[str, Any]):
    """A dict of its own kind."""


class Cell(torch.nn.Module):
    """Takes a named tuple in a dict, gives one in a named tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, past: dict[str, State]) -> Box:
        h, c = past["state"]
        h = torch.tanh(self.linear(x) + h)
        return Box([State(h, c + h)], {"x": x, "mode": Mode.MEAN})


class Net(torch.nn.Module):
    """Takes a dataclass, gives one in a dict of its own kind."""

    def forward(self, batch: Batch, factor: Any) -> Table:
        y = batch.ids * batch.scale * float(factor) + batch.more["bias"]
        if batch.mode is Mode.SUM:
            y = y.sum(0)
        return Table(out=Output(y), best=torch.max(y, 0), shape=batch.ids.shape)


def cell_call(n: int) -> tuple[Any, ...]:
    x = torch.linspace(-1, 1, n * 4).reshape(n, 4)
    return x, {"state": State(x * 2, x - 1)}


def net_call(n: int) -> tuple[Any, ...]:
    import numpy as np

    x = torch.linspace(-1, 1, n * 4).reshape(n, 4)
    return Batch(ids=x, more={"bias": x[:1].clone()}), np.float32(1.5)
