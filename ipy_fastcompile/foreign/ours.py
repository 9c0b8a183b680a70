"""One of our own artifacts -> the record that others have, to lay the two side by side."""

from __future__ import annotations

from typing import Any

from ..artifact.inspect import EXECUTION as EXECUTION_MEMBER, ArtifactInfo
from ..artifact.kinds import TEXT
from ..errors import ArtifactCorrupt
from .draft import Draft
from .kernels import make_kernel
from .records import EXECUTION, METADATA, OUTPUT, SOURCE, Binary, ForeignArtifact


def as_foreign(info: ArtifactInfo | ForeignArtifact) -> ForeignArtifact:
    """The record of either kind."""
    if isinstance(info, ForeignArtifact):
        return info
    draft = Draft(str(info.path), info.size, "artifact of ipy_fastcompile")
    draft.version = str(info.manifest.get("format", ""))
    draft.sha256 = info.digest.removeprefix("sha256:")
    draft.loads_by = (
        "ipy_fastcompile.load() runs its execution code and machine code, once trusted."
    )
    for label, value in info.outline.stamp.items():
        draft.stamps[str(label)] = str(value)
    program = info.manifest.get("program")
    _values(draft, program if isinstance(program, dict) else {})
    for name, kind in info.kinds.items():
        if kind == TEXT and name.endswith(".py"):
            role = EXECUTION if name == EXECUTION_MEMBER else SOURCE
            draft.text(name, OUTPUT if "output_code" in name else role, "python", info.text(name))
        elif kind == TEXT and not name.endswith(".z"):
            draft.text(name, METADATA, "text", info.text(name))
    for name, (digest, size) in info.manifest["members"].items():
        if name in info.kinds and info.kinds[name] != TEXT:
            draft.binaries.append(Binary(name, info.kinds[name], int(size), str(digest)))
    _kernels(draft, info)
    return draft.finish()


def _values(draft: Draft, program: dict[str, Any]) -> None:
    for row in program.get("parameters", ()):
        if isinstance(row, (list, tuple)) and len(row) > 3:
            name, kind, dtype, shape, *_ = row
            sizes = ", ".join(map(str, shape)) if isinstance(shape, (list, tuple)) else ""
            draft.value(str(kind), str(name), f"{dtype}[{sizes}]")


def _kernels(draft: Draft, info: ArtifactInfo) -> None:
    """The kernels' sources are in the report; an artifact without one has none."""
    try:
        report = info.report
    except ArtifactCorrupt as error:
        draft.miss("report", error.what)
        return
    if report is None:
        draft.miss("kernels", "the artifact was saved without its report, which has their sources")
        return
    draft.kernels.clear()
    for kernel in report.kernels:
        where = f"kernel {kernel.index}"
        draft.text(f"{where}: output code", OUTPUT, "python", kernel.output_code)
        known = {(found.where, found.name) for found in draft.kernels}
        for source in kernel.sources:
            if (f"{where}: output code", source.name) not in known:
                draft.kernels.append(make_kernel(source.name, source.language, source.text, where))
