"""An artifact file -> everything readable in it, without torch, without running any of it.

Nothing is unpickled, executed or extracted; an artifact that would not load can be inspected, and
the summary then says that the source it shows is a claim.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property

from ..errors import ArtifactCorrupt, MemberCorrupt
from ..records import Report
from ..views import view_of
from .edited import find_edited
from .inert import inert
from .kinds import KINDS, REPORT_KIND, TEXT, is_native, kind_of, plain_content
from .open import OpenArtifact, open_artifact
from .outline import Outline, read_outline
from .pickles import PickleListing, is_pickle, list_imports
from .summary import summary_lines

REPORT = "report.json.z"
EXECUTION = "execution.py"


class ArtifactInfo:
    """What can be read in an artifact; `str` gives a summary for a terminal."""

    def __init__(self, artifact: OpenArtifact) -> None:
        self._artifact = artifact
        self.path = artifact.path
        self.manifest = artifact.manifest
        self.common = artifact.common
        self.names = artifact.names
        self.size = artifact.size
        self.digest = artifact.digest
        self.trust = artifact.verdict

    def text(self, name: str) -> str:
        """The text of member ``name``, as it is in the file: make it inert before showing it.

        Raises `MemberCorrupt` when there is no such member, or it is not UTF-8.
        """
        try:
            return plain_content(name, self._artifact.view(name)).decode("utf-8")
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

        Raises `ArtifactCorrupt` when the member is no report of this version.
        """
        if REPORT not in self.names:
            return None
        text = self.text(REPORT)
        try:
            return Report.from_json(text)
        except (ValueError, RecursionError) as error:
            raise MemberCorrupt(
                f"Member {REPORT} of {self.path} is not a report of this version: "
                f"{inert(str(error), limit=300)}",
                "Save the artifact again with this version.",
                path=self.path,
                member=REPORT,
            ) from error

    @cached_property
    def outline(self) -> Outline:
        """What the manifest says of the model, its kernels and the use of every member."""
        return read_outline(self.manifest)

    @cached_property
    def edited(self) -> Mapping[str, str]:
        """Generated text -> what is in it that its generator never writes; {} as a rule."""
        return find_edited(self.names, self.text)

    @cached_property
    def kinds(self) -> Mapping[str, str]:
        """Member -> kind, one of `kinds.KINDS`: by its use, else by its name and content."""
        roles = self.outline.roles
        return {
            name: roles.get(name) or kind_of(name, self._artifact.view(name)) for name in self.names
        }

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Kind -> bytes in the file."""
        sizes = dict.fromkeys(KINDS, 0)
        for name, kind in self.kinds.items():
            sizes[kind] += self._artifact.size_of(name)
        return sizes

    @cached_property
    def pickles(self) -> Mapping[str, PickleListing]:
        """Opaque member -> the globals that unpickling it would import; it is not unpickled."""
        listings = {}
        for name, kind in self.kinds.items():
            view = self._artifact.view(name)
            if kind in (TEXT, REPORT_KIND) or is_native(view):
                continue
            try:
                content = plain_content(name, view)
            except ArtifactCorrupt as error:
                listings[name] = PickleListing((), error.what)
                continue
            listing = list_imports(content)
            # Pickles of protocol 0 and 1 have no mark of their own: they parse to their end.
            if is_pickle(content) or (listing.names and not listing.note and content[-1:] == b"."):
                listings[name] = listing
        return listings

    def __str__(self) -> str:
        return "\n".join(summary_lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        bundle: dict[str, str] = view_of("ArtifactInfo._repr_mimebundle_")(self)
        return bundle

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
