"""``cache ls | show | why | diff | prune | clear | path`` -> the cache, seen and cleaned."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from ..artifact.inert import inert
from ..artifact.units import format_bytes
from ..errors import CacheError
from .entries import Entry
from .store import Store
from .sweep import Pruned

_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def main(arguments: list[str]) -> int:
    """Print what the sub-command says; 0."""
    for line in answer(_parser().parse_args(arguments)):
        sys.stdout.write(f"{line}\n")
    return 0


def answer_words(words: list[str]) -> Iterator[str]:
    """What a sub-command says, for a caller without a command line. Raises `CacheError`."""
    return answer(_parser(_Quiet).parse_args(words))


def answer(options: argparse.Namespace) -> Iterator[str]:
    """The lines of a sub-command."""
    return _COMMANDS[options.command](Store(options.directory), options)


def list_lines(entries: tuple[Entry, ...], cap_bytes: int) -> Iterator[str]:
    """The entries as a table, the most recently used first."""
    for entry in entries:
        what = inert(entry.problem, limit=200) or entry.what
        size = format_bytes(entry.size)
        yield f"{entry.digest[:12]}  {size:>8}  {entry.last_used}  {what}".rstrip()
    noun = "entry" if len(entries) == 1 else "entries"
    total = format_bytes(sum(entry.size for entry in entries))
    yield f"{len(entries)} {noun}, {total} of {format_bytes(cap_bytes)}"


def pruned_lines(pruned: Pruned) -> Iterator[str]:
    """What a prune did."""
    if pruned.busy:
        yield "nothing removed: another process is pruning, or the directory is read-only"
    yield (
        f"removed {len(pruned.removed)} files, {format_bytes(pruned.freed)}; "
        f"kept {pruned.kept_entries} entries, {format_bytes(pruned.kept_bytes)}"
    )


class _Quiet(argparse.ArgumentParser):
    """Raises instead of printing and ending the process."""

    def error(self, message: str) -> NoReturn:
        said = re.search("'([^']*)'", message)  # of a choice that is none, the word comes first
        close = difflib.get_close_matches(said[1], _COMMANDS, n=1) if said else []
        near = f"Did you mean {close[0]}? " if close else ""
        is_choice = said is not None and "invalid choice" in message
        raise CacheError(
            f"The cache has no command {said[1]!r}."
            if said and is_choice
            else f"The cache does not understand this: {message}.",
            near
            + "It knows ls, show KEY, why [KEY], diff A B, prune [--cap SIZE], clear and path.",
        )


def _parser(
    kind: type[argparse.ArgumentParser] = argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    parser = kind(prog="python -m ipy_fastcompile cache", description="See and clean the cache.")
    parser.add_argument("--directory", help="another cache than this user's")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ls", help="list the entries, the most recently used first")
    commands.add_parser("path", help="print where the cache is")
    show = commands.add_parser("show", help="read one entry")
    show.add_argument("key", help="the first digits of its key")
    why = commands.add_parser("why", help="what keeps an entry from its nearest neighbour")
    why.add_argument("key", nargs="?", help="the first digits of its key; the newest by default")
    diff = commands.add_parser("diff", help="the key components in which two entries differ")
    diff.add_argument("a")
    diff.add_argument("b")
    prune = commands.add_parser("prune", help="remove leftovers and what is above the cap")
    prune.add_argument("--cap", help="keep at most this much, as in 500MB or 2GB")
    commands.add_parser("clear", help="remove every entry")
    return parser


def _list(store: Store, _: argparse.Namespace) -> Iterator[str]:
    yield from list_lines(store.entries(), store.cap_bytes)


def _path(store: Store, _: argparse.Namespace) -> Iterator[str]:
    yield str(store.directory)


def _show(store: Store, options: argparse.Namespace) -> Iterator[str]:
    yield str(store.show(options.key))


def _why(store: Store, options: argparse.Namespace) -> Iterator[str]:
    key = options.key
    if key is None:
        entries = store.entries()
        if not entries:
            raise CacheError(f"No entry is in {store.directory}.", "Compile something first.")
        key = entries[0].digest
    yield from store.why(key).lines


def _diff(store: Store, options: argparse.Namespace) -> Iterator[str]:
    changes = store.diff(options.a, options.b)
    yield from (str(change) for change in changes)
    if not changes:
        yield "the two keys are equal"


def _prune(store: Store, options: argparse.Namespace) -> Iterator[str]:
    yield from pruned_lines(store.prune(parse_bytes(options.cap) if options.cap else None))


def _clear(store: Store, _: argparse.Namespace) -> Iterator[str]:
    yield from pruned_lines(store.clear())


def parse_bytes(text: str) -> int:
    """``500MB`` as a number of bytes; decimal units. Raises `CacheError`."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kMGT]?B?)\s*", text)
    unit = match[2].removesuffix("B") if match else ""
    if match is None:
        raise CacheError(f"{text!r} is no size.", "Write it as 500MB or 2GB.")
    return int(float(match[1]) * _UNITS[f"{unit}B" if unit else ""])


_COMMANDS: dict[str, Callable[[Store, argparse.Namespace], Iterator[str]]] = {
    "ls": _list,
    "path": _path,
    "show": _show,
    "why": _why,
    "diff": _diff,
    "prune": _prune,
    "clear": _clear,
}
