"""An artifact's bytes and place -> whether it may run code here.

An artifact can run code, so it loads when this user made it (HMAC-SHA256 over the raw manifest
with a key that only this user can read, and nobody else can replace the file), or when the caller
pins exactly these bytes. This does not stop an attacker who already runs as the same user.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256

from ..errors import ArtifactUntrusted
from ..frozen import NamedTuple
from . import limits
from .key import read_key
from .ownership import exposure
from .parse import is_digest

_ALGORITHM = b"hmac-sha256 "


class Verdict(NamedTuple):
    """What is known about where an artifact comes from.

    ``state`` is ``"own"`` (signed by this user, in a place only this user can change),
    ``"pinned"``, ``"unsigned"``, ``"other"`` (another key), ``"altered"`` (this user's key, but
    the manifest changed since), ``"exposed"`` (own, but others can replace it) or ``"unknown"``
    (this user's key cannot be used).
    """

    state: str
    why: str
    hint: str = ""

    @property
    def is_trusted(self) -> bool:
        """Whether it may run code here."""
        return self.state in ("own", "pinned")


def sign(raw_manifest: bytes, key: bytes) -> bytes:
    """The content of `manifest.sig`: algorithm, key id and HMAC, as one line of ASCII."""
    mac = hmac.digest(key, raw_manifest, "sha256").hex()
    return f"hmac-sha256 {key_id(key)} {mac}\n".encode("ascii")


def key_id(key: bytes) -> str:
    """Which key it was, without a hint at the key: tells "another user" from "altered"."""
    return sha256(b"ipy_fastcompile key id\0" + key).hexdigest()[:16]


def judge(path: str, status: os.stat_result, raw_manifest: bytes, signature: bytes) -> Verdict:
    """Where the artifact at ``path`` comes from; ``signature`` is empty when it has none.

    Raises `KeyFileError` when this user's key exists but is exposed, foreign or damaged.
    """
    if not signature:
        return Verdict("unsigned", "it is unsigned", "Save it again where a key can be kept.")
    if len(signature) != limits.SIGNATURE_BYTES or not signature.startswith(_ALGORITHM):
        return Verdict("other", "its signature is of a kind this version does not know")
    key = read_key()
    if key is None:
        return Verdict("other", "it was signed elsewhere: this user has no signing key yet")
    if not hmac.compare_digest(sign(raw_manifest, key), signature):
        start = len(_ALGORITHM)
        if signature[start : start + 16] == key_id(key).encode("ascii"):
            return Verdict("altered", "its manifest was changed after this user signed it")
        return Verdict("other", "it was signed with another user's key")
    problem = exposure(path, status)
    if problem:
        return Verdict("exposed", problem.what, problem.hint)
    return Verdict("own", "it was signed by this user")


def check_pin(path: str, pin: str, digest: str) -> Verdict:
    """Raise `ArtifactUntrusted` unless the file's ``digest`` is exactly the pinned one."""
    pin = str(pin)  # a caller may write True
    if not is_digest(pin.removeprefix("sha256:")) or not pin.startswith("sha256:"):
        raise ArtifactUntrusted(
            f"trust={pin!r:.90} is not a digest.",
            f"Pass trust={digest!r} to load exactly the file that is at {path} now.",
            path=path,
            digest=digest,
        )
    if not hmac.compare_digest(pin, digest):
        raise ArtifactUntrusted(
            f"{path} has the digest {digest}, not the pinned {pin}.",
            "It is another file than the one you meant; get that one, or inspect this one.",
            path=path,
            digest=digest,
            expected=pin,
        )
    return Verdict("pinned", "the caller pinned its digest")


def refuse(path: str, verdict: Verdict, digest: str) -> ArtifactUntrusted:
    """The error for an artifact that may not run code here; it prints the digest."""
    return ArtifactUntrusted(
        f"{path} is not trusted, and loading it would run code: {verdict.why}. "
        f"Its digest is {digest}.",
        f"{verdict.hint} If you know where it comes from, load exactly this file with "
        f"trust={digest!r}.".strip(),
        path=path,
        digest=digest,
        state=verdict.state,
    )
