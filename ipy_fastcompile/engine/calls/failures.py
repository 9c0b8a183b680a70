"""an exception of torch.export -> a CaptureError that names the user's line and what to do."""

from __future__ import annotations

import os
import traceback

from ... import directories
from ...errors import CaptureError, FastCompileError
from .reasons import Failure, reason_of

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
    frames = traceback.extract_tb(error.__traceback__)
    line = (frame.line or "").strip() if frame else ""
    failure = Failure(
        name=name,
        kind=type(error).__name__,
        text=str(error).strip(),
        where=_place(frame),
        line=line,
        is_own=bool(frames) and _is_users(frames[-1]),
        error=error,
    )
    what, hint = reason_of(failure)
    return CaptureError(what, hint, frame=frame, kind=failure.kind)


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
