"""``python -m tests.benchmarks`` -> measured tables, as text, Markdown and JSON.

``models`` reloads the five model families of vllm-project/vllm#40151 along every path, ``peers``
sets PyTorch's own ways of keeping a compiled model beside ours, ``native`` checks what the native
path promises, ``growth`` finds what grows worse than the graph; ``all`` does all of it in one run,
and ``show`` prints a saved result again.

Every measurement is made in a process of its own. What fails is a row that says why. On a machine
that others use, set ``OMP_WAIT_POLICY=passive``: with fewer free cores than threads, OpenMP's
waiting threads keep the working ones from the processor, and a call takes seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipy_fastcompile.errors import BenchError

if TYPE_CHECKING:
    from tests.benchmarks.run import Run
    from tests.benchmarks.table import Table

COMMANDS = ("models", "peers", "native", "growth", "all")


def main(arguments: list[str]) -> int:
    """Run one of the benches; the exit code is 1 when a child of ours failed.

    Parameters
    ----------
    arguments:
        The words after ``bench``; ``--help`` lists them.

    Raises
    ------
    BenchError
        For a family, a peer or a part that does not exist, or a file that cannot be written.
    """
    options = _parser().parse_args(arguments)
    if options.bench == "show":
        return _show(options.file, options.markdown)
    _check_files(options)
    with _folder(options.folder) as folder:
        run = _new_run(options, folder, arguments)
        run.start()
        try:
            _measure(run, options)
        finally:  # an interrupted run shows what it has
            run.finish()
            sys.stdout.write(render(run.document, markdown=False))
    return 1 if _ours_failed(run.document["results"]) else 0


# --- what to measure -----------------------------------------------------------------------------


def _measure(run: Run, options: argparse.Namespace) -> None:
    from tests.benchmarks import growth, models, native, peers, profiling

    every = options.bench == "all"
    layers: int | None = options.layers
    if every or options.bench == "models":
        models.measure(run, options.families, layers)
    if every or options.bench == "peers":
        peers.measure(run, options.peers, layers, options.modes)
    if options.bench == "growth" and options.profile:
        profiling.measure(run, options.profile, layers or profiling.LAYERS)
        return
    if every or options.bench == "growth":
        growth.measure(run, options.depths)
    if every or options.bench == "native":
        depths = options.native_depths
        native.measure(run, layers, depths, options.parts, options.wide)


def tables(document: Mapping[str, Any]) -> list[Table]:
    """The tables of everything that a document has results of."""
    from tests.benchmarks import growth, models, native, peers, profiling

    results = document["results"]
    makers: dict[str, Callable[[Any], list[Table]]] = {
        "models": lambda found: models.tables(found, document.get("imports", {})),
        "peers": peers.tables,
        "native": native.tables,
        "growth": growth.tables,
        "profile": profiling.tables,
    }
    return [t for name, make in makers.items() if results.get(name) for t in make(results[name])]


def render(document: Mapping[str, Any], *, markdown: bool) -> str:
    """The document as text: its heading, then its tables."""
    from tests.benchmarks.table import render_document

    return render_document(document, tables(document), markdown=markdown)


def _ours_failed(results: Mapping[str, Any]) -> bool:
    """Whether a compile or a native load of ours failed; a peer that fails is a result."""
    from tests.benchmarks.answers import first_error

    cold = [result["cold"] for result in results.get("models", {}).values()]
    cold += [result["cold"] for result in results.get("growth", {}).values()]
    loads = [
        result.get(mode, {}).get("native", ())
        for result in results.get("models", {}).values()
        for mode in ("kept", "shipped")
    ]
    ours = results.get("peers", {}).get("peers", {}).get("native", {})
    cold += [ours["cold"]] if ours else []
    loads += [ours.get(mode, ()) for mode in ("kept", "empty", "shipped")]
    native = results.get("native", {})
    cold += [native["cold"]] if native else []
    loads += [
        native.get("reload", {}).get(mode, {}).get("native", ()) for mode in ("kept", "shipped")
    ]
    loads += [result.get("native", ()) for result in results.get("growth", {}).values()]
    failed_profile = "error" in results.get("profile", {})
    return failed_profile or any("error" in c for c in cold) or any(map(first_error, loads))


# --- files ---------------------------------------------------------------------------------------


def _new_run(options: argparse.Namespace, folder: Path, arguments: Sequence[str]) -> Run:
    from tests.benchmarks.run import Options, Run, write_json

    command = " ".join(["python -m tests.benchmarks", *arguments])
    given = Options(
        folder=folder,
        runs=options.runs,
        timeout=options.timeout,
        inductor_cache=options.inductor_cache,
        device=options.device,
        dtype=options.dtype,
        hidden=options.hidden,
        quiet=options.quiet,
        command=command,
    )

    def write(run: Run) -> None:
        if options.json is not None:
            write_json(run.document, options.json)
        if options.markdown is not None:
            options.markdown.write_text(render(run.document, markdown=True), "utf-8")

    return Run(given, write)


@contextlib.contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Where artifacts and caches go: a temporary folder, unless one is named."""
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="fastcompile-bench-") as name:
        yield Path(name)


def _check_files(options: argparse.Namespace) -> None:
    """Fail now, not after half an hour: the folders of the results exist and can be written."""
    for path in (options.json, options.markdown):
        if path is not None:
            try:
                with path.open("a"):
                    pass
            except OSError as error:
                raise BenchError(
                    f"{path} cannot be written: {error.strerror}.", "Name another file.", path=path
                ) from error


def _show(file: Path, markdown: Path | None) -> int:
    try:
        document = json.loads(file.read_text("utf-8"))
        text = render(document, markdown=markdown is not None)
    except OSError as error:
        raise BenchError(f"{file} cannot be read: {error.strerror}.", "", path=file) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{file} is no result of this bench: {error}.", "Name a file that --json wrote."
        ) from error
    if markdown is not None:
        markdown.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


# --- the command line ----------------------------------------------------------------------------


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(part.strip() for part in text.split(",") if part.strip())
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"there is no {name!r}; there are {', '.join(known)}"
                )
        if not chosen:
            raise argparse.ArgumentTypeError(f"name some of {', '.join(known)}")
        return chosen

    return names


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _depths(text: str) -> tuple[int, ...]:
    return tuple(sorted({_positive(part.strip()) for part in text.split(",")}))


def _wide(text: str) -> dict[str, int]:
    parts = text.split("x")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not LAYERSxHIDDENxTOKENS, as 4x1024x128")
    return dict(zip(("layers", "hidden", "tokens"), map(_positive, parts), strict=True))


def _parser() -> argparse.ArgumentParser:
    from tests.benchmarks import growth, native, peers, profiling
    from tests.benchmarks.families import FAMILIES
    from tests.benchmarks.peer_scripts import PEERS

    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure cold compiles and warm reloads, each in fresh processes.",
    )
    commands = parser.add_subparsers(dest="bench", required=True, metavar="BENCH")
    texts = {
        "models": "five model families at real depth: cold, and reloaded along three paths",
        "peers": "PyTorch's own ways of keeping a compiled model, beside ours",
        "native": "what the native path promises, and what it does",
        "growth": "every stage at growing depth, and which grows worse than linearly",
        "all": "the four above in one run",
    }
    for name in COMMANDS:
        command = commands.add_parser(name, help=texts[name], description=texts[name])
        _add_common(command)
        if name in ("models", "all"):
            command.add_argument(
                "--families",
                type=_names(tuple(FAMILIES)),
                default=tuple(FAMILIES),
                help=f"default: all of {','.join(FAMILIES)}",
            )
        if name in ("peers", "all"):
            command.add_argument(
                "--peers",
                type=_names(tuple(PEERS)),
                default=tuple(PEERS),
                help=f"default: all of {','.join(PEERS)}",
            )
            command.add_argument(
                "--modes",
                type=_names(peers.MODES),
                default=("kept", "shipped"),
                help="kept: caches of the cold run; empty: an empty Inductor cache; "
                "shipped: empty, and no compiler; default: kept,shipped",
            )
        if name in ("growth", "all"):
            command.add_argument(
                "--depths", type=_depths, default=growth.DEPTHS, help="numbers of layers"
            )
        if name == "growth":
            command.add_argument(
                "--profile",
                choices=profiling.STAGES,
                help="profile one stage instead, split into torch's own time and ours",
            )
        if name in ("native", "all"):
            command.add_argument(
                "--parts",
                type=_names(native.PARTS),
                default=native.PARTS,
                help=f"default: all of {','.join(native.PARTS)}",
            )
            flag = "--native-depths" if name == "all" else "--depths"
            command.add_argument(
                flag,
                dest="native_depths",
                type=_depths,
                default=native.DEPTHS,
                help="numbers of layers whose load times are compared",
            )
            command.add_argument(
                "--wide",
                type=_wide,
                default=native.WIDE,
                metavar="LAYERSxHIDDENxTOKENS",
                help="the model whose kernels dominate, for the times of a call; default: "
                "{layers}x{hidden}x{tokens}".format(**native.WIDE),
            )
    show = commands.add_parser("show", help="print a saved result again")
    show.add_argument("file", type=Path)
    show.add_argument("--markdown", type=Path, help="write Markdown there instead")
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("--layers", type=_positive, help="another depth than the real one")
    command.add_argument("--runs", type=_positive, help="fresh processes for each median")
    command.add_argument("--json", type=Path, help="write all results there, as they come")
    command.add_argument("--markdown", type=Path, help="write the tables there, as they come")
    command.add_argument("--folder", type=Path, help="keep artifacts, packages and caches there")
    command.add_argument(
        "--timeout", type=float, default=900.0, help="seconds for one process, default: 900"
    )
    command.add_argument("--device", default="cpu", help="default: cpu")
    command.add_argument("--dtype", default="float32", help="default: float32")
    command.add_argument("--hidden", type=_positive, default=64, help="width, default: 64")
    command.add_argument(
        "--inductor-cache",
        type=Path,
        help="use this Inductor cache everywhere; cold compiles are then not cold",
    )
    command.add_argument("--quiet", action="store_true", help="no progress on standard error")
