"""a value against the nest of its example -> its leaves, or what is held otherwise.

The keys of a dict may come in any order; all else must be as it was when the model was compiled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from .containers import Opened, open_container, steps_of
from .fixed import NoData, data_of
from .nests import Fixed, Nest
from .refusals import Refuse, told
from .type_names import name_of


def leaves_of(nest: Any, value: Any, path: str, leaves: list[Any], refuse: Refuse = told) -> None:
    """Append the leaves of a value that is held as the example was.

    The keys of a dict may come in any order. Raises InputError naming the place that differs, or
    what ``refuse`` makes of it.
    """
    if nest is None:
        leaves.append(value)
        return
    if isinstance(nest, Fixed):
        if not is_fixed(nest, value):
            raise refuse(_other_value, path, nest, value)
        leaves.append(None)
        return
    try:
        opened = open_container(value)
    except NoData:
        opened = None
    if opened is None or opened.kind != nest.kind or name_of(opened.type) != nest.type:
        raise refuse(_other_type, path, nest, value)
    children = opened.children
    if nest.keys or opened.keys:
        children = _in_order(nest, opened, path, refuse)
    if len(children) != len(nest.children) or opened.names != nest.names:
        raise refuse(_other_children, path, nest, opened)
    if opened.context != nest.context:
        raise refuse(_other_context, path, nest, opened)
    for position, child in enumerate(nest.children):
        if child is None:
            leaves.append(children[position])
        else:
            steps = steps_of(opened.kind, opened.keys, len(opened.items), opened.names)
            leaves_of(child, children[position], path + steps[position], leaves, refuse)


def _in_order(nest: Nest, opened: Opened, path: str, refuse: Refuse) -> tuple[Any, ...]:
    """The children in the order of the example's keys."""
    if opened.keys == nest.keys:
        return opened.children
    by_key = {}
    try:
        for key, item in zip(opened.keys, opened.items, strict=True):
            by_key[json.dumps(data_of(key))] = item
    except NoData as error:
        raise refuse(_other_keys, path, nest, error) from None
    wanted = {json.dumps(key): key for key in nest.keys}
    for text, key in wanted.items():
        if text not in by_key:
            raise refuse(_missing_key, path, key)
    for text in by_key:
        if text not in wanted:
            raise refuse(_extra_key, path, text)
    return (*(by_key[text] for text in wanted), *opened.attributes)


def is_fixed(nest: Fixed, value: Any) -> bool:
    """Whether it is the value that the call was compiled with."""
    try:
        data = data_of(value)
    except NoData:
        return False
    return bool(data == nest.data) and json.dumps(data) == json.dumps(nest.data)


# --- why it is not held as the example was -------------------------------------------------------


def _other_value(path: str, nest: Fixed, value: Any) -> InputError:
    return InputError(
        f"Argument {path} has the value {value!r:.60}, and the compiled function takes "
        f"{_value_shown(nest.data)}.",
        "It was fixed at capture; compile again with this value.",
        argument=path,
        expected=_value_shown(nest.data),
        found=f"{value!r:.60}",
    )


def _other_type(path: str, nest: Nest, value: Any) -> InputError:
    return _differs(path, _shown(nest.type), _article(type(value)))


def _other_children(path: str, nest: Nest, opened: Opened) -> InputError:
    expected = f"{len(nest.children)} entries{_listed(nest.names)}"
    return _differs(path, expected, f"{len(opened.children)}{_listed(opened.names)}")


def _other_context(path: str, nest: Nest, opened: Opened) -> InputError:
    return _differs(path, f"the context {nest.context!r:.60}", f"{opened.context!r:.60}")


def _other_keys(path: str, nest: Nest, error: NoData) -> InputError:
    return _differs(path, f"the keys {_keys(nest.keys)}", str(error))


def _missing_key(path: str, key: Any) -> InputError:
    return InputError(
        f"Argument {path} has no {key!r}, which was part of the call that was compiled.",
        "Pass it, or compile again without it.",
        argument=path,
    )


def _extra_key(path: str, text: str) -> InputError:
    return InputError(
        f"Argument {path} has {text}, which was not part of the call that was compiled.",
        "Leave it out, or compile again with it.",
        argument=path,
    )


def _value_shown(data: Any) -> str:
    if isinstance(data, dict) and len(data) == 1:
        ((kind, said),) = data.items()
        if kind == "enum":
            return f"{_shown(said[0])}.{said[1]}"
        return f"{kind}({said!r:.60})"
    return f"{data!r:.60}"


def _differs(path: str, expected: str, found: str) -> InputError:
    verb = "is" if found.startswith(("a ", "an ")) else "has"
    return InputError(
        f"Argument {path} {verb} {found}, and the compiled function takes {expected}.",
        "Call it like the example it was compiled with.",
        argument=path,
        expected=expected,
        found=found,
    )


def _shown(name: str) -> str:
    short = name.removeprefix("builtins:").replace(":", ".")
    return f"an {short}" if short[:1] in "aeiouAEIOU" else f"a {short}"


def _article(kind: type) -> str:
    return _shown(name_of(kind))


def _keys(keys: Sequence[Any]) -> str:
    return ", ".join(map(repr, keys))


def _listed(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""
