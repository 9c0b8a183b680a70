"""an exception of torch.export -> a CaptureError that names the user's line and what to do."""

from __future__ import annotations

import os
import traceback

from ... import directories
from ...errors import CaptureError, FastCompileError
from .reasons import Failure, is_of_the_model, reason_of

# Standard library that only passes a call on.
_BETWEEN = tuple(os.sep + name for name in ("contextlib.py", "functools.py"))


def user_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of an error that is neither torch's nor ours: the user's line."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_users(frame):
            return frame
    return None


def _is_users(frame: traceback.FrameSummary) -> bool:
    name = frame.filename
    if name.startswith((directories.TORCH, directories.OWN)) or name.endswith(_BETWEEN):
        return False
    # What is typed into IPython or Python has such a name; generated code has, too.
    return not name.startswith("<") or name.startswith(("<ipython", "<stdin"))


def explain_failure(error: Exception, name: str) -> FastCompileError:
    """Say in one sentence what `torch.export` could not do with the model of this name."""
    own = _own_error(error)
    frame = user_frame(error)
    if own is not None:
        return _calls_compiled(own, name, _place(frame)) or own
    what, hint = reason_of(_failure(error, name))
    return CaptureError(what, hint, frame=frame, kind=type(error).__name__)


def is_final(error: Exception, name: str) -> bool:
    """Whether a model would be refused by whatever way it is captured."""
    own = _own_error(error)
    if own is not None:
        return "is_of_export" not in own.facts
    return is_of_the_model(_failure(error, name))


def _failure(error: Exception, name: str) -> Failure:
    frame = user_frame(error)
    frames = traceback.extract_tb(error.__traceback__)
    return Failure(
        name=name,
        kind=type(error).__name__,
        text=str(error).strip(),
        where=_place(frame),
        line=(frame.line or "").strip() if frame else "",
        is_own=bool(frames) and _is_users(frames[-1]),
        error=error,
    )


def _place(frame: traceback.FrameSummary | None) -> str:
    """`` at model.py:12 in forward: x.sum()``; nothing where no line is the user's."""
    if frame is None:
        return ""
    return f" at {frame.filename}:{frame.lineno} in {frame.name}: {(frame.line or '').strip()}"


def _calls_compiled(own: FastCompileError, name: str, where: str) -> CaptureError | None:
    """The error of a compiled function that was called while what calls it was captured."""
    if isinstance(own, CaptureError) or "tracer" not in own.facts:
        return None
    return CaptureError(
        f"{name} calls a function that is compiled already{where}: its kernels cannot become part "
        "of another graph.",
        "Let it call the model that this function was made of, and compile both as one.",
    )


def _own_error(error: BaseException | None) -> FastCompileError | None:
    """What we raised ourselves while export ran, however deep export has wrapped it."""
    while error is not None:
        if isinstance(error, FastCompileError):
            return error
        error = error.__cause__ or error.__context__
    return None
