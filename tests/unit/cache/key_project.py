"""A model in several files of the user's -> edited, imported again, and keyed."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from ipy_fastcompile.cache.key.call import CallKey, make_key

MODEL = """\
import contextlib
import dataclasses
import enum
import functools
import math
import os
from collections import namedtuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import keyed_helpers
from keyed_helpers import Gate, scaled

GLOBAL = 1.25
TABLE = {"double": lambda x: x * 2.0, "half": lambda x: x / 2.0}
WEIGHTS = [1.0, 2.0, [3.0, 4.0]]
CONSTANT = torch.tensor([1.0, 2.0, 3.0, 4.0])
ARRAY = np.array([1.0, 2.0, 3.0, 4.0])


class Mode(enum.Enum):
    FAST = 1.5
    SLOW = 2.5


@dataclasses.dataclass
class Config:
    power: float = 2.0
    bias: float = 0.5


Pair = namedtuple("Pair", "a b", defaults=(0.25,))


class Slotted:
    __slots__ = ("offset",)

    def __init__(self, offset):
        self.offset = offset

    def __radd__(self, x):
        return x + self.offset * 1.0


def make_shift(amount):
    def shift(x):
        return x + amount

    return shift


def decorated(factor):
    def wrap(function):
        @functools.wraps(function)
        def inner(self, x):
            return function(self, x) * factor

        return inner

    return wrap


@functools.lru_cache(maxsize=None)
def cached(n):
    return n * 1.5


@contextlib.contextmanager
def scope():
    yield 1.0625


def numbers():
    yield 0.5
    yield 0.75


class Meta(type):
    def __call__(cls, *args):
        made = super().__call__(*args)
        made.extra = 0.03125
        return made


class Made(metaclass=Meta):
    pass


class Base(nn.Module):
    level = 3.0

    def lift(self, x):
        return x + self.level * 0.125


class Mixin:
    @property
    def gain(self):
        return 1.5

    @staticmethod
    def static(x):
        return x * 1.0625

    @classmethod
    def made(cls, x):
        return x * 1.03125


class Block(Mixin, Base):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.kept = 0.75
        self.shift = make_shift(0.5)
        self.config = Config()
        self.frozen = [torch.ones(4)]
        self.slotted = Slotted(0.125)
        self.power = functools.partial(torch.pow, exponent=2.0)

    @decorated(1.5)
    def widen(self, x):
        return x * self.kept

    def act_soft(self, x):
        return F.softplus(x)

    def forward(self, x, kind="soft", *, floor=-8.0):
        from keyed_late import late

        x = self.linear(x)
        x = self.widen(self.lift(x)) * self.gain
        x = self.made(self.static(x))
        x = getattr(self, f"act_{kind}")(x)
        x = self.shift(x) + self.frozen[0] + self.slotted
        x = x * self.config.power + self.config.bias
        x = late(self.power(x))
        return x.clamp(min=floor)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Block()
        self.second = Block()
        self.gate = Gate()
        self.mode = Mode.FAST

    def forward(self, x):
        x = self.gate(-self.first(x)) + GLOBAL
        x = TABLE["double"](x) * WEIGHTS[2][1] + CONSTANT + float(np.log1p(ARRAY[1]))
        x = scaled(x) * self.mode.value + cached(2) + Pair(1.0).b
        with scope() as factor:
            x = x * factor
        for number in numbers():
            x = x + number
        x = x + Made().extra
        x = keyed_helpers.consts.OFFSET + keyed_helpers.rotated(x)
        if os.environ.get("KEYED_NEGATE") == "1":
            x = -x
        x = x * math.pi
        return self.second(x)

    def encode(self, x):
        return self(x)
"""
HELPERS = """\
import keyed_consts as consts
import torch
from torch import nn


def scaled(x, by=consts.SCALE):
    return x * by


def rotated(x):
    return _turn(x, angle=0.5)


def _turn(x, angle):
    return x * angle + 1.0


class Gate(nn.Module):
    slope = 0.5

    def forward(self, x):
        return torch.where(x > 0, x, x * self.slope)
"""
CONSTS = "SCALE = 3.0\nOFFSET = 0.375\n"
LATE = "FACTOR = 1.25\n\n\ndef late(x):\n    return x * FACTOR\n"
FILES = {
    "keyed_model": MODEL,
    "keyed_helpers": HELPERS,
    "keyed_consts": CONSTS,
    "keyed_late": LATE,
}


@dataclass
class Project:
    """The files, imported: ``modules`` by name, and a model in evaluation mode."""

    folder: Path
    modules: dict[str, ModuleType]
    model: Any

    def key(self, **options: Any) -> CallKey:
        return make_key(self.model, (inputs(),), **options)

    def numbers(self) -> torch.Tensor:
        with torch.no_grad():
            return self.model(inputs())


def inputs() -> torch.Tensor:
    return torch.linspace(-1, 1, 8).reshape(2, 4)


def open_project(folder: Path, edits: Mapping[str, Callable[[str], str]] | None = None) -> Project:
    """Write the files, edited, and import them afresh; they have the same names every time."""
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        edit = (edits or {}).get(name)
        (folder / f"{name}.py").write_text(edit(text) if edit else text)
    return import_project(folder)


def import_project(folder: Path) -> Project:
    for name in FILES:
        sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    linecache.clearcache()
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        modules = {name: importlib.import_module(name) for name in FILES}
    finally:
        sys.dont_write_bytecode = before
        sys.path.remove(str(folder))
    torch.manual_seed(0)
    return Project(folder, modules, modules["keyed_model"].Model().eval())


def replaced(old: str, new: str) -> Callable[[str], str]:
    """An edit of a text; it must be possible."""

    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return edit
