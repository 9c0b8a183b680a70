"""this process's environment -> that of a child, which may have no compiler and no cache."""

from __future__ import annotations

import os
from pathlib import Path

# The folder that this package lies in: a child may start elsewhere.
_ROOT = Path(__file__).parents[2]


def child_environment(empty_directory: str | None) -> dict[str, str]:
    """This process's environment, with our package importable; bare when a directory is given.

    Bare is as on a machine that has neither a compiler nor Inductor's cache: an empty ``PATH``,
    ``CXX=/nonexistent``, and the empty directory as ``TORCHINDUCTOR_CACHE_DIR``.
    """
    environment = dict(os.environ)
    path = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH", "")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    if empty_directory is not None:
        environment |= {
            "PATH": "",
            "CXX": "/nonexistent",
            "TORCHINDUCTOR_CACHE_DIR": empty_directory,
        }
    return environment
