"""a call with any containers -> the same call in tuples, lists and dicts, for `torch.export`.

Export knows few types of containers, and registering more would change what other code sees. It
gets plain ones; around the model's own call they become the user's, and what the model returns is
taken apart.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import torch

from ...errors import CaptureError
from ...runtime.containers import open_container
from ...runtime.nests import (
    Fixed,
    Flattened,
    Nest,
    Unknown,
    after_call,
    builder,
    flatten,
)
from ...torch_compat import export, module_calls, trees
from .attributes import attributes_of, attributes_within, put_attributes, with_attributes
from .changed import Flat, changed_numbers, changed_objects, flat, sized_numbers
from .refused import refused_argument, refused_output
from .snapshot import changes_since, take_snapshot


class PlainCall:
    """A call whose arguments were taken apart.

    Attributes
    ----------
    args, kwargs:
        The arguments in tuples, lists and dicts, for `torch.export`.
    arguments:
        The way to each argument and its nest, positional ones first.
    leaves, paths, types, fixed:
        All leaves of the call, the way to each, the types that hold them, by name, and, by the
        number of the leaf, the values that are part of the nest, as text.
    attributes:
        What was put on tensors beside their values, by the way to them.
    output:
        The nest of the result, once the model has run.
    changed_numbers, sized_numbers:
        The ways to the whole numbers in objects that the model changed, and to those that are a
        size of a tensor beside them.

    Raises CallError naming an argument that can be no part of a compiled call.
    """

    def __init__(
        self, module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        found = Flattened()
        self.arguments: list[tuple[str, Any]] = []
        self._plain: list[Any] = []
        # Export takes a tensor that it meets twice for one input, and another call has two.
        met = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
        for path, value in named_arguments(module, args, kwargs):
            start = len(found.leaves)
            try:
                flatten(value, path, found)
            except Unknown as unknown:
                raise refused_argument(unknown) from None
            self.arguments.append((path, found.nest))
            self._plain += [_met_once(leaf, met) for leaf in found.leaves[start:]]
        self._names = tuple(kwargs)
        self.args, self.kwargs = self._taken_apart(self._plain)
        self.leaves, self.paths, self.types = found.leaves, found.paths, found.types
        self.fixed = found.fixed
        self.attributes = {
            path: named
            for path, leaf in zip(self.paths, self.leaves, strict=True)
            if (named := attributes_of(leaf))
        }
        self.output: Any = None
        self._held = attributes_within(module)
        self.changed_numbers: frozenset[str] = frozenset()
        self.sized_numbers: frozenset[str] = frozenset()
        self._given = dict(named_arguments(module, args, kwargs))
        self._is_seen = False
        self._is_inside = False
        self.closed: frozenset[str] = frozenset()  # shown to export without their gaps

    def let_vary(self, paths: Set[str]) -> None:
        """Show export no gaps between the rows of these leaves.

        How wide a gap is would be a size that no dimension has; a call copies what has gaps.
        """
        pairs = zip(self._plain, self.paths, strict=True)
        leaves = [without_gaps(leaf) if path in paths else leaf for leaf, path in pairs]
        changed = zip(self.paths, self._plain, leaves, strict=True)
        self.closed = frozenset(path for path, own, leaf in changed if own is not leaf)
        self.args, self.kwargs = self._taken_apart(leaves)

    def by_path(self) -> dict[str, Any]:
        """The leaves by the ways to them."""
        return dict(zip(self.paths, self.leaves, strict=True))

    def _taken_apart(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        each = iter(leaves)
        plain = [_to_plain(nest, each) for _, nest in self.arguments]
        count = len(plain) - len(self._names)
        return tuple(plain[:count]), dict(zip(self._names, plain[count:], strict=True))

    @contextlib.contextmanager
    def shown_to_export(
        self,
        module: torch.nn.Module,
        begin: Callable[[Mapping[str, Any]], contextlib.AbstractContextManager[Any]],
        finish: Callable[[Sequence[Any]], Sequence[Any]],
    ) -> Iterator[None]:
        """Let the module take the plain arguments and return a flat tuple, while this lasts.

        ``begin`` is given the leaves of the arguments by the ways to them, and gives what is around
        the call of the model;
        ``finish`` those of the result, and gives those that are returned.
        """
        self._is_seen = self._is_inside = False

        def call(own: Any, /, *args: Any, **kwargs: Any) -> Any:
            if self._is_inside:  # the model calls itself
                return own(*args, **kwargs)
            self._is_inside = self._is_seen = True
            try:
                plain = (*args, *kwargs.values())
                pairs = zip(self.arguments, plain, strict=True)
                held = (leaf for (_, nest), one in pairs for leaf in _plain_leaves(nest, one))
                around = begin(dict(zip(self.paths, held, strict=True)))
                given, named = self.as_given(args, kwargs)
                put_attributes(module, self._held)
                values = [*given, *named.values()]
                paths = [path for path, _ in self.arguments]
                before = [flat(value) for value in values]
                objects = dict(zip(paths, values, strict=True))
                kept = take_snapshot(objects)
                with export.without_assigned_buffers(), around:
                    output = own(*given, **named)
                changed = changed_objects(paths, values, before, changes_since(kept))
                self.changed_numbers = changed_numbers(
                    self.by_path(), {paths[position]: values[position] for position in changed}
                )
                self.sized_numbers = sized_numbers(self.by_path(), objects)
                return tuple(finish(self._take_apart(output, values, changed)))
            finally:
                self._is_inside = False

        with module_calls.call_replaced(module, call):
            yield

    def result_nest(self, out_spec: Any, name: str) -> Any:
        """The nest of the result; ``out_spec`` is export's, for a model whose call it replaced."""
        if self._is_seen:
            return self.output
        special = [path for path, nest in self.arguments if not _is_export_own(nest)]
        if special:
            raise CaptureError(
                f"Argument {special[0]} is in a container that {name} cannot be given: export "
                "runs it without calling it.",
                "Call it inside the forward of a torch.nn.Module, and compile that.",
                argument=special[0],
            )
        positions = trees.unflatten_tree(list(range(out_spec.num_leaves)), out_spec)
        return self._nest_of_output(positions)[0]

    def as_given(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Plain arguments, such as ``args`` and ``kwargs`` are, in the caller's containers."""
        values = self._rebuilt((*args, *kwargs.values()))
        return tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))

    def _rebuilt(self, plain: Sequence[Any]) -> list[Any]:
        values = []
        for (path, nest), value in zip(self.arguments, plain, strict=True):
            leaves = _with_originals(nest, self._given[path], iter(_plain_leaves(nest, value)))
            values.append(builder(_unfixed(nest), self.types)(leaves))
        return values

    def _take_apart(
        self, output: Any, arguments: Sequence[Any], changed: Mapping[int, Flat]
    ) -> tuple[Any, ...]:
        """The leaves of the result, and then those of the arguments that are others now."""
        self.output, leaves = self._nest_of_output(output, arguments)
        if changed:
            self.output = after_call(self.output, {n: nest for n, (nest, _) in changed.items()})
            leaves += [leaf for _, found in changed.values() for leaf in found]
        elif not leaves:  # a graph has a result
            self.output, leaves = self._nest_of_output(output)
        return tuple(leaves)

    def _nest_of_output(self, output: Any, arguments: Sequence[Any] = ()) -> tuple[Any, list[Any]]:
        positions = {id(value): position for position, value in enumerate(arguments)}
        found = Flattened(types=self.types, arguments=positions)
        try:
            flatten(output, "the result", found)
        except Unknown as unknown:
            raise refused_output(unknown) from None
        return found.nest, found.leaves


def _met_once(leaf: Any, met: set[int]) -> Any:
    """A leaf, as another tensor on the same memory when it was met before."""
    if not isinstance(leaf, torch.Tensor):
        return leaf
    if id(leaf) in met:
        return leaf.detach()
    met.add(id(leaf))
    return leaf


def without_gaps(leaf: Any) -> Any:
    """A tensor in the same order of dimensions, one row directly after the other."""
    if not isinstance(leaf, torch.Tensor) or leaf.layout is not torch.strided:
        return leaf
    dense = torch.empty_like(leaf, device="meta").stride()
    wide = [i for i, size in enumerate(leaf.shape) if size > 1]
    if all(leaf.stride(i) == dense[i] for i in wide):
        return leaf
    return torch.empty_strided(leaf.shape, dense, dtype=leaf.dtype, device=leaf.device).copy_(leaf)


def named_arguments(
    module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Every argument of a call with its name, ``args[2]`` where it has none."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    for position, value in enumerate(args):
        is_named = (
            position < len(parameters)
            and parameters[position].kind is not inspect.Parameter.VAR_POSITIONAL
        )
        yield (parameters[position].name if is_named else f"args[{position}]"), value
    yield from kwargs.items()


# --- the shape that export sees ------------------------------------------------------------------


def plain_container(kind: str, keys: Sequence[Any], names: Sequence[str], held: list[Any]) -> Any:
    """The plain container that stands for one of this kind: what has names becomes a dict."""
    if kind == "tuple" and not keys and not names:
        return tuple(held)
    if not keys and not names:
        return {} if kind in ("dict", "record") else held
    labels: list[Any] = list(keys) or [f"item_{i}" for i in range(len(held) - len(names))]
    labels = [k if isinstance(k, (str, int)) else f"key_{i}" for i, k in enumerate(labels)]
    labels += [f"{name}_" if name in labels else name for name in names]
    return dict(zip(labels, held, strict=True))


def _to_plain(nest: Any, leaves: Iterator[Any]) -> Any:
    if not isinstance(nest, Nest):
        return next(leaves)
    held = [_to_plain(child, leaves) for child in nest.children]
    return plain_container(nest.kind, nest.keys, nest.names, held)


def _plain_leaves(nest: Any, value: Any) -> Iterator[Any]:
    if not isinstance(nest, Nest):
        yield value
        return
    held = value.values() if isinstance(value, dict) else value
    for child, inner in zip(nest.children, held, strict=True):
        yield from _plain_leaves(child, inner)


def _with_originals(nest: Any, original: Any, leaves: Iterator[Any]) -> Iterator[Any]:
    """The leaves with what a caller's own have beside their values; fixed values themselves."""
    if not isinstance(nest, Nest):
        leaf = next(leaves)
        yield original if isinstance(nest, Fixed) else with_attributes(leaf, original)
        return
    opened = open_container(original)
    assert opened is not None
    for child, inner in zip(nest.children, opened.children, strict=True):
        yield from _with_originals(child, inner, leaves)


def _unfixed(nest: Any) -> Any:
    """The nest with plain leaves where it has fixed values."""
    if not isinstance(nest, Nest):
        return None
    children = tuple(_unfixed(child) for child in nest.children)
    return Nest(nest.kind, nest.type, nest.keys, nest.names, nest.context, children)


def _is_export_own(nest: Any) -> bool:
    """Whether export sees the very same container."""
    if isinstance(nest, Fixed):
        return False
    if nest is None:
        return True
    own = nest.type in ("builtins:tuple", "builtins:list", "builtins:dict")
    return own and all(_is_export_own(child) for child in nest.children)
