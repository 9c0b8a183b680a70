"""Modules that have sets: in some the order is used, and is another one in every process."""

from __future__ import annotations

from torch import nn

WANTED = {"alpha", "beta", "gamma", "delta"}
WEIGHTS = {"alpha": 1.0, "beta": 2.0, "gamma": 3.0, "delta": 4.0}


def joined(names, x):
    for name in names:
        x = x * 2 + WEIGHTS[name]
    return x


class Base(nn.Module):
    names = frozenset(WANTED)

    def __init__(self):
        super().__init__()
        self.own = set(WEIGHTS)
        self.config = {"names": {"alpha", "beta", "gamma"}, "pair": [{"gamma", "delta", "alpha"}]}


class Global(Base):
    def forward(self, x):
        return joined(WANTED, x)


class Comprehension(Base):
    def forward(self, x):
        return sum(x * i * WEIGHTS[n] for i, n in enumerate(self.own))


class OfClass(Base):
    def forward(self, x):
        return joined(list(self.names), x)


class Nested(Base):
    def forward(self, x):
        return joined(self.config["names"], x)


class InList(Base):
    def forward(self, x):
        return joined(tuple(self.config["pair"][0]), x)


class Difference(Base):
    def forward(self, x):
        return joined(self.own - {"alpha"}, x)


class Union(Base):
    def forward(self, x):
        return joined(self.own.union(["alpha"]), x)


class Local(Base):
    def forward(self, x):
        return joined({"alpha", "beta", "gamma"}, x)


class Made(Base):
    def forward(self, x):
        return joined(set(WEIGHTS), x)


class Aliased(Base):
    def forward(self, x):
        names = self.own
        return joined(names, x)


class Default(Base):
    def forward(self, x, names={"alpha", "beta", "gamma"}):
        return joined(names, x)


class Popped(Base):
    def forward(self, x):
        return x * WEIGHTS[self.own.copy().pop()]


class Unpacked(Base):
    def forward(self, x):
        first, *_ = WANTED
        return x * WEIGHTS[first]


def _closed():
    names = {"alpha", "beta", "gamma"}

    class Closed(Base):
        def forward(self, x):
            return joined(names, x)

    return Closed


class Asked(Base):
    def forward(self, x):
        kept = [n for n in WEIGHTS if n in self.own and n in WANTED and n not in self.names]
        return joined(kept, x) if "alpha" in {"alpha", "beta"} else x


class Sorted(Base):
    def forward(self, x):
        return joined(sorted(WANTED), x) * len(self.own)


class Numbers(Base):
    numbers = {3, 1, 2}

    def forward(self, x):
        for number in self.numbers:
            x = x * 2 + number
        return x


_ORDERED = (
    Global,
    Comprehension,
    OfClass,
    Nested,
    InList,
    Difference,
    Union,
    Local,
    Made,
    Aliased,
    Default,
    Popped,
    Unpacked,
    _closed(),
)
_UNORDERED = (Asked, Sorted, Numbers)
ORDERED = tuple(cls.__name__ for cls in _ORDERED)
UNORDERED = tuple(cls.__name__ for cls in _UNORDERED)
MODELS = {cls.__name__: cls() for cls in (*_ORDERED, *_UNORDERED)}
