"""A caller's manifest and members -> the raw bytes of `manifest.json`; `parse` is the way back.

The common part (`format`, `package`, `created`, `members`) is this package's; every other
top-level key belongs to the caller and passes through untouched.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from ..errors import SaveError
from ..version import __version__
from . import limits

COMMON = ("format", "package", "created", "members")


def blob_name(data: bytes) -> str:
    """The member name of a binary: ``blobs/<sha256>``, so that equal contents are stored once."""
    return limits.BLOBS + sha256(data).hexdigest()


def write_manifest(manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> bytes:
    """The raw bytes of `manifest.json`: ASCII, one top-level key a line, the common part first.

    Raises `SaveError` when ``manifest`` is not plain JSON data, or names a key of the common part.
    """
    taken = sorted(set(COMMON) & manifest.keys())
    if taken:
        raise SaveError(
            f"The manifest key {taken[0]!r} is written by save_artifact itself.",
            "Leave it out of manifest=.",
            key=taken[0],
        )
    table = {}
    for name, data in members.items():
        digest = sha256(data).hexdigest()
        if name in (limits.MANIFEST, limits.SIGNATURE):
            raise SaveError(f"The member {name} is written by save_artifact itself.", "Rename it.")
        if name.startswith(limits.BLOBS) and name != limits.BLOBS + digest:
            raise SaveError(
                f"The member {name} does not have the digest {digest} of its content.",
                "Name binary members with blob_name(data).",
                member=name,
            )
        table[name] = [digest, len(data)]
    common = {
        "format": f"{limits.FORMAT}/{limits.FORMAT_VERSION}",
        "package": __version__,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "members": table,
    }
    lines = []
    for key, value in {**common, **manifest}.items():
        if not isinstance(key, str):
            raise SaveError(f"The manifest key {key!r} is not a string.", "Use str keys.", key=key)
        lines.append(f"{json.dumps(key)}:{_plain_json(key, value)}")
    raw = ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")
    if len(raw) > limits.MAX_MANIFEST_BYTES:
        raise SaveError(
            f"The manifest has {len(raw)} bytes, more than {limits.MAX_MANIFEST_BYTES}.",
            "Move long texts into members.",
        )
    return raw


def _plain_json(key: str, value: Any) -> str:
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SaveError(
            f"The manifest entry {key!r} is not plain JSON data: {error}.",
            "Use dicts with str keys, lists, strings, finite numbers, booleans and None.",
            key=key,
        ) from error
    _check_plain(key, value, 1)
    return text


def _check_plain(key: str, value: Any, depth: int) -> None:
    """`json.dumps` turns keys such as 1 or None into strings and tuples into lists; say so."""
    if depth > limits.MAX_MANIFEST_DEPTH:
        raise SaveError(
            f"The manifest entry {key!r} is nested deeper than {limits.MAX_MANIFEST_DEPTH}.",
            "Flatten it, or store it as a member.",
            key=key,
        )
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise SaveError(
                    f"The manifest entry {key!r} has the key {name!r}, which is not a string.",
                    "JSON would turn it into one silently; use str keys.",
                    key=key,
                )
            _check_plain(key, item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_plain(key, item, depth + 1)
