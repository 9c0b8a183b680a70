"""ops -> their shapes and dtypes alone: tensors without values.

torch._subclasses.FakeTensorMode; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch


@contextlib.contextmanager
def fake_tensors() -> Iterator[None]:
    """Tensors without values: what is made meanwhile has a shape and a dtype, and no memory."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    with FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True), torch.no_grad():
        yield


@contextlib.contextmanager
def without_data(
    on_op: Callable[[Any, tuple[Any, ...], Any], None],
) -> Iterator[None]:
    """Ops yield tensors without data; ``on_op(op, args, result)`` sees every one that runs.

    Composite ops run as what they are made of on the device that their tensors claim.
    """
    from torch._subclasses import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            on_op(func, args, result)
            return result

    watch = Watch()  # type: ignore[no-untyped-call]
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True), watch:
        yield
