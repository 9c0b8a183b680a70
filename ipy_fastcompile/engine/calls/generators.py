"""the process's random generators -> their states, kept and put back.

torch's own are seen as draws in the graph. Those of Python and of NumPy are not: what they give
while a model is captured would stay in the graph as a constant.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import Any

import torch


def generator_states() -> dict[str, Any]:
    """The state of every generator, by the name that messages use."""
    states: dict[str, Any] = {"torch": torch.get_rng_state(), "Python's random": random.getstate()}
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["torch.cuda"] = torch.cuda.get_rng_state_all()
    if "numpy.random" in sys.modules:
        states["numpy.random"] = _numpy().get_state()
    return states


def restore_generators(states: dict[str, Any]) -> None:
    """Put every generator back to what `generator_states` found."""
    torch.set_rng_state(states["torch"])
    random.setstate(states["Python's random"])
    if "torch.cuda" in states:
        torch.cuda.set_rng_state_all(states["torch.cuda"])
    if "numpy.random" in states:
        _numpy().set_state(states["numpy.random"])


def moved_generators(states: dict[str, Any]) -> tuple[str, ...]:
    """Which of Python's and NumPy's generators gave a number since ``states``."""
    moved = []
    if random.getstate() != states["Python's random"]:
        moved.append("Python's random")
    if "numpy.random" in states and not _same(states["numpy.random"], _numpy().get_state()):
        moved.append("numpy.random")
    return tuple(moved)


def is_own_generator(value: Any) -> bool:
    """Whether an object is a generator of Python or NumPy that somebody made."""
    if isinstance(value, random.Random):
        is_shared = value is random.random.__self__  # type: ignore[attr-defined]
        return not is_shared and not isinstance(value, random.SystemRandom)  # it has no state
    numpy = sys.modules.get("numpy.random")
    if numpy is None or value is numpy.random_sample.__self__:
        return False
    return isinstance(value, (numpy.Generator, numpy.RandomState))


def state_of(generator: Any) -> Any:
    """The state of such a generator, a copy."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if hasattr(generator, "bit_generator"):
        return generator.bit_generator.state
    return generator.get_state(legacy=False)


def set_state(generator: Any, state: Any) -> None:
    """Put a generator back to what `state_of` gave."""
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif hasattr(generator, "bit_generator"):
        generator.bit_generator.state = state
    else:
        generator.set_state(state)


@contextlib.contextmanager
def numbers_near(wanted: float) -> Iterator[None]:
    """Let the first number that Python and NumPy draw be as near to ``wanted`` as seeds allow."""
    states = generator_states()
    seeds = range(100)
    make = random.Random
    random.seed(min(seeds, key=lambda seed: abs(make(seed).random() - wanted)))
    if "numpy.random" in states:
        state_of = _numpy().RandomState
        _numpy().seed(min(seeds, key=lambda seed: abs(state_of(seed).random_sample() - wanted)))
    try:
        yield
    finally:
        restore_generators(states)


def _numpy() -> Any:
    return sys.modules["numpy.random"]


def _same(one: Any, other: Any) -> bool:
    pairs = zip(one, other, strict=True)
    return all(bool((a == b).all()) if hasattr(a, "all") else a == b for a, b in pairs)
