"""Names -> an answer for each, from one process for many; one that ends it keeps none from theirs.

What became of a name is written to a folder as soon as it is known, and a run that was stopped goes
on from there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipy_fastcompile.children.answer import error_text
from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.children.environment import child_environment
from ipy_fastcompile.errors import ChildError

_TIMEOUT = 1800.0
# Names that one process compiles.
_AT_ONCE = 4


def measured(
    module: str, names: Sequence[str], keep: Path | None, judge: Callable[[Any], str] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each name and what `measure_each` says of it, as it comes.

    In ``keep``, a folder, answers stay; what was right there is not asked again.
    """
    with tempfile.TemporaryDirectory(prefix="fastcompile-each-") as folder:
        for start in range(0, len(names), _AT_ONCE):
            chunk = names[start : start + _AT_ONCE]
            yield from measure_each(module, chunk, keep or Path(folder), judge).items()


def parser(module: str, description: str, names: str) -> argparse.ArgumentParser:
    """The options that such a command has: ``names``, which are explained so, and a folder."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    made.add_argument("names", nargs="*", metavar="NAME", help=names)
    made.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep answers there as they come; what was right there is not run again",
    )
    return made


def heading(module: str, names: Sequence[str]) -> str:
    """What a table begins with: the command and what it was given, the day, and the versions."""
    import torch
    import transformers

    return (
        f"{' '.join(['python -m', module, *names])}, {time.strftime('%Y-%m-%d')}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )


def ask_each(
    module: str, do: str, names: Sequence[str], folder: Path, empty: str | None = None
) -> dict[str, dict[str, Any]]:
    """What ``module`` answers when it is asked to ``do`` something with each name.

    With ``empty``, a directory, its process has no compiler and no Inductor cache. Where a name
    ends the process, another one is asked for those that are left.
    """
    found = {name: read_answer(folder, name, do) for name in names if _has(folder, name, do)}
    while left := [name for name in names if name not in found]:
        said = "it has no answer"
        try:
            ask(
                ["-m", module],
                {"do": do, "names": left, "folder": str(folder)},
                environment=child_environment(empty),
                timeout=_TIMEOUT * len(left),
            )
        except ChildError as error:
            said = error.brief
        for name in left:
            if not _has(folder, name, do):
                found[name] = {"error": said}
                break
            found[name] = read_answer(folder, name, do)
    return found


def measure_each(
    module: str, names: Sequence[str], folder: Path, judge: Callable[[Any], str] | None = None
) -> dict[str, dict[str, Any]]:
    """What ``module`` says of compiling each name, and of reloading it without a compiler.

    ``verdict`` is what ``judge`` makes of it, by default `verdict_of`. What the folder has a good
    answer to is not asked again.
    """
    judge = judge or verdict_of
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        _forget_failed(folder, name, judge)
    found = ask_each(module, "compile", names, folder)
    compiled = [name for name in names if "error" not in found[name]]
    with tempfile.TemporaryDirectory() as empty:
        again = ask_each(module, "reload", compiled, folder, empty)
    both = {name: found[name] | again.get(name, {}) for name in names}
    return {name: {**result, "verdict": judge(result)} for name, result in both.items()}


def verdict_of(found: Mapping[str, Any]) -> str:
    """What a table says of a model: "right", or why it is not."""
    if said := found.get("error") or found["wrong"]:
        return str(said)
    if found["ways"] != ["native"]:
        return f"right, but not native: {'; '.join(found['not native']) or found['ways']}"
    return "right"


def answer_each(
    request: Mapping[str, Any], does: Mapping[str, Callable[[str, Path], dict[str, Any]]]
) -> dict[str, Any]:
    """The child's side: ``does`` is given each name, and the path of its artifact."""
    folder = Path(request["folder"])
    for name in request["names"]:
        try:
            found = does[request["do"]](name, folder / f"{name}.fastcompile")
        except Exception as error:  # noqa: BLE001 - a line of the table, whatever it is
            found = {"error": error_text(error)}
        _path(folder, name, request["do"]).write_text(json.dumps(found))
    return {}


def read_answer(folder: Path, name: str, do: str) -> dict[str, Any]:
    """What became of a name."""
    answer: dict[str, Any] = json.loads(_path(folder, name, do).read_text())
    return answer


def _forget_failed(folder: Path, name: str, judge: Callable[[Any], str]) -> None:
    """Leave no answers of a name but good ones, and those of a run that was stopped half way."""
    both = [read_answer(folder, name, do) for do in _BOTH if _has(folder, name, do)]
    is_half = len(both) == 1 and "error" not in both[0]
    if is_half or (len(both) == 2 and judge(both[0] | both[1]) == "right"):
        return
    for do in _BOTH:
        with contextlib.suppress(FileNotFoundError):
            _path(folder, name, do).unlink()


_BOTH = ("compile", "reload")


def _has(folder: Path, name: str, do: str) -> bool:
    return _path(folder, name, do).exists()


def _path(folder: Path, name: str, do: str) -> Path:
    return folder / f"{name}.{do}.json"
