"""module -> what it wraps: `torch.compile` and `nn.DataParallel` add a step to every name.

An artifact speaks of tensors by the names of the model itself. So what was compiled as
``torch.compile(model)`` loads for ``model``, and the reverse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

_STEPS = ("_orig_mod", "module")


def unwrapped(module: Any) -> Any:
    """The module inside `torch.compile`'s or `nn.DataParallel`'s, any module else as it is."""
    while True:
        step = step_into(module)
        if not step:
            return module
        module = getattr(module, step)


def step_into(module: Any) -> str:
    """The name under which a wrapper keeps what it wraps, "" for any module else."""
    children = getattr(module, "__dict__", {}).get("_modules")
    if not children or ("module" not in children and "_orig_mod" not in children):
        return ""  # so nearly always, and much faster told than by the classes
    if isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
        return "module"
    if type(module).__name__ == "OptimizedModule" and "_orig_mod" in children:
        return "_orig_mod"
    return ""


def plain_name(module: Any, name: str) -> str:
    """The name that a tensor of ``module`` has in the model without wrappers."""
    kept = []
    for part in name.split("."):
        if part != step_into(module):
            kept.append(part)
        module = getattr(module, part, None)
    return ".".join(kept)


def by_plain_name(names: Iterable[str]) -> dict[str, str]:
    """Plain name -> name, of the names in a state dict, which says nothing of wrappers.

    A plain name that two names could mean is left out.
    """
    found: dict[str, str] = {}
    twice: set[str] = set()
    for name in map(str, names):
        parts = name.split(".")
        for steps in (_STEPS[:1], _STEPS):
            plain = ".".join(part for part in parts[:-1] if part not in steps) + "." + parts[-1]
            plain = plain.removeprefix(".")
            if found.setdefault(plain, name) != name:
                twice.add(plain)
    return {plain: name for plain, name in found.items() if plain not in twice}
