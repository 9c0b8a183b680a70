"""Names -> numbers: what a reader of strangers' files spends at most, in one place.

Past any of these a reader stops and says so: what it has read until then is shown.
"""

from __future__ import annotations

# What is read into memory at once: a file that is no ZIP, one member of a ZIP.
MAX_READ_BYTES = 256 * 2**20
# A text that is shown, compared or searched.
MAX_TEXT_BYTES = 16 * 2**20
# All that is read into memory from one ZIP, and the factor by which one member may grow.
MAX_UNPACKED_BYTES = 256 * 2**20
MAX_INFLATION = 200
MAX_MEMBERS = 20_000
MAX_DIRECTORY_BYTES = 8 * 2**20
# The binaries of one folder or ZIP that are digested; the others are listed by size.
MAX_DIGESTED_BYTES = 2**30

# Pickles: an 80-layer model's AOTAutograd entry has about 100,000 opcodes.
MAX_OPCODES = 2_000_000
MAX_VALUES = 500_000
MAX_STACK = 1_000_000
MAX_MEMO = 500_000
MAX_STRING_BYTES = 64 * 2**20
MAX_INTEGER_BYTES = 1_024
MAX_NAME_CHARACTERS = 1_000
MAX_NESTED_PICKLES = 6
MAX_GLOBALS = 5_000
# Of work, and of waiting for a disk or a busy machine.
SECONDS = 10.0
WAITING = 60.0

# JSON: counted before it is parsed, so that no list of lists eats the memory.
MAX_JSON_VALUES = 2_000_000
MAX_JSON_DEPTH = 200

# Folders.
MAX_FILES = 20_000
MAX_FOLDER_DEPTH = 12

# What one record holds: more texts, kernels or rows than these are counted, not kept.
MAX_TEXTS = 2_000
MAX_KERNELS = 5_000
MAX_ROWS = 10_000
MAX_TEXT_TOTAL = 64 * 2**20
