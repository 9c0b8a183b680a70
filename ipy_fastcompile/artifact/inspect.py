"""An artifact file -> everything readable in it, without torch, without running any of it.

Nothing is unpickled, executed or extracted; an artifact that would not load can be inspected, and
the summary then says that the source it shows is a claim.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import MemberCorrupt
from ..records import Report
from .inert import inert
from .kinds import KINDS, OTHER, PICKLE, kind_of
from .open import OpenArtifact, open_artifact
from .pickles import PickleListing, list_imports
from .squeeze import unsqueeze

REPORT = "report.json.z"
EXECUTION = "execution.py"


@dataclass(frozen=True)
class KernelSummary:
    """What the manifest says of one kernel; ``why`` is empty where it runs natively."""

    index: int
    digest: str
    native: bool
    why: str
    submodules: int


class ArtifactInfo:
    """What can be read in an artifact; `str` gives a summary for a terminal."""

    def __init__(self, artifact: OpenArtifact) -> None:
        self._artifact = artifact
        self.path = artifact.path
        self.manifest = artifact.manifest
        self.names = artifact.names
        self.size = artifact.size
        self.digest = artifact.digest
        self.trust = artifact.verdict

    def text(self, name: str) -> str:
        """The text of member ``name``, as it is in the file: clean it before showing it.

        Raises `MemberCorrupt` when there is no such member, or it is not UTF-8.
        """
        try:
            return self._artifact.read(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise MemberCorrupt(
                f"Member {name} of {self.path} is not text.",
                "Only texts can be shown; `pickles` lists what an opaque member would import.",
                path=self.path,
                member=name,
            ) from error

    @cached_property
    def report(self) -> Report | None:
        """The report of the compile, or None where the artifact was saved without one.

        Raises `MemberCorrupt` when the member is no report of this version.
        """
        if REPORT not in self.names:
            return None
        try:
            return Report.from_json(unsqueeze(bytes(self._artifact.view(REPORT)), REPORT))
        except (ValueError, RecursionError) as error:
            if isinstance(error, MemberCorrupt):
                raise
            raise MemberCorrupt(
                f"Member {REPORT} of {self.path} is not a report of this version: "
                f"{inert(str(error), limit=300)}",
                "Save the artifact again with this version.",
                path=self.path,
                member=REPORT,
            ) from error

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Member -> kind, one of `kinds.KINDS`, from its name and first bytes."""
        return {name: kind_of(name, self._artifact.view(name)) for name in self.names}

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Kind -> bytes."""
        sizes = dict.fromkeys(KINDS, 0)
        for name, kind in self.kinds.items():
            sizes[kind] += self._artifact.size_of(name)
        return sizes

    @cached_property
    def pickles(self) -> Mapping[str, PickleListing]:
        """Opaque member -> the globals that unpickling it would import; it is not unpickled."""
        listings = {}
        for name, kind in self.kinds.items():
            if kind not in (PICKLE, OTHER):
                continue
            content = self._artifact.read(name)
            listing = list_imports(content)
            # Pickles of protocol 0 and 1 have no mark of their own: they parse to their end.
            if kind == PICKLE or (listing.names and not listing.note and content[-1:] == b"."):
                listings[name] = listing
        return listings

    @property
    def model(self) -> str:
        """The name of the model, empty where the manifest has none."""
        model = self.manifest.get("model")
        if isinstance(model, dict):
            model = model.get("name", "")
        return model if isinstance(model, str) else ""

    @property
    def stamp(self) -> Mapping[str, Any]:
        """What the artifact needs of a machine."""
        stamp = self.manifest.get("stamp")
        return stamp if isinstance(stamp, dict) else {}

    @property
    def kernels(self) -> tuple[KernelSummary, ...]:
        """The kernels that the manifest lists."""
        return tuple(
            KernelSummary(
                index=index,
                digest=str(entry.get("digest", "")),
                native=entry.get("native") is True,
                why=str(entry.get("why", "")),
                submodules=_count(entry.get("submodules")) or 0,
            )
            for index, entry in enumerate(_entries(self.manifest.get("kernels")))
        )

    @property
    def submodules_count(self) -> int | None:
        """How many submodules the stitching graph calls, None where the manifest does not say."""
        return _count(self.manifest.get("submodules_count", self.manifest.get("submodules")))

    @property
    def parameters_count(self) -> int | None:
        """How many parameters and buffers of the caller's model it binds."""
        return _count(self.manifest.get("parameters"))

    def __str__(self) -> str:
        from .summary import summary_lines

        return "\n".join(summary_lines(self))

    def __repr__(self) -> str:
        return f"ArtifactInfo({self.path!r}, {self.digest})"


def inspect(file: str | os.PathLike[str]) -> ArtifactInfo:
    """Read an artifact without loading it: no torch, no unpickling, nothing executed.

    Parameters
    ----------
    file:
        Path of a saved artifact, trusted or not.

    Raises
    ------
    ArtifactNotFound, ArtifactUnreadable
        No regular file is there, or it cannot be read.
    ArtifactCorrupt
        It is not one whole artifact; every member is verified.
    ArtifactIncompatible
        A newer version wrote it.
    """
    artifact = open_artifact(file, check_trust=False)
    artifact.verify()
    return ArtifactInfo(artifact)


def _entries(value: Any) -> list[Mapping[str, Any]]:
    items = list(value.values()) if isinstance(value, dict) else value
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _count(value: Any) -> int | None:
    if isinstance(value, (dict, list)):
        return len(value)
    return value if type(value) is int else None
