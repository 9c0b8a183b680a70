"""a pipe that the asker holds -> this process, and what it started, gone when the asker is.

An asker that is killed ends nothing itself. Its end of the pipe is closed by the system.
"""

from __future__ import annotations

import os
import signal
import threading


def end_with_asker(descriptor: int) -> None:
    """Kill this process's group once nobody holds the other end of the pipe ``descriptor``."""

    def watch() -> None:
        while os.read(descriptor, 1):
            continue
        # A child leads a group of its own; whoever runs its module by hand does not.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
