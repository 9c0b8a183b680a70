"""model + call -> the cached compile if there is one, else a compile that is then cached.

`ipy_fastcompile.compile` never looks at the cache; this does, and the magics call this.
"""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..artifact import OpenArtifact, SavedArtifact
from ..artifact.atomic import write_atomically
from ..artifact.inert import inert
from ..artifact.inspect import ArtifactInfo
from ..artifact.save import savable_path
from ..engine.calls.asked_kinds import Kind, asked_kinds
from ..engine.calls.preflight import check_kind
from ..engine.reloadable import ReloadableModel
from ..engine.stages import OnProgress
from ..errors import ArtifactError, CacheMiss, CallError, FastCompileError, KeyFileError, warn_user
from ..explained import lacks_records
from ..frozen import frozen
from ..interrupts import interrupts_deferred
from ..records import Report
from ..runtime.load import load_parts
from ..runtime.loaded import LoadedFunction
from ..runtime.wrappers import unwrapped
from ..views import view_of
from .keepable import keepable
from .key.call import UNCOVERED, CallKey, make_key
from .key.components import Key
from .store import Hit, Miss, Store

_UNCOVERED = 10  # of what no key covers, shown at once


@frozen
class CachedResult:
    """A compile, from the cache or not.

    ``why_miss`` says why not in a few lines, and ``miss_details`` has all that differs from the
    nearest entry, where that is more.
    """

    model: ReloadableModel
    key: str  # 64 hexadecimal digits
    hit: bool
    why_miss: tuple[str, ...] = ()
    miss_details: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<cache {'hit' if self.hit else 'miss'} {self.key[:12]}: {self.model!r}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("CachedResult._repr_mimebundle_")(self)
        return bundle

    def __str__(self) -> str:
        if self.hit:
            return f"cache hit: {self.key[:12]}"
        return "\n".join([f"cache miss: {self.key[:12]}", *(f"  {why}" for why in self.why_miss)])


class CachedModel(ReloadableModel):
    """A model from the cache: all that a `CompiledModel` is but the objects of its stages."""

    parts: OpenArtifact

    def __init__(
        self,
        model: Callable[..., Any],
        artifact: OpenArtifact,
        report: Report,
        function: LoadedFunction,
    ) -> None:
        super().__init__(model, artifact, report)
        self._function = function

    def __getattr__(self, name: str) -> Any:
        hint = ""
        if name in ("captured", "split_graph", "lowered", "code", "programs"):
            hint = "; a model from the cache has none, compile it anew (--force, force=True)"
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def write(self, file: str | os.PathLike[str]) -> SavedArtifact:
        """Write the entry's own bytes, which this user signed when it was compiled."""
        path = savable_path(file)
        write_atomically(path, self.parts.contents)
        return SavedArtifact(path, self.parts.digest, self.parts.size, signed=True)


def compile_cached(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    calls: Sequence[Kind] | None = None,
    dynamic: Mapping[str, Any] | str | None = None,
    split_at: Any = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
    progress: OnProgress | None = None,
    store: Store | None = None,
    force: bool = False,
    assert_warm: bool = False,
    explain: bool = False,
) -> CachedResult:
    """The compile of this call from the cache, or a new one that is put there.

    Parameters
    ----------
    model, args, kwargs, calls, dynamic, split_at, sizes, progress:
        As `ipy_fastcompile.compile` takes them.
    store:
        The cache; this user's by default.
    force:
        Compile even if there is an entry, and replace it.
    assert_warm:
        Raise instead of compiling.
    explain:
        Compile also what is in the cache without a record of its passes and fusions, and keep the
        new compile in its place.

    Returns
    -------
    The result, whose ``model`` has ``report.cache`` ("hit" or "miss"), ``report.key``,
    ``report.why_miss`` and ``report.miss_details``. A new compile was compared with eager:
    ``report.difference`` says in words what is beyond the tolerance, and is empty where nothing is.

    Raises
    ------
    CacheMiss
        With ``assert_warm``, when there is no entry that can be used; it says why.
    CallError, CaptureError, SplitError, LowerError, CodegenError
        As `ipy_fastcompile.compile` does.

    Warns
    -----
    FastCompileWarning
        When an entry is damaged, foreign or does not load, or the result is not kept: the
        directory does not take it, a submodule runs uncompiled, or it differs from eager (see
        `keepable`).
    """
    if force and assert_warm:
        raise CallError(
            "force asks for a compile, and assert_warm forbids one.", "Leave one of them out."
        )
    if explain and assert_warm:
        raise CallError(
            "explain may ask for a compile, and assert_warm forbids one.", "Leave one of them out."
        )
    if store is not None and not isinstance(store, Store):
        raise CallError(f"store is {store!r:.60}, which is no Store.", "Pass Store(directory).")
    check_kind(model)
    store = store or Store()
    asked_kinds(args, kwargs, dynamic, calls)
    options: dict[str, Any] = {
        "calls": calls, "dynamic": dynamic, "split_at": split_at, "sizes": sizes,
    }  # fmt: skip
    wanted = _key_of(unwrapped(model), args, kwargs, options)
    return cached_by_key(
        wanted, model, args, kwargs, {**options, "progress": progress, "explain": explain},
        store=store, force=force, assert_warm=assert_warm,
    )  # fmt: skip


def cached_by_key(
    wanted: CallKey,
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    *,
    store: Store,
    force: bool = False,
    assert_warm: bool = False,
) -> CachedResult:
    """What `compile_cached` does once the key is known; ``options`` are those of `compile`."""
    explain = bool(options.get("explain"))
    why, details = _why_not(wanted, force=force), tuple[str, ...]()
    if not why:
        found = _look_up(store, wanted.key, model, explain=explain)
        if isinstance(found, CachedModel):
            return CachedResult(found, wanted.key.digest, hit=True)
        why, details = found.lines, found.details
    if assert_warm:
        head = f"cache miss: no entry {wanted.key.digest[:12]} can be used"
        more = [f"all that differs is in the error's details, {len(details)} lines"]
        raise CacheMiss(
            "\n".join([head, *why, *(more if details else ())]),
            "Compile it, without assert_warm."
            if wanted.uncovered
            else "Compile it once to fill the cache.",
            key=wanted.key.digest,
            details=details,
        )

    with interrupts_deferred():  # sympy, which only a compile needs, must not stay half
        from .build import build, write_entry
    build_it = partial(build, model, args, kwargs, options, wanted.key, why, details)
    if wanted.uncovered:  # no key would ever match it
        return CachedResult(
            build_it(), wanted.key.digest, hit=False, why_miss=why, miss_details=details
        )
    with store.lock(wanted.key):
        if not force and store.path_of(wanted.key.digest).exists():
            # Another process compiled it while this one waited.
            found = _look_up(store, wanted.key, model, explain=explain)
            if isinstance(found, CachedModel):
                return CachedResult(found, wanted.key.digest, hit=True)
        compiled = build_it()
        refusal = keepable(compiled)
        if refusal:
            warn_user(f"The result is not cached: {inert(refusal)}.")
        else:
            store.put(wanted.key, partial(write_entry, compiled, wanted.key))
    return CachedResult(compiled, wanted.key.digest, hit=False, why_miss=why, miss_details=details)


def _key_of(
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> CallKey:
    """The key of a call, or one that matches nothing where the user's objects resist."""
    try:
        return make_key(model, args, kwargs, **options)
    except Exception as error:  # noqa: BLE001 - an object may do anything when it is looked at
        what = f"{type(error).__name__} while its objects were looked at: {error}"
        warn_user(f"This call is not cached: {inert(what)}")
        return CallKey(Key({UNCOVERED: f"{what}\n{uuid.uuid4()}"}), (what,))


def _why_not(wanted: CallKey, *, force: bool) -> tuple[str, ...]:
    """Why the cache is not even asked, a fact a line; nothing when it is."""
    if wanted.uncovered:
        head = "this call cannot be cached: its key would not cover all that it reaches"
        told = [f"uncovered: {inert(what)}" for what in wanted.uncovered[:_UNCOVERED]]
        rest = len(wanted.uncovered) - _UNCOVERED
        return (head, *told, *([f"and {rest} more"] if rest > 0 else []))
    return ("a new compile was asked for",) if force else ()


def _look_up(
    store: Store, key: Key, model: Callable[..., Any], *, explain: bool
) -> CachedModel | Miss:
    """The entry of ``key``, loaded along the native path; a miss, with a warning, if that fails.

    With ``explain`` an entry whose kernels lack the records is a miss, too.
    """
    found = store.lookup(key)
    if isinstance(found, Miss):
        return found
    try:
        loaded = _load(found, model)
        if explain and not _is_explained(loaded.report):
            return Miss(key, "NotExplained", "passes and fusions of its kernels were not recorded")
        return loaded
    except (ArtifactError, KeyFileError) as error:
        return store.reject(key, error)
    except FastCompileError as error:
        warn_user(
            f"A cache entry does not load here ({type(error).__name__}): {error} "
            "It is compiled again."
        )
        return Miss(key, type(error).__name__, str(error))


def _is_explained(report: Report) -> bool:
    """Whether all was recorded of the kernels that an explaining compile would record."""
    kernels = [k for each in report.programs or (report,) for k in each.kernels]
    return not any(lacks_records(kernel.explained) for kernel in kernels)


def _load(hit: Hit, model: Callable[..., Any]) -> CachedModel:
    function = load_parts(hit.artifact, model, on_mismatch="recompile")
    report = ArtifactInfo(hit.artifact).report
    if report is None:
        raise ArtifactError(f"{hit.path} holds no report.", "It will be replaced.")
    report = dataclasses.replace(
        report, key=hit.key.digest, cache="hit", why_miss=(), miss_details=()
    )
    return CachedModel(model, hit.artifact, report, function)
