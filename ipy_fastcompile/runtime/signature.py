"""call -> leaves, leaves -> outputs: the calling convention of a compiled function, as data."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..artifact.schema import Signature
from ..errors import ArtifactCorrupt, InputError
from .refusals import Refuse, told

if TYPE_CHECKING:
    from .nested import ArgumentTree


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
        self._in_tree: ArgumentTree | None = None
        self._out_kind = signature.out_kind
        if self._out_kind == "tree":
            from .nests import read_nest  # not where tensors are returned: loads count in ms
            from .results import ResultTree

            self._result = ResultTree(_read(signature.out_tree, read_nest), types or {})

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
            from .nested import ArgumentTree

            self._in_tree = _read(self._in_tree_text, ArgumentTree)
        return self._in_tree.leaves((*args, *kwargs.values()), refuse)

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
        return self._result.types() if self._out_kind == "tree" else {}

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
        if not self._result.names_arguments:
            return self._result.build(iter(results))
        args, kwargs = self._arranged(args, kwargs)
        return self._result.build_around(results, (*args, *kwargs.values()))


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
