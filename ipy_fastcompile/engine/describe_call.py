"""how a call and its result are nested -> the signature that `runtime.signature.CallTree` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..artifact.schema import Input, Signature
from ..runtime.nests import nest_data


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
