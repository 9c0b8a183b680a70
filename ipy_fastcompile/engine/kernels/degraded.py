"""Lowered -> what a user must know before anything else: what runs uncompiled, or is not native.

Such a compile gives right numbers, and is not what was asked for. It is said when it is compiled,
on the first line of the report, and when it is saved.
"""

from __future__ import annotations

from .lowered import Kernel, Lowered

SHOWN = 2  # of each kind, by name


def alarms_of(lowered: Lowered) -> tuple[str, ...]:
    """A sentence for what runs uncompiled and one for what is not native; () when all is well."""
    return tuple(filter(None, (_uncompiled(lowered), _not_native(lowered))))


def _uncompiled(lowered: Lowered) -> str:
    if not lowered.failures:
        return ""
    total = len(lowered.split.submodules)
    of = [f"{lowered.split.submodules[i].name}, {why}" for i, why in lowered.failures.items()]
    verb = "runs" if len(of) == 1 else "run"
    return f"{len(of)} of {total} submodules {verb} uncompiled: {_listed(of)}."


def _not_native(lowered: Lowered) -> str:
    slow = [k for kernel in lowered.kernels if (k := _without_native(kernel))]
    if not slow:
        return ""
    of = [f"kernel_{kernel.index}, {kernel.why}" for kernel in slow]
    verb = "is" if len(of) == 1 else "are"
    return (
        f"{len(of)} of {len(lowered.kernels)} kernels {verb} not native: {_listed(of)}. "
        "PyTorch's own loader loads what is not, which takes longer, and needs a C++ compiler "
        "where the cache of Inductor is another."
    )


def _without_native(kernel: Kernel) -> Kernel | None:
    every = (kernel, *kernel.sizes.values())
    return next((k for k in every if k.native is None), None)


def _listed(items: list[str]) -> str:
    more = len(items) - SHOWN
    return "; ".join(items[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
