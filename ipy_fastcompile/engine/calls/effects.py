"""capture -> the model as it was before, and what its call does besides its result.

A capture runs the model once, on fake tensors. What it leaves in attributes, lists and globals is
put back, for it would be fake tensors and counts of calls that nobody made; what a compiled call
therefore leaves out is noted.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from ...torch_compat import export, module_calls
from ..graph.assigned import Assigned
from .fastpath import noticed_padding
from .generators import generator_states, moved_generators, restore_generators
from .snapshot import Change, changes_since, restore, spare_iterators, take_snapshot


class Watch:
    """What the attempts to capture a model did to it; after each, all is as it was.

    Attributes
    ----------
    changes:
        Places that hold something else after a call: attributes, items, globals.
    taken:
        Iterators that it takes values from.
    printed:
        Whether it printed.
    moved:
        Generators of random numbers, Python's and NumPy's, that gave some.
    own:
        Generators that the model or its surroundings hold, by name, that gave some.
    is_seeded:
        Whether it set the seed of torch's generator.
    is_graded:
        Whether it left other gradients in parameters.
    padded:
        Types of modules that leave zeros at padded positions in eager alone.
    assigned:
        Buffers that it assigns, which become writes.
    is_training:
        Whether a module that the callable calls first is in training mode.
    """

    def __init__(self, name: str, model: Callable[..., Any], arguments: Any = ()) -> None:
        self._model = model
        self._roots = {name: model}
        self._generators = generator_states()
        # Arguments that are no containers of tensors are given to the model as they are.
        self._snapshot = take_snapshot({**self._roots, "arguments": arguments})
        self._modules = take_snapshot(self._roots).modules
        self.is_training = any(module.training for module in self._modules)
        self.padded: tuple[str, ...] = ()
        self.assigned = Assigned()
        self.changes: tuple[Change, ...] = ()
        self.taken: tuple[str, ...] = ()
        self.printed = False
        self.moved: tuple[str, ...] = ()
        self.own: tuple[str, ...] = ()
        self.is_seeded = False
        self.is_graded = False

    @contextlib.contextmanager
    def attempt(self, module: torch.nn.Module) -> Iterator[None]:
        """Notice what a call of ``module`` does inside, and put back all that it changed."""
        try:
            with (
                self.spared(),
                _noticed_prints() as prints,
                noticed_padding(self._modules) as padded,
                _around_call(module, functools.partial(self._look, module)),
                export.cited(_function_of(self._model)),
                warnings.catch_warnings(),
            ):
                # Attributes are named by ours, with everything else.
                warnings.filterwarnings("ignore", r"The tensor attributes? ", UserWarning)
                # As it should be: what it would compile becomes part of the graph.
                warnings.filterwarnings("ignore", r"torch\.compile is ignored", UserWarning)
                yield
            self.printed = bool(prints)
            self.padded = tuple(dict.fromkeys(padded))
            self.moved = moved_generators(self._generators)
        finally:
            restore(self._snapshot)
            restore_generators(self._generators)

    @contextlib.contextmanager
    def spared(self) -> Iterator[None]:
        """Let the model take from copies of its iterators; what cannot be copied is refused."""
        spares = spare_iterators(self._snapshot)
        try:
            yield
        finally:
            restore(self._snapshot)
        refused = next((spare for spare in spares if spare.is_refused), None)
        if refused is not None:  # the model went on without it
            raise refused.refusal()
        self.taken = tuple(str(spare) for spare in spares if spare.is_taken)

    def _look(self, module: torch.nn.Module) -> Callable[[], None]:
        # Inside the call: export puts other parameters into the model around it, and some of the
        # attributes back by itself.
        before = take_snapshot(self._roots)
        gradients = [parameter.grad for parameter in module.parameters()]
        seed = torch.get_rng_state()
        self.assigned.look(module)

        def look_again() -> None:
            self.assigned.take_back()
            found = changes_since(before)
            self.changes = tuple(change for change in found if not change.is_draw)
            self.own = tuple(change.where for change in found if change.is_draw)
            now = (parameter.grad for parameter in module.parameters())
            self.is_graded = any(a is not b for a, b in zip(gradients, now, strict=False))
            # Fake tensors draw nothing: somebody set it.
            self.is_seeded = not torch.equal(torch.get_rng_state(), seed)

        return look_again

    def left_behind(self) -> tuple[str, ...]:
        """What a call changes that a later one may read, a sentence's part each."""
        taken = (f"what it takes from {iterator}" for iterator in self.taken)
        return (*taken, *(f"a change of {change}" for change in self.changes))

    def left_out(self) -> tuple[str, ...]:
        """What else a compiled call does not do, a sentence's part each."""
        found = [
            f"the zeros at padded positions of nn.{name}, which eager's fast path leaves there "
            "(enable_nested_tensor=False leaves numbers in both)"
            for name in self.padded
        ]
        found += ["the seed that it sets"] if self.is_seeded else []
        found += ["the gradients that it leaves in parameters"] if self.is_graded else []
        return (*found, "what it prints") if self.printed else tuple(found)


def _function_of(model: Any) -> Any:
    """The Python function that a call of ``model`` runs first, where it is no forward."""
    while isinstance(model, functools.partial):
        model = model.func
    if isinstance(model, types.MethodType):
        return model.__func__
    return model if isinstance(model, types.FunctionType) else type(model).__call__


@contextlib.contextmanager
def _around_call(module: torch.nn.Module, look: Callable[[], Callable[[], None]]) -> Iterator[None]:
    """Run ``look`` before a call of the module, hooks included, and what it gives after it."""
    if isinstance(module, module_calls.UnhookedModule):
        own = module.forward

        @functools.wraps(own)
        def forward(*args: Any, **kwargs: Any) -> Any:
            look_again = look()
            output = own(*args, **kwargs)
            look_again()
            return output

        module.forward = forward
        try:
            yield
        finally:
            module.forward = own
        return
    if isinstance(module, torch.jit.ScriptModule):  # takes no hooks, and export refuses it
        yield
        return
    looks: list[Callable[[], None]] = []
    before = module.register_forward_pre_hook(lambda *_: looks.append(look()), prepend=True)
    after = module.register_forward_hook(lambda *_: looks.pop()())
    try:
        yield
    finally:
        before.remove()
        after.remove()


@contextlib.contextmanager
def _noticed_prints() -> Iterator[list[None]]:
    """A list that gets an entry when this thread writes to standard output; all is passed on."""
    said: list[None] = []
    real = sys.stdout
    if real is None:
        yield said
        return
    sys.stdout = _Noticing(real, threading.get_ident(), said)
    try:
        yield said
    finally:
        # The model may have put another one in its place, and that is its affair.
        if isinstance(sys.stdout, _Noticing):
            sys.stdout = real


class _Noticing:
    """A stream that notes what one thread writes, and is the real one in all else."""

    def __init__(self, real: Any, thread: int, said: list[None]) -> None:
        self._real = real
        self._thread = thread
        self._said = said

    def write(self, text: str) -> Any:
        if threading.get_ident() == self._thread:
            self._said.append(None)
        return self._real.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
