"""surroundings of a call -> the same call without them, or one error that names them.

A compiled function computes what was compiled. Autocast, default devices and modes that watch or
rewrite ops would change what the ops between its kernels do, so they are set aside while it runs.
Where tensors have no memory (`FakeTensorMode`), or where the call is written down to be run again
(`make_fx`, `torch.export`, `torch.jit.trace`, `torch.func`), nothing right could come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import FastCompileError, InputError
from ..torch_compat import surroundings as torch_surroundings, tensor_kinds

is_plain = torch_surroundings.is_plain_surroundings
is_dual = torch_surroundings.is_dual_level


@contextmanager
def set_aside(what: str, error: type[FastCompileError]) -> Iterator[None]:
    """Run a block as if it were called outside of all modes of this thread.

    ``what`` begins the message of an ``error``, which is raised where that is not possible:
    ``"A loaded function"``.
    """
    refuse_tracers(what, error)
    with torch_surroundings.without_modes(), torch_surroundings.without_autocast():
        yield


@contextmanager
def alone(what: str, error: type[FastCompileError]) -> Iterator[None]:
    """The same outside of inference mode: for what stays when the block is left."""
    with set_aside(what, error), torch.inference_mode(False):
        yield


def refuse_tracers(what: str, error: type[FastCompileError]) -> None:
    """Raise ``error`` where tensors have no memory, or calls are recorded instead of made."""
    tracer = torch_surroundings.tracer_in_charge()
    if tracer:
        raise error(
            f"{what} was called under {tracer}, and what it runs are compiled kernels on real "
            "memory, which can be neither recorded nor transformed.",
            f"Call it outside of {tracer}; transform or export the model itself instead.",
            tracer=tracer,
        )


def refuse_tangents(values: Mapping[str, Any]) -> None:
    """Refuse dual numbers of forward-mode autograd, by name: kernels would drop their tangents."""
    for name, value in values.items():
        if isinstance(value, torch.Tensor) and tensor_kinds.tangent_of(value) is not None:
            raise InputError(
                f"{name} has a tangent (torch.autograd.forward_ad), and a compiled function is for "
                "inference: it records no autograd.",
                "Call it outside of the dual level, or differentiate the model itself.",
                argument=name,
            )


def check_default_dtype(compiled: torch.dtype) -> None:
    """Refuse another default dtype where ops of the graph take theirs from it."""
    current = torch.get_default_dtype()
    if current is not compiled:
        raise InputError(
            f"The default dtype is {current}, and it was {compiled} when the model was compiled; "
            "the model has ops that take their dtype from it.",
            f"Call torch.set_default_dtype({compiled}), or compile again.",
            expected=compiled,
            found=current,
        )
