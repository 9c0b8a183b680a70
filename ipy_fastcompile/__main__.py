"""Command line -> one sub-command: ``python -m ipy_fastcompile inspect | cache | ...``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from importlib import import_module

from .artifact.inert import inert_lines
from .errors import FastCompileError, FastCompileWarning

# Sub-command -> (module with a `main(arguments) -> exit code`, what it is for). Imported when it
# is asked for, so that inspecting needs no torch.
COMMANDS = {
    "demo": ("ipy_fastcompile.demo", "compile a Llama of toy width, and show what became of it"),
    "inspect": ("ipy_fastcompile.foreign.inspect_command", "read an artifact, or compare two"),
    "verify": (
        "ipy_fastcompile.verification.command",
        "check that an artifact loads and computes without a compiler",
    ),
    "cache": ("ipy_fastcompile.cache.command", "list, explain and clean the cache"),
}

_REFUSED = 2
_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one sub-command; the exit code is 2 for what the package refuses, with one line why."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else _REFUSED
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"{name!a} is no sub-command.\n{_usage()}", file=sys.stderr)
        return _REFUSED
    return run(lambda rest: import_module(COMMANDS[name][0]).main(rest), rest)


def run(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """The exit code of a command; what the package refuses is one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode must not end in a traceback
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    try:
        code = command(arguments)
        sys.stdout.flush()
    except FastCompileError as error:
        print(inert_lines(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return int(code)


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {purpose}" for name, (_, purpose) in COMMANDS.items()]
    return "\n".join(["usage: python -m ipy_fastcompile COMMAND ...", "", *lines])


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Our warnings are written for users: one line, without the place in our source."""
    del file
    if issubclass(category, FastCompileWarning):
        print(inert_lines(f"warning: {message}"), file=sys.stderr)
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


if __name__ == "__main__":
    sys.exit(main())
