"""call -> leaves, leaves -> outputs: the calling convention of a compiled function, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import torch_internals
from ..errors import InputError, TreeTypeMissing


class CallTree:
    """Turns a call into the leaves that the execution code takes, and its results into the outputs.

    ``data`` is the manifest's ``signature``: the names of the model's arguments, how many were
    positional at capture, the keywords, and the trees as JSON.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.argument_names: list[str] = list(data["argument_names"])
        self.n_positional: int = data["n_positional"]
        self.keywords: list[str] = list(data["keywords"])
        self.paths: list[str] = [entry["path"] for entry in data["inputs"]]
        self._flat: bool = data["flat"]
        self._in_tree_text: str = data["in_tree"]
        self._in_tree: Any = None
        self._out_kind: str = data["out_kind"]
        self._out_tree = None
        if self._out_kind == "tree":
            self._out_tree = _load_tree(data["out_tree"])

    def leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        """The leaves of a call, in the order of capture.

        Arguments may be given by position or by name, whichever way they were at capture.
        Raises InputError naming an argument that is missing, extra or differently nested.
        """
        if len(args) != self.n_positional or list(kwargs) != self.keywords:
            args, kwargs = self._rearrange(args, kwargs)
        if self._flat:
            return (*args, *kwargs.values())
        return self._flatten(args, kwargs)

    def _rearrange(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = self.argument_names
        given = dict(kwargs)
        if len(args) > max(len(names), self.n_positional):
            raise InputError(
                f"The call has {len(args)} positional arguments, and the compiled function takes "
                f"{self.n_positional}.",
                "Call it like the example it was compiled with.",
            )
        positional: dict[int, Any] = dict(enumerate(args))
        for position in range(self.n_positional, len(args)):
            name = names[position]
            if name in given:
                raise InputError(f"Argument {name} is given twice.", "Give it once.", argument=name)
            given[name] = positional.pop(position)
        for position in range(self.n_positional):
            if position not in positional:
                name = names[position] if position < len(names) else f"args[{position}]"
                if name not in given:
                    raise self._missing(name)
                positional[position] = given.pop(name)
        ordered = {}
        for name in self.keywords:
            if name not in given:
                raise self._missing(name)
            ordered[name] = given.pop(name)
        if given:
            name = next(iter(given))
            raise InputError(
                f"Argument {name} was not part of the call that was compiled.",
                "Leave it out, or compile again with it.",
                argument=name,
            )
        return tuple(positional[i] for i in range(self.n_positional)), ordered

    def _missing(self, name: str) -> InputError:
        return InputError(
            f"Argument {name} is missing; it was part of the call that was compiled.",
            "Pass it, or compile again without it.",
            argument=name,
        )

    def _flatten(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any]:
        if self._in_tree is None:
            self._in_tree = _load_tree(self._in_tree_text)
        leaves, tree = torch_internals.flatten_tree((args, kwargs))
        if tree != self._in_tree:
            raise InputError(
                f"The arguments are nested as {tree}, and the compiled function takes "
                f"{self._in_tree}.".replace("\n", " "),
                "Call it like the example it was compiled with.",
                expected=str(self._in_tree),
                found=str(tree),
            )
        return leaves

    def outputs(self, results: tuple[Any, ...]) -> Any:
        """The outputs, in the containers that the model returned at capture."""
        if self._out_kind == "leaf":
            return results[0]
        if self._out_kind == "tuple":
            return results
        if self._out_kind == "list":
            return list(results)
        return torch_internals.unflatten_tree(results, self._out_tree)


def _load_tree(text: str) -> Any:
    """A tree from its JSON. Raises TreeTypeMissing naming the type that is not registered here."""
    try:
        return torch_internals.load_tree_spec(text)
    except (NotImplementedError, KeyError, ImportError, AttributeError) as error:
        raise TreeTypeMissing(
            f"The outputs or inputs use a container type that is not registered in this process: "
            f"{str(error).rstrip('.')}.",
            f"Import {' and '.join(_tree_modules(text)) or 'the module that defines it'} before "
            "loading; nothing is imported for you.",
        ) from error


def _tree_modules(text: str) -> list[str]:
    """The modules whose types a tree's JSON names, except Python's own."""
    names = re.findall(r'"type": "([\w.]+)\.\w+"', text)
    return sorted({name for name in names if name not in ("builtins", "collections")})


def describe_call(
    in_tree: Any,
    out_tree: Any,
    paths: Sequence[str],
    argument_names: Sequence[str],
    n_positional: int,
    keywords: Sequence[str],
) -> dict[str, Any]:
    """The plain data that `CallTree` reads."""
    n_top = n_positional + len(keywords)
    out_kind, out_text = _describe_output(out_tree)
    return {
        "argument_names": list(argument_names),
        "n_positional": n_positional,
        "keywords": list(keywords),
        "inputs": [{"path": path} for path in paths],
        "flat": len(paths) == n_top and all(c.is_leaf() for c in _top_children(in_tree)),
        "in_tree": torch_internals.dump_tree_spec(in_tree),
        "out_kind": out_kind,
        "out_tree": out_text,
    }


def _top_children(in_tree: Any) -> list[Any]:
    args, kwargs = _children(in_tree)
    return [*_children(args), *_children(kwargs)]


def _children(spec: Any) -> list[Any]:
    return list(
        spec.children() if callable(getattr(spec, "children", None)) else spec.children_specs
    )


def _describe_output(out_tree: Any) -> tuple[str, str]:
    if out_tree.is_leaf():
        return "leaf", ""
    if out_tree.type in (tuple, list) and all(c.is_leaf() for c in _children(out_tree)):
        return out_tree.type.__name__, ""
    return "tree", torch_internals.dump_tree_spec(out_tree)
