"""A path -> who else could replace what is there.

The rule of OpenSSH's StrictModes, with three allowances: a root-owned sticky directory (`/tmp`), a
group that holds this user alone (what umask 002 gives on Debian, Ubuntu and Fedora), and root's
directories in a container that has no number for root. Every load walks two paths, so that they are
text here: pathlib takes five times as long.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..frozen import NamedTuple

_MAX_LINKS = 40  # as Linux


class Exposure(NamedTuple):
    """A way another user could have put the file there: the end of a sentence, and a remedy."""

    what: str
    hint: str


def exposure(path: str, status: os.stat_result) -> Exposure | None:
    """How another user could change the open file ``status`` or replace it at ``path``.

    Directories and symbolic links on the way are checked as well. None where nobody but this user
    and root can, and on systems without POSIX owners.
    """
    if os.name != "posix":
        return None
    try:
        return _problem(path, status) or _walk(os.path.join(os.getcwd(), os.path.dirname(path)), 0)
    except OSError as error:
        return Exposure(
            f"the way to it cannot be checked ({error.strerror or error})", "Move the file."
        )


def _walk(directory: str, links: int) -> Exposure | None:
    """Check every directory from the root down, following symbolic links by hand."""
    here = "/"
    problem = _problem(here, os.lstat(here))
    parts = [part for part in directory.split("/") if part not in ("", os.curdir)]
    for position, part in enumerate(parts):
        if problem:
            return problem
        if part == os.pardir:
            here = os.path.dirname(here)
            continue
        parent, here = here, f"{here.rstrip('/')}/{part}"
        status = os.lstat(here)
        if stat.S_ISLNK(status.st_mode):
            if not (_is_ours(status.st_uid) or _stands_for_root(status.st_uid)):
                return _foreign(here, status.st_uid)
            if links >= _MAX_LINKS:
                return Exposure(f"{here} is one of too many symbolic links", "Move the file.")
            rest = os.path.join(parent, os.readlink(here), *parts[position + 1 :])
            return _walk(rest, links + 1)
        problem = _problem(here, status)
    return problem


def _problem(path: str, status: os.stat_result) -> Exposure | None:
    is_file = stat.S_ISREG(status.st_mode)
    if not (_is_ours(status.st_uid) or (not is_file and _stands_for_root(status.st_uid))):
        return _foreign(path, status.st_uid)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode) and mode & stat.S_ISVTX:
        return None  # entries of a sticky directory are their owners', who are checked in turn
    if mode & stat.S_IWOTH:
        return Exposure(f"everybody may write to {path}", f"Run: chmod o-w '{path}'.")
    if mode & stat.S_IWGRP and not _is_private_group(path, status.st_gid):
        return Exposure(f"group {status.st_gid} may write to {path}", f"Run: chmod g-w '{path}'.")
    return None


def _foreign(path: str, owner: int) -> Exposure:
    return Exposure(f"{path} belongs to user {owner}", "Copy the file to a directory of your own.")


def _is_ours(owner: int) -> bool:
    return owner in (0, os.geteuid())


def _stands_for_root(owner: int) -> bool:
    """Whether root's files show as ``owner``, as in a container where root has no number.

    Unprivileged containers (Apptainer, Bubblewrap) map this user alone; everybody else's files,
    and with them ``/`` and ``/home``, then belong to the overflow user. See user_namespaces(7).
    """
    try:
        overflow = int(Path("/proc/sys/fs/overflowuid").read_bytes())
        mapped = [line.split() for line in Path("/proc/self/uid_map").read_bytes().splitlines()]
        root_is_mapped = any(int(first) == 0 for first, _, _ in mapped)
    except (OSError, ValueError):
        return False
    return owner == overflow and bool(mapped) and not root_is_mapped


def _is_private_group(path: str, group: int) -> bool:
    """Whether this user is the only member of the group, and no access list adds others."""
    import grp
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid())
        entry = grp.getgrgid(group)
    except KeyError:
        return False
    if user.pw_gid != group or entry.gr_name != user.pw_name or set(entry.gr_mem) - {user.pw_name}:
        return False
    try:
        # With an access list the group bits are its mask, and name nobody in particular.
        return "system.posix_acl_access" not in os.listxattr(path)
    except (OSError, AttributeError):
        return True
