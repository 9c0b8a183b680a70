"""An entry, what a race of it found -> the same entry, whose report tells it from the next hit on.

An entry is written when its compile is done, and a race takes much longer.
"""

from __future__ import annotations

from ..artifact.inspect import REPORT, ArtifactInfo
from ..artifact.manifest import COMMON
from ..artifact.open import open_artifact
from ..artifact.save import save_artifact
from ..artifact.squeeze import squeeze
from ..errors import ArtifactError, KeyFileError
from ..records import ReloadRecord
from .key.components import KEY_MEMBER, Key
from .store import Store


def keep_race(store: Store, digest: str, records: tuple[ReloadRecord, ...]) -> bool:
    """Write ``records`` into the report of an entry; whether there was one to write to.

    Nothing is done where another process holds the key: it compiles what replaces the entry.
    """
    path = store.path_of(digest)
    try:
        artifact = open_artifact(path)
        report = ArtifactInfo(artifact).report
        key = Key.from_member(artifact.read(KEY_MEMBER), str(path))
        members = {name: artifact.read(name) for name in artifact.names}
    except (ArtifactError, KeyFileError):
        return False  # removed meanwhile, or the next lookup says what is wrong with it
    if report is None or key.digest != digest:
        return False
    manifest = {name: value for name, value in artifact.manifest.items() if name not in COMMON}
    raced = report.with_reloads(records)
    members[REPORT] = squeeze(raced.to_json().encode())
    with store.lock(key, 0.0, warn=False) as held:
        return held and store.put(key, lambda to: save_artifact(to, manifest, members)) is not None
