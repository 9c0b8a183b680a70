"""The raw bytes of `manifest.json` -> a manifest as data, checked against the file it is from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import ArtifactIncompatible, ArtifactTooLarge, ManifestCorrupt
from ..version import __version__
from . import limits
from .schema.records import Common, ManifestData, Member

_DIGITS = "0123456789abcdef"


def is_digest(text: Any) -> bool:
    """Whether ``text`` is a SHA-256 as we write it: 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and len(text) == 64 and not text.strip(_DIGITS)


def parse_manifest(
    raw: bytes, spans: Mapping[str, tuple[int, int]], path: str, *, is_hostile: bool
) -> tuple[dict[str, Any], Common]:
    """The manifest as data, and its common part, checked against the container.

    The depth is measured only where ``is_hostile``: what this user signed went through
    `write_manifest`, and the walk would cost a native load a millisecond.

    Raises `ManifestCorrupt` when the text is not such a manifest or lists other members or sizes
    than the container has, `ArtifactTooLarge`, and `ArtifactIncompatible` for another format.
    """
    if len(raw) > limits.MAX_MANIFEST_BYTES:
        raise ArtifactTooLarge(
            f"The manifest of {path} has {len(raw)} bytes, more than {limits.MAX_MANIFEST_BYTES}.",
            "It was not written by this package; save the artifact again.",
            path=path,
        )
    try:
        manifest = json.loads(raw.decode("ascii"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise _corrupt(path, f"it is not JSON ({str(error) or type(error).__name__})") from error
    if not isinstance(manifest, dict):
        raise _corrupt(path, "it is not a JSON object")
    if is_hostile and not _is_flat_enough(manifest):
        raise _corrupt(path, f"it is nested deeper than {limits.MAX_MANIFEST_DEPTH}")
    check_format(manifest, path)
    for key in ("package", "created"):
        if not isinstance(manifest.get(key), str):
            raise _corrupt(path, f"its {key!r} is not a string")
    members = _read_members(manifest.get("members"), spans, path)
    return ManifestData(manifest), Common(
        manifest["format"], manifest["package"], manifest["created"], members
    )


def _read_members(table: Any, spans: Mapping[str, tuple[int, int]], path: str) -> dict[str, Member]:
    if not isinstance(table, dict):
        raise _corrupt(path, "its 'members' is not an object")
    members = {}
    for name, entry in table.items():
        if not (isinstance(entry, list) and len(entry) == 2):
            raise _corrupt(path, f"its entry for member {name!r:.80} is not [sha256, size]")
        digest, size = entry
        if not (type(size) is int and is_digest(digest)):
            raise _corrupt(path, f"its entry for member {name!r:.80} is not [sha256, size]")
        span = spans.get(name)
        if span is None:
            raise _corrupt(path, f"it lists member {name!r:.80}, which the file lacks")
        if span[1] - span[0] != size:
            raise _corrupt(
                path, f"it gives {size} bytes for member {name}, not {span[1] - span[0]}"
            )
        if name.startswith(limits.BLOBS) and name != limits.BLOBS + digest:
            raise _corrupt(path, f"it gives member {name} another digest than its name")
        members[name] = Member(digest, size)
    unlisted = spans.keys() - members.keys() - {limits.MANIFEST, limits.SIGNATURE}
    if unlisted:
        raise _corrupt(path, f"it does not list member {min(unlisted)}")
    if limits.MANIFEST in members or limits.SIGNATURE in members:
        raise _corrupt(path, "it lists itself")
    return members


def check_format(manifest: Mapping[str, Any], path: str) -> None:
    """Raise `ArtifactIncompatible` for another format, `ManifestCorrupt` for none at all."""
    text = manifest.get("format")
    family, _, version = text.partition("/") if isinstance(text, str) else ("", "", "")
    is_number = version.isascii() and version.isdecimal() and len(version) < 9
    if family != limits.FORMAT or not is_number or version.startswith("0"):
        raise _corrupt(path, f"its 'format' is {text!r:.80}")
    if int(version) < limits.FORMAT_VERSION:
        raise ArtifactIncompatible(
            f"{path} was written by older ipy_fastcompile {manifest.get('package')!r:.40} (format "
            f"{version}; this is format {limits.FORMAT_VERSION}).",
            "Compile and save it again with this version.",
            path=path,
            expected=limits.FORMAT_VERSION,
            found=int(version),
        )
    if int(version) > limits.FORMAT_VERSION:
        raise ArtifactIncompatible(
            f"{path} was written by newer ipy_fastcompile {manifest.get('package')!r:.40} "
            f"(format {version}; this is {__version__} with format {limits.FORMAT_VERSION}).",
            "Upgrade ipy_fastcompile, or save the artifact again with this version.",
            path=path,
            expected=limits.FORMAT_VERSION,
            found=int(version),
        )


def _is_flat_enough(data: Any) -> bool:
    level = [data]
    for _ in range(limits.MAX_MANIFEST_DEPTH + 2):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return True
    return False


def _corrupt(path: str, how: str) -> ManifestCorrupt:
    return ManifestCorrupt(
        f"The manifest of {path} is not in order: {how}.",
        "Copy the file again, or save the artifact again.",
        path=path,
        reason=how,
    )
