"""execution code + kernels + one set of tensors -> the functions that a call runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..artifact.schema import View
from ..frozen import frozen
from .bind import ExecutionParts, bind_again
from .handed import in_views, on_views
from .request import Request
from .ways import GraphOf, Kernels

Forward = Callable[..., tuple[Any, ...]]


@frozen
class Functions:
    """Functions of the execution code over one set of tensors; ``by_size`` for fixed sizes.

    ``check_inputs`` takes the `checks.Checks` first.
    """

    check_inputs: Forward
    forward: Forward
    by_size: Mapping[tuple[int, ...], Forward]


Bind = Callable[[ExecutionParts], Functions]


def binder(
    request: Request, namespace: Mapping[str, Any], kernels: Kernels, graph_of: GraphOf
) -> Bind:
    """What binds executed code to tensors, as often as there are others.

    It keeps nothing of the artifact's bytes.
    """
    if request.via == "fx":
        from .stitched import stitched_forward

        return partial(
            _bind_graph, namespace, partial(stitched_forward, graph_of(), request.program)
        )
    views = request.program.views if kernels.as_packed else ()
    return partial(_bind_code, namespace, kernels.by_size, views)


def _bind_code(
    namespace: Mapping[str, Any],
    by_size: Mapping[tuple[int, ...], Sequence[Callable[..., Any]]],
    views: Sequence[View],
    parts: ExecutionParts,
) -> Functions:
    if views:
        parameters = in_views(parts.parameters, views)
        by_size = {sizes: on_views(kernels) for sizes, kernels in by_size.items()}
        parts = ExecutionParts(on_views(parts.kernels), parameters, parts.constants)
    function = bind_again(namespace, *parts)
    fixed = {
        sizes: bind_again(namespace, kernels, parts.parameters, parts.constants).forward
        for sizes, kernels in by_size.items()
    }
    return Functions(namespace["check_inputs"], function.forward, fixed)


def _bind_graph(
    namespace: Mapping[str, Any], stitched: Callable[..., Forward], parts: ExecutionParts
) -> Functions:
    """The same through the split graph, its compiled children replaced by kernels."""
    bind_again(namespace, *parts)  # raises where the parts are not those of the code
    forward = stitched(parts.kernels, parts.parameters)
    return Functions(namespace["check_inputs"], forward, {})
