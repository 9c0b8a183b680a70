"""A file -> its verified parts, every byte of them read once.

Order: open (no symbolic link, no waiting) -> regular file -> end record -> read into memory ->
container -> trust (pin, or signature and place) -> manifest -> members, each when it is first
asked for. Nothing here executes, unpickles or extracts anything.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from time import perf_counter
from typing import Any

from ..errors import (
    ArtifactTooLarge,
    ContainerCorrupt,
    KeyFileError,
    MemberCorrupt,
)
from . import limits
from .container import check_crc, parse_container
from .files import path_text, read_file
from .parse import parse_manifest
from .schema.records import Common
from .trust import Verdict, check_pin, judge, refuse


class OpenArtifact:
    """An artifact in memory; its members are verified when they are first read.

    Attributes
    ----------
    path:
        Where it was read from, for messages: nothing is read again.
    manifest:
        `manifest.json` as data; `schema.read_manifest` gives it as records.
    common:
        Its common part.
    names:
        The members, without `manifest.json` and `manifest.sig`, in file order.
    verdict:
        Where it comes from.
    timings:
        Seconds: ``"read"`` (open, read, container, manifest) and ``"verify"`` (place, signature,
        pin, hashes of the members read so far).
    """

    def __init__(
        self,
        path: str,
        data: bytes,
        spans: Mapping[str, tuple[int, int]],
        manifest: dict[str, Any],
        common: Common,
        verdict: Verdict,
        timings: dict[str, float],
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.common = common
        self.names = tuple(common.members)
        self.verdict = verdict
        self.timings = timings
        self._data = memoryview(data)
        self._spans = spans
        self._verified: set[str] = set()

    @property
    def size(self) -> int:
        """Of the whole file, in bytes."""
        return len(self._data)

    @property
    def contents(self) -> memoryview:
        """The bytes of the whole file, as they were read."""
        return self._data

    @cached_property
    def digest(self) -> str:
        """``sha256:<hex>`` of the whole file, as `trust=` takes it."""
        return f"sha256:{sha256(self._data).hexdigest()}"

    def view(self, name: str) -> memoryview:
        """The content of member ``name`` without a copy.

        Raises `MemberCorrupt` when there is no such member, or its SHA-256 is not the manifest's.
        """
        member = self.common.members.get(name)
        if member is None:
            raise MemberCorrupt(
                f"{self.path} has no member {name!r:.200}.",
                "Save the artifact again.",
                path=self.path,
                member=name,
            )
        start, end = self._spans[name]
        content = self._data[start:end]
        if name not in self._verified:
            begun = perf_counter()
            found = sha256(content).hexdigest()
            self.timings["verify"] += perf_counter() - begun
            if found != member.sha256:
                raise MemberCorrupt(
                    f"Member {name} of {self.path} is not what was saved: its SHA-256 is {found}, "
                    f"not {member.sha256}.",
                    "Copy the file again, or save the artifact again.",
                    path=self.path,
                    member=name,
                    expected=member.sha256,
                    found=found,
                )
            self._verified.add(name)
        return content

    def read(self, name: str) -> bytes:
        """The content of member ``name``, verified as by `view`."""
        return bytes(self.view(name))

    def digest_of(self, name: str) -> str:
        """The SHA-256 that the manifest gives of member ``name``; `view` verifies it."""
        return self.common.members[name].sha256

    def size_of(self, name: str) -> int:
        """The size of member ``name`` in bytes, without reading it; 0 when there is none."""
        start, end = self._spans.get(name, (0, 0))
        return end - start

    def verify(self) -> None:
        """Verify every member. Raises `MemberCorrupt` for the first that is not what was saved."""
        for name in self.names:
            self.view(name)


def open_artifact(
    path: str | os.PathLike[str], *, trust: str | None = None, check_trust: bool = True
) -> OpenArtifact:
    """Read an artifact and decide whether it may run code here.

    Parameters
    ----------
    path:
        A regular file; symbolic links are refused.
    trust:
        ``"sha256:<hex>"``: accept exactly the file with this digest, whoever made it.
    check_trust:
        False to read an untrusted artifact too, for inspection; `OpenArtifact.verdict` then says
        what was found.

    Raises
    ------
    ArtifactNotFound, ArtifactUnreadable
        No regular file is at ``path``, or it cannot be read.
    ArtifactCorrupt
        The bytes are not those of one whole artifact.
    ArtifactUntrusted
        It is not this user's, or not the pinned file; the message prints the digest.
    ArtifactIncompatible
        It was written by a newer version.
    KeyFileError
        This user's signing key is exposed, foreign or damaged.
    """
    where = path_text(path)
    begun = perf_counter()
    try:
        data, status = read_file(where)
        spans = parse_container(data, where)
        view = memoryview(data)
        raw, signature = _head(view, spans, where)
    except ContainerCorrupt as error:
        from .stranger import explain_stranger

        raise explain_stranger(where, error) from None
    read = perf_counter() - begun

    begun = perf_counter()
    if trust is not None:
        verdict = check_pin(where, trust, f"sha256:{sha256(data).hexdigest()}")
    else:
        try:
            verdict = judge(where, status, raw, signature)
        except KeyFileError as error:
            if check_trust:
                raise
            verdict = Verdict("unknown", error.what, error.hint)
    if check_trust and not verdict.is_trusted:
        raise refuse(where, verdict, f"sha256:{sha256(data).hexdigest()}")
    verify = perf_counter() - begun

    begun = perf_counter()
    manifest, common = parse_manifest(raw, spans, where, is_hostile=verdict.state != "own")
    read += perf_counter() - begun
    timings = {"read": read, "verify": verify}
    return OpenArtifact(where, data, spans, manifest, common, verdict, timings)


def _head(view: memoryview, spans: Mapping[str, tuple[int, int]], path: str) -> tuple[bytes, bytes]:
    """The raw manifest and signature, their CRCs checked.

    The CRC tells damage from a forgery, which the signature alone cannot.
    """
    names = list(spans)
    if names[:1] != [limits.MANIFEST]:
        raise ContainerCorrupt(
            f"{path} is not an artifact: its first member is not {limits.MANIFEST}.",
            "Name a file that save wrote.",
            path=path,
        )
    start, end = spans[limits.MANIFEST]
    if end - start > limits.MAX_MANIFEST_BYTES:
        raise ArtifactTooLarge(
            f"The manifest of {path} has {end - start} bytes, more than "
            f"{limits.MAX_MANIFEST_BYTES}.",
            "It was not written by this package; save the artifact again.",
            path=path,
        )
    check_crc(view, spans[limits.MANIFEST], limits.MANIFEST, path)
    raw = bytes(view[start:end])
    if limits.SIGNATURE not in spans:
        return raw, b""
    if names[1] != limits.SIGNATURE:
        raise ContainerCorrupt(
            f"{path} is not an artifact: {limits.SIGNATURE} is not its second member.",
            "Save the artifact again.",
            path=path,
        )
    check_crc(view, spans[limits.SIGNATURE], limits.SIGNATURE, path)
    start, end = spans[limits.SIGNATURE]
    return raw, bytes(view[start : min(end, start + limits.SIGNATURE_BYTES + 1)])
