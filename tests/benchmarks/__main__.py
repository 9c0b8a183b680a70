"""``python -m tests.benchmarks ...``, in a clone."""

import sys

from ipy_fastcompile.__main__ import run
from tests.benchmarks import main

sys.exit(run(main, sys.argv[1:]))
