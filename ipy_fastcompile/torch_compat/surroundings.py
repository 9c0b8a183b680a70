"""a call -> the modes around it, and the call without them (torch._C; seen on 2.11 and 2.13)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

_count_dispatch_modes = torch._C._len_torch_dispatch_stack
_count_function_modes = torch._C._len_torch_function_stack
_any_autocast = torch._C._is_any_autocast_enabled
_is_tracing = torch._C._is_tracing
_transform_level = torch._C._functorch.maybe_current_level
_forward_ad = torch.autograd.forward_ad


def is_plain_surroundings() -> bool:
    """Whether no mode, autocast, trace or transform is active in this thread; takes 0.3 us."""
    return not (
        _count_dispatch_modes()
        or _count_function_modes()
        or _any_autocast()
        or _is_tracing()
        or _forward_ad._current_level >= 0
        or _transform_level() is not None
    )


@contextlib.contextmanager
def transforms_ended() -> Iterator[None]:
    """Where the block fails, end what it began of `torch.func`'s transforms: a trace does not."""
    functorch: Any = torch._C._functorch
    depth = functorch.get_dynamic_layer_stack_depth()
    try:
        yield
    except BaseException:
        if functorch.get_dynamic_layer_stack_depth() > depth:
            functorch.pop_dynamic_layer_stack_and_undo_to_depth(depth)
        if _forward_ad._current_level < 0:
            _end_dual_level()
        raise


def _end_dual_level() -> None:
    """End the level of dual numbers, of which there is one, where a trace has begun it in C++."""
    try:
        torch._C._exit_dual_level(level=torch._C._enter_dual_level())
    except RuntimeError:  # it is on
        torch._C._exit_dual_level(level=0)


def function_modes() -> list[Any]:
    """The modes of this thread that see calls of torch's functions, the outermost first."""
    return list(torch.overrides._get_current_function_mode_stack())  # type: ignore[no-untyped-call]


def dispatch_modes() -> list[Any]:
    """The modes of this thread that see ops, the outermost first."""
    return list(torch.utils._python_dispatch._get_current_dispatch_mode_stack())


def is_dual_level() -> bool:
    """Whether tensors may be dual numbers of forward-mode autograd."""
    return bool(_forward_ad._current_level >= 0)


def tracer_in_charge() -> str:
    """What gives tensors without memory or writes calls down in this thread; "" for nothing."""
    if _is_tracing():
        return "torch.jit.trace"
    if _transform_level() is not None:
        interpreter: Any = torch._C._functorch.peek_interpreter_stack()
        kind = interpreter.key().name.lower()
        return f"torch.func.{kind}" if kind in ("vmap", "grad", "jvp") else "a torch.func transform"
    for mode in dispatch_modes():
        if getattr(mode, "_mode_key", None) is not None:
            return _TRACERS.get(type(mode).__name__, type(mode).__name__)
    count: Any = torch._ops._len_torch_dispatch_stack_pre_dispatch
    return "torch.export" if count() else ""


_TRACERS = {"ProxyTorchDispatchMode": "make_fx", "FunctionalTensorMode": "functionalization"}


@contextlib.contextmanager
def without_modes() -> Iterator[None]:
    """Modes of this thread that see or change every op, and default devices, do not see these."""
    modes = []
    while _count_dispatch_modes():
        modes.append(torch._C._pop_torch_dispatch_stack(None))
    try:
        with torch._C.DisableTorchFunction():
            yield
    finally:
        for mode in reversed(modes):
            torch._C._push_on_torch_dispatch_stack(mode)


def autocasts() -> dict[str, torch.dtype]:
    """The kinds of devices for which autocast is on in this thread, and what it casts to."""
    kinds = dict.fromkeys(("cpu", "cuda", torch._C._get_accelerator().type))
    return {k: torch.get_autocast_dtype(k) for k in kinds if torch.is_autocast_enabled(k)}


def described_autocasts() -> tuple[str, ...]:
    """The same as text, ``cpu:bfloat16``."""
    return tuple(f"{kind}:{str(dtype)[6:]}" for kind, dtype in sorted(autocasts().items()))


@contextlib.contextmanager
def without_autocast() -> Iterator[None]:
    """Autocast is off, for every kind of device."""
    active = autocasts()
    for kind in active:
        torch.set_autocast_enabled(kind, False)
    try:
        yield
    finally:
        for kind in active:
            torch.set_autocast_enabled(kind, True)


def hide_from_dynamo(function: Any, reason: str) -> None:
    """Let `torch.compile` run a function as it is: it neither traces into it nor below it.

    What `torch.compiler.disable` does, without the import of `torch._dynamo`.
    """
    function._torchdynamo_disable = True
    function._torchdynamo_disable_recursive = True
    function._torchdynamo_disable_msg = reason
    frames = torch._C._dynamo.eval_frame
    skip = frames._FrameAction.SKIP
    frames.set_code_exec_strategy(function.__code__, frames._FrameExecStrategy(skip, skip))
