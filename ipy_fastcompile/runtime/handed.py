"""weights -> the views of them that native kernels take, made once for all calls of a binding.

The same memory in other sizes and strides: what is written to a weight is in its view, and a model
that has other tensors is bound anew, as ever. Whoever calls a kernel with the weights themselves,
to watch it or beside another path's, calls it as `FromWeights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..artifact.schema import View
from ..torch_compat import output_code

_reinterpret: Callable[..., torch.Tensor] = output_code.output_code_functions()[
    "reinterpret_tensor"
]


class FromWeights:
    """A native kernel, called with the weights as the model has them."""

    def __init__(
        self,
        kernel: Callable[..., Any],
        views: Sequence[View],
        reinterpret: Callable[..., torch.Tensor] = _reinterpret,
    ) -> None:
        self.kernel = kernel
        self._views = views
        self._reinterpret = reinterpret

    def __call__(self, *arguments: Any) -> Any:
        """Run it on views of the weights among its arguments."""
        return self.kernel(*in_views(arguments, self._views, self._reinterpret))


def in_views(
    tensors: Sequence[Any],
    views: Sequence[View],
    reinterpret: Callable[..., torch.Tensor] = _reinterpret,
) -> list[Any]:
    """The tensors, those among them as views that are taken as such."""
    found = list(tensors)
    for size, stride, positions in views:
        for position in positions:
            found[position] = reinterpret(found[position], size, stride, 0)
    return found


def on_views(kernels: Sequence[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The kernels, to be called with what `in_views` makes of a program's parameters."""
    return [each.kernel if isinstance(each, FromWeights) else each for each in kernels]
