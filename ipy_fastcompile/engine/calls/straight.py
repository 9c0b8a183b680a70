"""module + call -> a forward for `torch.export` that does the same in a straight line.

Where export fails to run a model on tensors without values, Dynamo may succeed to read it: what
Python decides is decided then, and objects on the way are gone. Export then runs what it read; so
parameters keep their names, containers their types, and what the model changes is seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from ...torch_compat import straight, surroundings, tensor_kinds, trees
from ..sizes.size_book import SizeBook
from .containers import PlainCall
from .module import bind_call

# Given a book, the forward that notes in it what is asked about sizes.
StraightForward = Callable[[SizeBook], Callable[..., Any]]


def straight_forwards(
    module: torch.nn.Module,
    call: PlainCall,
    dynamic_shapes: Any,
    spared: Callable[[], AbstractContextManager[None]],
) -> Iterator[StraightForward]:
    """What Dynamo reads in the call; then the same, traced once more as `AOTAutograd` does.

    In the second, transforms of functions, gradients and tensors that hold others are gone as well,
    and so are composite ops. There is nothing for a model whose parameters hold others, and for a
    call with a number that varies: both would be constants then. ``spared`` lets the model take
    nothing from its iterators. Raises whatever Dynamo raises.
    """
    held = [*module.parameters(), *module.buffers()]
    if any(map(tensor_kinds.holds_tensors, held)):
        return
    # Tensors of its own, for Dynamo makes notes on those that it is given.
    plain_args, plain_kwargs = trees.map_tensors(torch.Tensor.detach, (call.args, call.kwargs))
    bound = bind_call(module, plain_args, plain_kwargs)
    dynamic = [*_dynamic_dims(bound.arguments, dynamic_shapes)]
    if not all(isinstance(value, torch.Tensor) for value, _ in dynamic):
        return
    args, kwargs = call.as_given(plain_args, plain_kwargs)
    with torch.no_grad(), surroundings.without_autocast(), spared():
        found = straight.straighten(module.forward, args, kwargs, dynamic, held)
    if found is None:  # it computes with no tensor
        return
    straight.name_modules(found, {id(child): name for name, child in module.named_modules()})
    yield functools.partial(_forward, found)
    yield functools.partial(_forward, straight.retraced(found))


def _forward(found: straight.Straight, book: SizeBook) -> Callable[..., Any]:
    return straight.runner(found, book.note)


def _dynamic_dims(value: Any, shapes: Any) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """The tensors in plain containers, which of their dimensions may vary, and numbers that do."""
    if shapes is None:
        return
    if isinstance(value, torch.Tensor):
        dims = enumerate(shapes) if isinstance(shapes, Sequence) else shapes.items()
        yield value, tuple(dim for dim, wish in dims if _may_vary(wish))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _dynamic_dims(inner, shapes[key])
    elif isinstance(value, (tuple, list)):
        for inner, wish in zip(value, shapes, strict=True):
            yield from _dynamic_dims(inner, wish)
    elif _may_vary(shapes):
        yield value, ()


def _may_vary(wish: Any) -> bool:
    return wish is not None and not isinstance(wish, int) and wish is not torch.export.Dim.STATIC
