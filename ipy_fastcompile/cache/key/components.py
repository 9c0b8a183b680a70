"""Named components -> the key of a cache entry, which can say what a miss is due to.

Whatever may change the compiled result is a component: a name and its text. Two keys are equal
when all of their components are. A text may have sections, each opened by a line
``@@ <label>`` or ``@@ <label>:<first line number>``, so that a difference in it is reported as
``helper.py:44`` (see `section`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from ...artifact import limits
from ...artifact.parse import is_digest
from ...artifact.schema import KeyEntry, read_key
from ...artifact.schema.write import as_data
from ...artifact.squeeze import squeeze, unsqueeze
from ...errors import CacheKeyError, ManifestCorrupt

KEY_MEMBER = "key.json.z"


@dataclass(frozen=True, repr=False)
class Key:
    """The key of a compile. Raises `CacheKeyError` when a component is not text.

    Parameters
    ----------
    components:
        Component name -> text, of one line or many.
    """

    components: Mapping[str, str]

    def __post_init__(self) -> None:
        parts: Mapping[Any, Any] = self.components
        for name, text in parts.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise CacheKeyError(
                    f"The key component {name!r} is {type(text).__name__}, not text.",
                    "Write every component as a string.",
                    component=name,
                )
        object.__setattr__(self, "components", MappingProxyType(dict(self.components)))

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Key {self.digest[:12]}, {len(self.components)} components>"

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """Component -> SHA-256 of its text."""
        return {
            name: sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            for name, text in sorted(self.components.items())
        }

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits; equal for equal components, whatever their order."""
        return _digest(self.digests)

    @property
    def manifest_entry(self) -> dict[str, Any]:
        """What an artifact's manifest holds under ``"key"``: short, since every load parses it."""
        entry: dict[str, Any] = as_data(KeyEntry(self.digest, self.digests))
        return entry

    @property
    def members(self) -> dict[str, bytes]:
        """The member an artifact carries, so that a later miss can be explained by the line."""
        text = json.dumps(dict(self.components), indent=0, sort_keys=True)
        return {KEY_MEMBER: squeeze(text.encode("ascii"))}

    @staticmethod
    def from_member(data: bytes, path: str) -> Key:
        """The key that `members` wrote. Raises `ManifestCorrupt` when it is something else."""
        try:
            components = json.loads(unsqueeze(data, KEY_MEMBER, limit=limits.MAX_KEY_BYTES))
            if not isinstance(components, dict):
                raise TypeError("it is not an object")
            return Key(components)
        except (ValueError, TypeError, RecursionError, CacheKeyError) as error:
            raise ManifestCorrupt(
                f"Member {KEY_MEMBER} of {path} is not a key: {error}",
                "Save the artifact again.",
                path=path,
            ) from error


def section(label: str, text: str, first_line: int = 1) -> str:
    """``text`` as a section of a component; its lines are then reported as ``label:number``."""
    return f"@@ {label}:{first_line}\n{text}\n"


def recorded_digests(manifest: Mapping[str, Any], path: str) -> tuple[str, Mapping[str, str]]:
    """The key's digest and its components' digests, as a manifest records them.

    Raises `ManifestCorrupt` when there is no such entry, or the two do not belong together.
    """
    entry = read_key(manifest)
    if entry is None or not all(map(is_digest, entry.components.values())):
        raise ManifestCorrupt(
            f"The manifest of {path} records no cache key.",
            "Save it with key.manifest_entry under 'key'.",
            path=path,
        )
    if entry.digest != _digest(entry.components):
        raise ManifestCorrupt(
            f"The cache key in the manifest of {path} is not that of its components.",
            "Save the artifact again.",
            path=path,
        )
    return entry.digest, entry.components


def _digest(digests: Mapping[str, str]) -> str:
    return sha256(json.dumps(sorted(digests.items())).encode("ascii")).hexdigest()
