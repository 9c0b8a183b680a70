"""the frames above a question about sizes -> who asked it.

torch.fx.experimental, torch._ops and others, by the names of their files; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from .. import directories
from . import written_sizes


def is_convolution() -> bool:
    """Whether a question about sizes decides which backend runs a convolution."""
    frame: Any = sys._getframe(3)
    while frame is not None:
        file = frame.f_code.co_filename
        if "fx/experimental/" not in file and not file.endswith("torch/__init__.py"):
            return bool(frame.f_code.co_name == "conv" and file.endswith("fake_impls.py"))
        frame = frame.f_back
    return False


_ASKERS = ("fx/experimental/", "__init__.py", "utils/_", "_logging/", "_guards.py", "_compile.py")
_OPS = ("_ops.py", "_subclasses/", "_refs/", "_prims", "_meta_registrations.py", "_decomp/",
        "_library/", "_higher_order_ops/", "_export/", "export/", "_tensor.py")  # fmt: skip


def is_op() -> bool:
    """Whether a question about sizes is one of torch's Python implementations of ops."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(directories.TORCH):
            return False
        inside = file.removeprefix(directories.TORCH)
        if not inside.startswith(_ASKERS):
            return inside.startswith(_OPS)
        frame = frame.f_back
    return False


def users_frames() -> Iterator[tuple[str, int, str]]:
    """(file, line, function) of the frames above ours that are not torch's, innermost first."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        is_between = file == written_sizes.__file__ or frame.f_code.co_name == "__torch_function__"
        if file.startswith(directories.OWN) and not is_between:
            return
        if not file.startswith((directories.TORCH, directories.OWN)):
            yield file, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back
