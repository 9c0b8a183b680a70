"""Names -> numbers: what the format allows, in one place.

A file past any of these is refused before anything is allocated for it; saving refuses the same.
"""

from __future__ import annotations

FORMAT = "ipy_fastcompile"
FORMAT_VERSION = 3

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
BLOBS = "blobs/"

# ZIP without its 64-bit extension ends at 4 GiB; half of that also fits a signed 32-bit offset.
MAX_FILE_BYTES = 2**31 - 1
# An 80-layer model has about 40 members and a manifest of 150 kB.
MAX_MEMBERS = 10_000
MAX_MANIFEST_BYTES = 8 * 2**20
MAX_MANIFEST_DEPTH = 64
MAX_NAME_BYTES = 200
# "hmac-sha256 <16 hex> <64 hex>\n"
SIGNATURE_BYTES = 94

KEY_BYTES = 32
# The texts of a cache key before compression; those of a model from transformers are 0.5 MB.
MAX_KEY_BYTES = 64 * 2**20

CACHE_CAP_BYTES = 5 * 10**9
TEMPORARY_SECONDS = 3600
QUARANTINE_SECONDS = 7 * 24 * 3600
LOCK_SECONDS = 600.0
