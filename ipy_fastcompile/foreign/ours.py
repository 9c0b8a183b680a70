"""One of our own artifacts -> the record that others have, to lay the two side by side."""

from __future__ import annotations

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
    draft.version = info.common.format
    draft.sha256 = info.digest.removeprefix("sha256:")
    draft.loads_by = (
        "ipy_fastcompile.load() runs its execution code and machine code, once trusted."
    )
    for label, value in info.outline.stamp.items():
        draft.stamps[str(label)] = str(value)
    for spec in info.outline.tensors:
        draft.value(spec.kind, spec.name, f"{spec.dtype}[{', '.join(map(str, spec.shape))}]")
    for name, kind in info.kinds.items():
        if kind == TEXT and name.endswith(".py"):
            is_execution = name.rpartition("/")[2] == EXECUTION_MEMBER
            role = EXECUTION if is_execution else SOURCE
            draft.text(name, OUTPUT if "output_code" in name else role, "python", info.text(name))
        elif kind == TEXT and not name.endswith(".z"):
            draft.text(name, METADATA, "text", info.text(name))
    for name, member in info.common.members.items():
        if info.kinds[name] != TEXT:
            draft.binaries.append(Binary(name, info.kinds[name], member.size, member.sha256))
    _kernels(draft, info)
    return draft.finish()


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
    told: set[tuple[str, str]] = set()
    programs = report.programs or (report,)
    for name, kernel in [(p.name, k) for p in programs for k in p.kernels]:
        key = kernel.digest, kernel.output_code
        if key in told:  # programs share it
            continue
        told.add(key)
        where = f"{name}: kernel {kernel.index}" if name else f"kernel {kernel.index}"
        draft.text(f"{where}: output code", OUTPUT, "python", kernel.output_code)
        known = {(found.where, found.name) for found in draft.kernels}
        for source in kernel.sources:
            if (f"{where}: output code", source.name) not in known:
                draft.kernels.append(make_kernel(source.name, source.language, source.text, where))
