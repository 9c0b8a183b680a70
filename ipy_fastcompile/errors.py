"""Every exception of the package: one class per mistake, one sentence of what, one of what to do.

All of them derive from `FastCompileError`, so that ``except FastCompileError`` catches what this
package refuses and nothing else. The fields (``path``, ``expected``, ``found``, ...) carry the same
facts as the message, for programs.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any


class FastCompileError(Exception):
    """Base of every error that this package raises on purpose.

    Parameters
    ----------
    what:
        One sentence that says what went wrong, naming the argument, the node or the file.
    hint:
        One sentence that says what to do next.
    facts:
        The same as data; each becomes an attribute of the exception.
    """

    def __init__(self, what: str, hint: str = "", **facts: Any) -> None:
        # A list of facts has a line each, and so has what to do about them.
        super().__init__(("\n" if "\n" in what else " ").join(filter(None, [what, hint])))
        self.what = what
        self.hint = hint
        self.facts = facts

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


# --- model -> artifact ---------------------------------------------------------------------------


class CallError(FastCompileError, ValueError):
    """The call to compile cannot be found or is not a call of a module or function."""


class CaptureError(FastCompileError, RuntimeError):
    """`torch.export` could not capture the model as one graph."""


class SplitError(FastCompileError, ValueError):
    """The graph cannot be split as asked, for instance because no node has the named op."""


class LowerError(FastCompileError, RuntimeError):
    """Inductor could not compile a submodule."""


class CodegenError(FastCompileError, RuntimeError):
    """A node cannot be written as Python source."""


class DiffersFromEager(FastCompileError, RuntimeError):
    """The compiled model gives something else than eager, beyond the tolerance of its dtype."""


class SaveError(FastCompileError, OSError):
    """The artifact could not be written; what was at the path before is untouched."""


# --- artifact -> callable ------------------------------------------------------------------------


class ArtifactError(FastCompileError):
    """Base of everything that can be wrong with an artifact."""


class ArtifactNotFound(ArtifactError, FileNotFoundError):
    """There is no file at the path, or it is not a regular file."""


class ArtifactUnreadable(ArtifactError, OSError):
    """The operating system does not let this process read the file."""


class ArtifactCorrupt(ArtifactError, ValueError):
    """The bytes are not those that were written: truncated, flipped, missing, swapped or added."""


class ContainerCorrupt(ArtifactCorrupt):
    """The file is not one strict ZIP: cut, prefixed, suffixed, with gaps or doubles."""


class ManifestCorrupt(ArtifactCorrupt):
    """`manifest.json` is not such a manifest, or lists other members than the file has."""


class MemberCorrupt(ArtifactCorrupt):
    """A member is missing, or its content is not what the manifest says."""


class ArtifactTooLarge(ArtifactCorrupt):
    """The file, its manifest or its number of members is past what the format allows."""


class ForeignUnreadable(ArtifactCorrupt):
    """The file is neither an artifact of this package nor one of another kind that is known."""


class ArtifactUntrusted(ArtifactError, PermissionError):
    """The artifact was not made by this user, and no digest pins it."""


class ArtifactIncompatible(ArtifactError, RuntimeError):
    """The artifact is whole and trusted, but does not fit this machine or this version."""


class ArtifactStale(ArtifactError, RuntimeError):
    """The artifact is of another model than the one it is loaded for."""


class KeyFileError(FastCompileError, PermissionError):
    """The per-user signing key is missing, unreadable or readable by others."""


class GrammarError(ArtifactCorrupt):
    """A generated text holds something that the generator never writes."""


class ParameterError(FastCompileError, ValueError):
    """A parameter or buffer is missing, or has another dtype, shape or device."""


class OpMissing(FastCompileError, LookupError):
    """An op that a library registers is not registered in this process."""


class TreeTypeMissing(FastCompileError, LookupError):
    """A container type of the inputs or outputs is not registered as a tree in this process."""


class InputError(FastCompileError, ValueError):
    """A call of the compiled function does not fit its signature."""


class NotPicklable(FastCompileError, TypeError):
    """A compiled model or a loaded function cannot go into a pickle; its artifact can be saved."""


class KernelError(FastCompileError, RuntimeError):
    """A kernel failed while it was loaded or run."""


class ModelGone(FastCompileError, ReferenceError):
    """What is asked for needs a model that its owner has let go."""


class HalfImported(FastCompileError, ImportError):
    """A library is in this process only in part, since something interrupted its import."""


# --- processes -----------------------------------------------------------------------------------


class ChildError(FastCompileError, RuntimeError):
    """A process that was asked something ended without an answer, or could not be started."""


class ChildTimeout(ChildError, TimeoutError):
    """A process that was asked something was not done in time, and was ended."""


class ChildStopped(FastCompileError, InterruptedError):
    """A process that was asked something was ended, since its answer is not wanted any more."""


# --- bench ---------------------------------------------------------------------------------------


class BenchError(FastCompileError, ValueError):
    """The bench was asked for something that does not exist, or its results cannot be written."""


# --- cache ---------------------------------------------------------------------------------------


class CacheError(FastCompileError, OSError):
    """The cache directory cannot be used."""


class CacheKeyError(FastCompileError, TypeError):
    """A component of a cache key is not text."""


class CacheMiss(FastCompileError, LookupError):
    """A warm start was demanded, and no entry has the key; the message explains the miss."""


class VerifyError(FastCompileError, ValueError):
    """A verification cannot be made as asked, for instance because its reference is none."""


class FastCompileWarning(UserWarning):
    """Something was handled, and the user should know: a fallback, a miss, a quarantined file."""


# Code that only passes a call on.
_BETWEEN = frozenset({__name__.partition(".")[0], "torch", "contextlib", "functools", "threading"})


def warn_user(what: str) -> None:
    """Give a FastCompileWarning at the line of the user's that led here, in a cell or in a file."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and _top(frame.f_globals) in _BETWEEN:
        level, frame = level + 1, frame.f_back
    warnings.warn(what, FastCompileWarning, stacklevel=level)


def _top(names: dict[str, Any]) -> str:
    return str(names.get("__name__", "")).partition(".")[0]
