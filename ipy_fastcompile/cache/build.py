"""a call without an entry -> its compile, compared with eager, and the entry that keeps it.

All that a miss needs beyond a hit is imported here: the engine, and with it sympy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..artifact import save_artifact
from ..artifact.inspect import REPORT
from ..artifact.squeeze import squeeze
from ..engine.compiled import CompiledModel
from ..engine.pack import check_result_types
from ..engine.pipeline import compile
from ..verification.compared import compared
from .key.components import Key


def build(
    model: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    key: Key,
    why: tuple[str, ...],
    details: tuple[str, ...],
) -> CompiledModel:
    """Compile a call and compare it with eager; ``why`` there was no entry is in its report.

    ``options`` are those of `ipy_fastcompile.compile`.
    """
    compiled = compile(model, args, kwargs, **options)
    compiled.report = compared(compiled, model, calls=compiled.kinds)
    # From now on the compile knows its key, and every artifact that it saves.
    manifest = {**compiled.parts.manifest, "key": key.manifest_entry}
    compiled.parts = dataclasses.replace(compiled.parts, manifest=manifest)
    compiled.report = dataclasses.replace(
        compiled.report, key=key.digest, cache="miss", why_miss=why, miss_details=details
    )
    return compiled


def write_entry(compiled: CompiledModel, key: Key, path: str) -> None:
    """Write the artifact with the texts of its key, which explain later misses."""
    check_result_types(compiled.parts)
    report = squeeze(compiled.report.to_json().encode())
    members = {**compiled.parts.members, REPORT: report, **key.members}
    save_artifact(path, compiled.parts.manifest, members)
