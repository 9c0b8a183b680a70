"""A process id -> what the system's table says of it and of its children."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path


def state_of(pid: int) -> str:
    """The letter of a process's state, Z where it has ended; empty where there is none."""
    return _state_and_parent(Path(f"/proc/{pid}"))[0]


def children_of(pid: int) -> dict[int, str]:
    """The states of a process's children by id; those that nobody has waited for are there as Z."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        state, parent = _state_and_parent(folder)
        if parent == pid:
            found[int(folder.name)] = state
    return found


def running_children(pid: int) -> set[int]:
    """The ids of a process's children that have not ended."""
    return {child for child, state in children_of(pid).items() if state != "Z"}


def wait_for_child(pid: int, seconds: float = 60) -> set[int]:
    """The same once there is one; it is waited for this long."""
    deadline = time.monotonic() + seconds
    while not (found := running_children(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def have_ended(pids: Collection[int], seconds: float = 60) -> bool:
    """Whether none of the processes runs any more; they are given this long to end."""
    deadline = time.monotonic() + seconds
    while any(state_of(pid) not in ("", "Z") for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _state_and_parent(folder: Path) -> tuple[str, int]:
    try:
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "", -1
    return state, int(parent)
