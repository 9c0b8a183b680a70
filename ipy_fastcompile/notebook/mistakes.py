"""Exception -> one sentence, where the user can mend what it says, and nothing held by it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

from .. import errors

# What a user can mend: shown as one sentence. Everything else keeps its traceback.
BAD_INPUT = (
    errors.ArtifactError,
    errors.CacheError,
    errors.CacheMiss,
    errors.CallError,
    errors.CaptureError,
    errors.HalfImported,
    errors.InputError,
    errors.KeyFileError,
    errors.OpMissing,
    errors.ParameterError,
    errors.SaveError,
    errors.SplitError,
    errors.TreeTypeMissing,
)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Raise UsageError, which a shell shows without traceback, for what a user can mend."""
    try:
        yield
    except BAD_INPUT as error:
        raise UsageError(str(error)) from error


def forget_frames(error: BaseException) -> BaseException:
    """``error`` without the frames behind it and behind its causes, whose lines become notes.

    IPython keeps the last error. One that is shown as a sentence would keep the model and the
    inputs of the call with it, unseen.
    """
    seen: list[BaseException] = []
    found: list[BaseException | None] = [error]
    while found:
        one = found.pop()
        if one is None or any(one is other for other in seen):
            continue
        seen.append(one)
        found += [one.__cause__, one.__context__]
        if one is not error and one.__traceback__ is not None and hasattr(one, "add_note"):
            one.add_note("".join(traceback.format_tb(one.__traceback__)))  # from Python 3.11
        one.__traceback__ = None
    return error
