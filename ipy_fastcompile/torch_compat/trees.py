"""nest of containers -> leaves and back, by the types that are registered.

torch.utils._pytree; seen on 2.11 and 2.13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..frozen import frozen


def flatten_tree(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a nest of registered containers, and its tree specification."""
    from torch.utils import _pytree

    return _pytree.tree_flatten(tree)


def unflatten_tree(leaves: Sequence[Any], spec: Any) -> Any:
    """The nest of containers with these leaves."""
    from torch.utils import _pytree

    return _pytree.tree_unflatten(leaves, spec)


def map_tensors(function: Callable[[torch.Tensor], Any], tree: Any) -> Any:
    """The same nest of registered containers, of what a function makes of its tensors."""
    from torch.utils import _pytree

    return _pytree.tree_map_only(torch.Tensor, function, tree)


@frozen
class RegisteredContainer:
    """A container type whose owner told `torch.utils._pytree` how to take it apart.

    ``open`` gives the keys, where they are names, the items, and the context as its owner saves
    it; ``close`` makes the container of the items and that context.
    """

    open: Callable[[Any], tuple[tuple[str, ...], tuple[Any, ...], Any]]
    close: Callable[[Sequence[Any], Any], Any]


def registered_container(kind: type) -> RegisteredContainer | None:
    """How a registered type is taken apart; None for one that nobody registered."""
    from torch.utils import _pytree

    node = _pytree.SUPPORTED_NODES.get(kind)
    if node is None:
        return None
    named = _pytree.SUPPORTED_SERIALIZED_TYPES.get(kind)

    def open_(value: Any) -> tuple[tuple[str, ...], tuple[Any, ...], Any]:
        items, context = node.flatten_fn(value)
        keys: tuple[Any, ...] = ()
        if node.flatten_with_keys_fn is not None:
            pairs, _ = node.flatten_with_keys_fn(value)
            keys = tuple(getattr(key, "name", getattr(key, "key", None)) for key, _ in pairs)
            if not all(isinstance(k, str) and k.isidentifier() for k in keys):
                keys = ()
        if named is not None and named.to_dumpable_context is not None:
            context = named.to_dumpable_context(context)
        return keys, tuple(items), context

    def close(items: Sequence[Any], context: Any) -> Any:
        if named is not None and named.from_dumpable_context is not None:
            context = named.from_dumpable_context(context)
        return node.unflatten_fn(items, context)

    return RegisteredContainer(open_, close)
