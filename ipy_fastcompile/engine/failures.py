"""an exception of torch.export -> a CaptureError that names the user's line and what to do."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import torch

from ..errors import CaptureError, FastCompileError

_TORCH_DIRECTORY = str(Path(torch.__file__).parent) + os.sep
_OWN_DIRECTORY = str(Path(__file__).resolve().parents[1]) + os.sep


def user_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of an error that is neither torch's nor ours: the user's line."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        name = frame.filename
        if name.startswith((_TORCH_DIRECTORY, _OWN_DIRECTORY, "<")) and not name.startswith(
            "<ipython"
        ):
            continue
        if os.sep + "contextlib.py" in name or os.sep + "functools.py" in name:
            continue
        return frame
    return None


def explain_failure(error: Exception, name: str) -> FastCompileError:
    """Say in one sentence what `torch.export` could not do with the model of this name."""
    own = _own_error(error)
    if own is not None:
        return own
    frame = user_frame(error)
    text = str(error).strip()
    line = next((part.strip() for part in text.splitlines() if part.strip()), type(error).__name__)
    where = f" at {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" if frame else ""
    kind = type(error).__name__
    if "GuardOnDataDependent" in kind or "data-dependent" in text:
        what = f"{name} branches on the values in a tensor{where}."
        hint = "Replace the branch by torch.where or torch.cond, or compile the part without it."
    elif "not a known type" in text or "register a pytree" in text:
        what = f"{name} takes or returns a container that is not a registered tree: {line}"
        hint = (
            "Pass use_cache=False to a transformers model, or register the type with "
            "torch.export.register_dataclass."
        )
    elif "Constraints violated" in text or "specialized" in text:
        what = f"A dynamic dimension of {name} cannot be dynamic as asked: {_gist(text)}"
        hint = "Change its range or leave it out of `dynamic`."
    else:
        what = f"torch.export could not capture {name}{where}: {line:.300}"
        hint = "The exception this was raised from has the whole story."
    return CaptureError(what, hint, frame=frame, kind=kind)


def _own_error(error: BaseException | None) -> FastCompileError | None:
    """What we raised ourselves while export ran, however deep export has wrapped it."""
    while error is not None:
        if isinstance(error, FastCompileError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _gist(text: str) -> str:
    lines = [part.strip(" -") for part in text.splitlines() if part.strip()]
    telling = [part for part in lines if "specializ" in part or "range" in part or "valid" in part]
    return (telling or lines)[0][:300]
