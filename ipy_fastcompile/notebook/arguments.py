"""Magic line -> `Options`: split, checked, and refused in one sentence when it does not fit."""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from ..engine.sizes.size_names import dimension_word
from .options import COMPILE_OPTIONS, Option, flags_of
from .outputs import show_text


@dataclass(frozen=True)
class Options:
    """What a ``%fastcompile`` line asks for. ``None`` leaves a setting to its trait."""

    code: str = ""
    output: str | None = None
    save: Path | None = None
    dynamic: Mapping[str, Any] | str | None = None
    split_at: tuple[str, ...] | None = None
    sizes: Mapping[str, list[int]] | None = None
    model: str | None = None
    force: bool = False
    assert_warm: bool = False
    explain: bool = False
    runs: int | None = None
    warm: bool = True
    race: bool = False
    wait: bool = False
    keep_anyway: bool = False
    preview: bool = False
    explorer: bool = True
    quiet: bool = False
    help: bool = False


# A word: whatever holds no blank outside quotes and the braces of a variable.
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\{[^{}]*\}|\S)+""")
# What stands for options that a variable holds; no call starts like this.
_VARIABLE = re.compile(r"\{[^{}]*\}|\$\w+")


def split_line(line: str, options: Sequence[Option], magic: str) -> tuple[list[str], str]:
    """The options at the front of a magic's line, as words, and the rest of the line untouched.

    Raises UsageError, with near names, for an option that the magic does not have.
    """
    known = flags_of(options)
    words: list[str] = []
    position = 0
    while match := _WORD.search(line, position):
        word = match.group()
        if not word.startswith("-") or word == "--":
            return words, line[match.end() if word == "--" else match.start() :].strip()
        flag, equals, _ = word.partition("=")
        _check_flag(flag, known, magic)
        words.append(_unquote(word))
        position = match.end()
        if known[flag].takes_value and not equals:
            value = _WORD.search(line, position)
            if value is None or value.group() in known:
                raise UsageError(f"{flag} needs a value: {flag} {known[flag].settings['metavar']}.")
            # Joined, so that argparse takes a value that starts with a dash for a value.
            words[-1] = f"{flag}={_unquote(value.group())}" if flag.startswith("--") else flag
            if not flag.startswith("--"):
                words[-1] += _unquote(value.group())
            position = value.end()
    return words, ""


def expand_options(
    line: str, options: Sequence[Option], expand: Callable[[str], str], *, is_cell: bool
) -> str:
    """The line with ``expand`` applied to its options, and not to the call after them.

    Braces are variables in options, and sets and dicts in a call.
    """
    if is_cell:
        return expand(line)
    end = _options_end(line, flags_of(options))
    return expand(line[:end]) + line[end:]


def _options_end(line: str, known: Mapping[str, Option]) -> int:
    position = 0
    while match := _WORD.search(line, position):
        word = match.group()
        if word == "--" or not (word.startswith("-") or _VARIABLE.fullmatch(word)):
            return match.start()
        position = match.end()
        flag, equals, _ = word.partition("=")
        if flag in known and known[flag].takes_value and not equals:
            value = _WORD.search(line, position)
            position = len(line) if value is None else value.end()
    return len(line)


def read_words(line: str, options: Sequence[Option], magic: str) -> list[str]:
    """The words of a line that holds no code. Raises UsageError as `split_line` does."""
    known = flags_of(options)
    words = [_unquote(word) for word in _WORD.findall(line.rstrip().rstrip(";"))]
    for word in words:
        if word.startswith("-"):
            _check_flag(word.partition("=")[0], known, magic)
    return words


def read_line(magic: Any, line: str, options: Sequence[Option]) -> argparse.Namespace | None:
    """What the line of ``magic``, which holds no code, asks for; None if that is the usage."""
    found = _parse(magic.parser, read_words(line, options, magic.__name__), magic.__name__)
    if found.help:
        show_text(magic.__doc__)
        return None
    return found


def _parse(parser: argparse.ArgumentParser, words: list[str], magic: str) -> argparse.Namespace:
    try:
        return parser.parse_args(words)
    except UsageError as error:  # argparse says what is wrong, and not what would be right
        raise UsageError(f"{error}. %{magic}? shows what it takes.") from None


def _check_flag(flag: str, known: Mapping[str, Option], magic: str) -> None:
    if flag not in known:
        raise UsageError(
            f"%{magic} has no option {flag}.{near(flag, known)} %{magic}? lists them all."
        )


def near(name: str, names: Iterable[str]) -> str:
    """`` Did you mean 'this' or 'that'?`` for names close to ``name``, else an empty text."""
    close = difflib.get_close_matches(name, list(names), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def read_options(parser: argparse.ArgumentParser, line: str, *, is_cell: bool) -> Options:
    """Read the line of ``%fastcompile`` or ``%%fastcompile``.

    Raises UsageError when it does not fit.
    """
    if is_cell:
        line = line.rstrip().rstrip(";")
    words, code = split_line(line, COMPILE_OPTIONS, "fastcompile")
    if is_cell and code:
        raise UsageError(
            f"The first line of the cell takes options only, and {code!r} is none."
            " The code goes below it."
        )
    found = _parse(parser, words, "fastcompile")
    if found.runs is not None and found.runs < 1:
        raise UsageError(f"--runs is {found.runs}, and at least 1 process is needed.")
    if found.force and found.assert_warm:
        raise UsageError("--force asks for a compile, and --assert-warm forbids one.")
    if found.explain and found.assert_warm:
        raise UsageError("--explain may ask for a compile, and --assert-warm forbids one.")
    if found.race and found.no_warm:
        raise UsageError("--race asks for the warm reload to be timed, and --no-warm forbids it.")
    if found.preview:
        _check_preview(found)
    return Options(
        code=code,
        output=check_name(found.output),
        save=None if found.save is None else Path(found.save).expanduser(),
        dynamic=read_dynamic(found.dynamic or ()),
        split_at=tuple(found.split_at) if found.split_at else None,
        sizes=read_sizes(found.sizes or ()),
        model=found.model,
        force=found.force,
        assert_warm=found.assert_warm,
        explain=found.explain,
        runs=found.runs,
        warm=not found.no_warm,
        race=found.race,
        wait=found.wait,
        keep_anyway=found.keep_anyway,
        preview=found.preview,
        explorer=not found.no_explorer,
        quiet=found.quiet,
        help=found.help,
    )


def _check_preview(found: argparse.Namespace) -> None:
    """Raise UsageError for what a preview, which compiles nothing, cannot do."""
    if found.model is not None:
        raise UsageError("--preview is of the one call at the end of a cell, and -m names several.")
    for flag in ("save", "force", "assert_warm", "race", "sizes"):
        if getattr(found, flag):
            name = f"--{flag.replace('_', '-')}"
            raise UsageError(f"--preview compiles nothing, and {name} is about what was compiled.")


def check_name(name: str | None) -> str | None:
    """``name`` if a result can be stored under it. Raises UsageError when it cannot."""
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"-o stores the result under a Python name, and {name!r} is none.")
    return name


# A name with, perhaps, a range: seq, seq(2,512).
_NAME = r"([A-Za-z_]\w*)(?:\((\d+),\s*(\d+)\))?"
_DIMENSION = re.compile(rf"(-?\d+)(?:={_NAME})?")
_NUMBER = re.compile(rf"(.+?)={_NAME}")
# A path and its dimensions; a colon in brackets is part of a key.
_DYNAMIC = re.compile(r"((?:\[[^\]]*\]|[^:\[\]])+):(.*)")
# A comma that is not inside the parentheses of a range.
_COMMA = re.compile(r",(?![^()]*\))")


def read_dynamic(texts: Sequence[str]) -> dict[str, Any] | str | None:
    """``ids:0=batch,1=seq(2,512)`` -> ``{"ids": {0: "batch", 1: ("seq", 2, 512)}}``.

    A dimension without a name gets one of its own (``ids_length``). What is before the colon is a
    path as `ipy_fastcompile.compile` takes it; a number has a name alone, ``cache.length=n``.
    ``auto`` stands for all sizes that can vary, also after a path.
    """
    dynamic: dict[str, Any] = {}
    for text in texts:
        path, wanted = _read_dynamic(text)
        known = dynamic.get(path)
        if isinstance(known, dict) and isinstance(wanted, dict):
            wanted = {**known, **wanted}
        elif known not in (None, wanted):
            raise UsageError(f"--dynamic {text} says something else of {path} than before.")
        dynamic[path] = wanted
    return "auto" if dynamic == {"*": "auto"} else dynamic or None


def _read_dynamic(text: str) -> tuple[str, Any]:
    if text == "auto":
        return "*", "auto"
    match = _DYNAMIC.fullmatch(text)
    if match is None:
        number = _NUMBER.fullmatch(text)
        if number is None:
            raise UsageError(
                f"--dynamic {text} should look like ARG:DIM, for instance ids:1, or be auto."
            )
        return number[1], _named(text, *number.groups()[1:])
    path, dimensions = match.groups()
    if dimensions == "auto":
        return path, "auto"
    found: dict[int, Any] = {}
    for dimension in _COMMA.split(dimensions):
        match = _DIMENSION.fullmatch(dimension.strip())
        if match is None:
            raise UsageError(
                f"--dynamic {text}: {dimension!r} is no dimension. Write a number, and if you"
                " like a name and a range: 1, 1=seq or 1=seq(2,512)."
            )
        dim, name, low, high = match.groups()
        name = name or "_".join([*re.findall(r"\w+", path), dimension_word(path, int(dim))])
        found[int(dim)] = _named(text, name, low, high)
    return path, found


def _named(text: str, name: str, low: str | None, high: str | None) -> Any:
    if low is None or high is None:
        return name
    if int(low) >= int(high):
        raise UsageError(f"--dynamic {text}: the range of {name} ends before it starts.")
    return name, int(low), int(high)


def read_sizes(texts: Sequence[str]) -> dict[str, list[int]] | None:
    """``seq=1,16`` -> ``{"seq": [1, 16]}``."""
    sizes: dict[str, list[int]] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        words = [word.strip() for word in numbers.split(",")]
        if not name.isidentifier() or not all(word.isdigit() and int(word) for word in words):
            raise UsageError(f"--sizes {text} should look like NAME=N,N, for instance seq=1,16.")
        sizes.setdefault(name, []).extend(int(word) for word in words)
    return sizes or None


def _unquote(word: str) -> str:
    return re.sub(r"""(["'])(.*?)\1""", r"\2", word)
