"""An IPython shell of a test's own, gone when the test is."""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Iterator

import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@contextlib.contextmanager
def own_shell() -> Iterator[InteractiveShell]:
    """The only shell of this process while it lasts, without history.

    ``%precision`` sets NumPy's print options for the process: they are put back. IPython keeps
    every shell until the process ends, and walks the whole heap for each of them then: not this.
    """
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    try:
        with np.printoptions():
            yield shell
    finally:
        InteractiveShell.clear_instance()
        atexit.unregister(shell.atexit_operations)
