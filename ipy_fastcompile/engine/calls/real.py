"""call -> the same, or a CaptureError: arguments that kernels could not read, and where it is made.

Looked for before anything is captured: a compile takes minutes, and its kernels read memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...errors import CaptureError
from ...runtime.modes import refuse_tracers
from ...runtime.plain import find_flaw


def check_surroundings() -> None:
    """Refuse to compile where tensors have no memory, or calls are recorded instead of made."""
    refuse_tracers("compile", CaptureError)


def check_arguments(paths: Sequence[str], leaves: Sequence[Any]) -> None:
    """Refuse arguments that no call could take: wrapper subclasses as well."""
    for path, leaf in zip(paths, leaves, strict=True):
        flaw = find_flaw(leaf) if isinstance(leaf, torch.Tensor) else None
        if flaw is not None and not flaw.copyable:
            raise CaptureError(
                f"Argument {path} {flaw.what}, and compiled kernels read memory.",
                flaw.hint,
                name=path,
            )
