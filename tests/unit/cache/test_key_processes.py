"""Keys of models that nothing has changed: the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from ipy_fastcompile.cache.key.call import make_key

X = torch.linspace(-1, 1, 8).reshape(2, 4)
_CHILD = """
import copy, sys
import torch
import torch.nn.functional as F
from torch import nn
from ipy_fastcompile.cache.key.call import make_key

class Config:
    def __init__(self): self.scale = 2.0

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.config = nn.Conv1d(3, 8, 5, 2, 1), nn.GroupNorm(2, 8), Config()
    def forward(self, x):
        return F.silu(self.norm(self.conv(x))).mean(-1) * self.config.scale

class Settings(dict):
    # As diffusers keeps a configuration.
    def __init__(self, names):
        super().__init__(a=1, b=2, c=3, _use_default_values=list(set(names)))
        self._use_default_values = self["_use_default_values"]

class Configured(nn.Module):
    def __init__(self):
        super().__init__()
        self.settings = Settings("abcdefgh")
    def forward(self, x):
        return x * self.settings["b"]

net = Net()
if sys.argv[1] == "copied":
    copy.deepcopy(net)
print(make_key(net, (torch.randn(2, 3, 17),), {}).key.digest)
print(make_key(Configured(), (torch.ones(2),), {}).key.digest)
"""


def test_the_order_of_sets_and_an_earlier_copy_do_not_matter() -> None:
    found = set()
    for seed, what in (("1", ""), ("3", ""), ("7", "copied")):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _CHILD, what],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    (digests,) = found
    assert len(set(digests.split())) == 2


class Slotted(nn.Module):
    __slots__ = ("factor",)

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return x * self.factor


class Inherits(Slotted):
    pass


class Layers(nn.ModuleList):
    __slots__ = ("factor",)

    def __init__(self, factor: float) -> None:
        super().__init__([nn.ReLU()])
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return self[0](x) * self.factor


@pytest.mark.parametrize("kind", [Slotted, Inherits, Layers])
def test_a_value_in_a_slot_of_a_module_is_in_the_key(kind: Any) -> None:
    one, same, other = (make_key(kind(f), (X,), {}).key for f in (1.5, 1.5, 3.0))
    assert one.digest == same.digest
    assert one.digest != other.digest
    assert "factor" in other.components["structure"]
