"""module -> what it wraps: `torch.compile`, `nn.DataParallel` and peft add a step to every name.

An artifact speaks of tensors by the names of the model itself. So what was compiled as
``torch.compile(model)`` loads for ``model``, and the reverse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

_STEPS = ("_orig_mod", "module")
_OF_PEFT = "base_model.model."


def unwrapped(module: Any) -> Any:
    """The module inside `torch.compile`'s or `nn.DataParallel`'s, any module else as it is.

    A call of peft's wrapper may do more than a call of what is in it.
    """
    while True:
        step = step_into(module)
        if not step:
            return module
        module = getattr(module, step)


def step_into(module: Any) -> str:
    """The name under which a wrapper keeps what a call of it calls, "" for any module else."""
    children = getattr(module, "__dict__", {}).get("_modules")
    if not children or ("module" not in children and "_orig_mod" not in children):
        return ""  # so nearly always, and much faster told than by the classes
    if isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
        return "module"
    if type(module).__name__ == "OptimizedModule" and "_orig_mod" in children:
        return "_orig_mod"
    return ""


def name_step_into(module: Any) -> str:
    """The step that a wrapper adds to the names of what it wraps, "" for any module else."""
    children = getattr(module, "__dict__", {}).get("_modules")
    if not children:
        return ""
    if "base_model" in children and _is_of_peft(module, "PeftModel"):
        return "base_model"
    if len(children) == 1 and "model" in children and _is_of_peft(module, "BaseTuner"):
        return "model"
    return step_into(module)


def _is_of_peft(module: Any, name: str) -> bool:
    """Whether a class of peft, told by its name, is among those of a module."""
    found = (kind for kind in type(module).__mro__ if kind.__name__ == name)
    return any(kind.__module__.partition(".")[0] == "peft" for kind in found)


def plain_name(module: Any, name: str) -> str:
    """The name that a tensor of ``module`` has in the model without wrappers."""
    kept = []
    for part in name.split("."):
        if part != name_step_into(module):
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
        parts = name.replace(_OF_PEFT, "").split(".")
        for steps in (_STEPS[:1], _STEPS):
            plain = ".".join(part for part in parts[:-1] if part not in steps) + "." + parts[-1]
            plain = plain.removeprefix(".")
            if found.setdefault(plain, name) != name:
                twice.add(plain)
    return {plain: name for plain, name in found.items() if plain not in twice}
