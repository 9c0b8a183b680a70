"""call -> leaves, leaves -> outputs: the calling convention of a compiled function, as data."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..artifact.schema import Input, Signature
from ..errors import ArtifactCorrupt, InputError
from .leaves import leaves_of
from .nests import Results, builder, named_types, names_arguments, nest_data, read_nest
from .refusals import Refuse, told
from .takers import Take, taker
from .type_names import find_named


class CallTree:
    """Turns a call into the leaves that the execution code takes, and its results into the outputs.

    ``signature`` has the names of the model's arguments, how many were positional at capture, the
    keywords, and how everything is nested, as JSON. ``types`` are types by name that need not be
    looked for.

    Raises TreeTypeMissing for a type of the outputs that this process lacks, ArtifactCorrupt for
    nests that no pack writes.
    """

    def __init__(self, signature: Signature, types: Mapping[str, Any] | None = None) -> None:
        self.argument_names = signature.argument_names
        self.n_positional = signature.n_positional
        self.keywords = list(signature.keywords)  # a call's are compared with it
        self.paths = [entry.path for entry in signature.inputs]
        self._defaults = signature.defaults
        self._flat = signature.flat
        self._in_tree_text = signature.in_tree
        self._in_tree: list[tuple[str, Any, Take | None]] | None = None
        self._out_kind = signature.out_kind
        if self._out_kind == "tree":
            self._out_nest = _read(signature.out_tree, read_nest)
            self._types = types or {}
            self._build = builder(self._out_nest, self._types)
            self._names_arguments = names_arguments(self._out_nest)

    def leaves(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], refuse: Refuse = told
    ) -> Sequence[Any]:
        """The leaves of a call, in the order of capture.

        Arguments may be given by position or by name, whichever way they were at capture, and
        left out, or added, where they have the default of the model's own signature.
        Raises InputError naming an argument that is missing, extra or differently nested, or what
        ``refuse`` makes of it.
        """
        args, kwargs = self._arranged(args, kwargs, refuse)
        if self._flat:
            return (*args, *kwargs.values())
        if self._in_tree is None:
            read = _read(self._in_tree_text, _read_arguments)
            self._in_tree = [(path, n, None if n is None else taker(n)) for path, n in read]
        leaves: list[Any] = []
        values = (*args, *kwargs.values())
        for (path, nest, take), value in zip(self._in_tree, values, strict=True):
            if take is None:
                leaves.append(value)
                continue
            count = len(leaves)
            if not take(value, leaves):
                del leaves[count:]
                leaves_of(nest, value, path, leaves, refuse)
        return leaves

    def _arranged(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], refuse: Refuse = told
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if len(args) != self.n_positional or list(kwargs) != self.keywords:
            return self._rearrange(args, kwargs, refuse)
        return args, kwargs

    def _rearrange(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], refuse: Refuse
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = self.argument_names
        given = dict(kwargs)
        if len(args) > max(len(names), self.n_positional):
            raise refuse(_too_many, len(args), self.n_positional)
        positional: dict[int, Any] = dict(enumerate(args))
        for name in names[: len(args)]:
            if name in given:
                raise refuse(_given_twice, name)
        for position in range(self.n_positional, len(args)):
            given[names[position]] = positional.pop(position)
        for position in range(self.n_positional):
            if position not in positional:
                name = names[position] if position < len(names) else f"args[{position}]"
                positional[position] = self._take(given, name, refuse)
        ordered = {}
        for name in self.keywords:
            ordered[name] = self._take(given, name, refuse)
        for name, value in given.items():
            if self._is_default(name, value):
                continue
            raise refuse(_not_asked_for, name)
        return tuple(positional[i] for i in range(self.n_positional)), ordered

    def _take(self, given: dict[str, Any], name: str, refuse: Refuse) -> Any:
        """An argument that was part of the compiled call: what is given, or its default."""
        if name in given:
            return given.pop(name)
        if name not in self._defaults:
            raise refuse(self._missing, name, given)
        return _read(self._defaults[name], ast.literal_eval, str)

    def odd_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
        """How many arguments a call has too many or too few, defaults left out."""
        wanted = {*self.argument_names[: self.n_positional], *self.keywords}
        given = {**dict(zip(self.argument_names, args, strict=False)), **kwargs}
        extra = [
            n for n, value in given.items() if n not in wanted and not self._is_default(n, value)
        ]
        missing = [n for n in wanted if n not in given and n not in self._defaults]
        return len(extra) + len(missing) + max(0, len(args) - len(self.argument_names))

    def _is_default(self, name: str, value: Any) -> bool:
        """Whether eager would compute the same without this argument."""
        return name in self._defaults and literal_of(value) == self._defaults[name]

    def _missing(self, name: str, given: Mapping[str, Any]) -> InputError:
        known = (*self.argument_names, *self.keywords)
        unknown = [other for other in given if other not in known]
        hint = "Pass it, or compile again without it."
        if unknown:
            hint = f"Pass it in the place of {unknown[0]}, which the model has no argument for."
        return InputError(
            f"Argument {name} is missing; it was part of the call that was compiled.",
            hint,
            argument=name,
        )

    def result_types(self) -> dict[str, Any]:
        """The types of the result, by name."""
        if self._out_kind != "tree":
            return {}
        return {name: find_named(name, self._types) for name in named_types(self._out_nest)}

    def outputs(
        self,
        results: tuple[Any, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """The outputs of a call, in the containers that the model returned at capture.

        Where the model returns an object that it was given, it is the one of ``args``, ``kwargs``.
        """
        if self._out_kind == "leaf":
            return results[0]
        if self._out_kind == "tuple":
            return results
        if self._out_kind == "list":
            return list(results)
        if not self._names_arguments:
            return self._build(iter(results))
        args, kwargs = self._arranged(args, kwargs)
        return self._build(Results(results, (*args, *kwargs.values())))


def _too_many(count: int, expected: int) -> InputError:
    return InputError(
        f"The call has {count} positional arguments, and the compiled function takes {expected}.",
        "Call it like the example it was compiled with.",
    )


def _given_twice(name: str) -> InputError:
    return InputError(f"Argument {name} is given twice.", "Give it once.", argument=name)


def _not_asked_for(name: str) -> InputError:
    return InputError(
        f"Argument {name} was not part of the call that was compiled.",
        "Leave it out, or compile again with it.",
        argument=name,
    )


def literal_of(value: Any) -> str:
    """A value as a literal of Python that gives it back, "" where there is none."""
    if not _is_literal(value):
        return ""
    return repr(value)


def _is_literal(value: Any, depth: int = 8) -> bool:
    kind = type(value)
    if kind in (tuple, list, dict) and depth:
        inner = (*value.keys(), *value.values()) if kind is dict else value
        return all(_is_literal(item, depth - 1) for item in inner)
    if kind is float:
        return math.isfinite(value)
    return kind in (type(None), bool, int, str, bytes)


def _read(text: Any, read: Any, decode: Any = json.loads) -> Any:
    try:
        return read(decode(text))
    except (ValueError, SyntaxError, RecursionError) as error:
        raise ArtifactCorrupt(
            f"The signature in the manifest is not one that this version writes: {error}.",
            "Save the artifact again.",
        ) from error


def _read_arguments(data: Any) -> list[tuple[str, Any]]:
    if not isinstance(data, list) or not all(
        isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) for row in data
    ):
        raise ValueError("its arguments are no list of names and nests")
    return [(path, read_nest(nest)) for path, nest in data]


def describe_call(
    arguments: Sequence[tuple[str, Any]],
    output: Any,
    paths: Sequence[str],
    argument_names: Sequence[str],
    n_positional: int,
    keywords: Sequence[str],
    defaults: Mapping[str, str] | None = None,
) -> Signature:
    """The signature that `CallTree` reads, but for the dimensions of inputs and the placeholders.

    ``arguments`` are the way to each argument and its nest, positional ones first; ``output`` is
    the nest of the result, ``defaults`` the literals of arguments that have one.
    """
    out_kind = "tree"
    if output is None:
        out_kind = "leaf"
    elif output.type in ("builtins:tuple", "builtins:list") and not any(output.children):
        out_kind = output.kind
    return Signature(
        argument_names=tuple(argument_names),
        n_positional=n_positional,
        keywords=tuple(keywords),
        defaults=dict(defaults or {}),
        inputs=tuple(map(Input, paths)),
        flat=all(nest is None for _, nest in arguments),
        in_tree=json.dumps([[path, nest_data(nest)] for path, nest in arguments]),
        out_kind=out_kind,
        out_tree=json.dumps(nest_data(output)) if out_kind == "tree" else "",
    )
