"""``python -m tests.benchmarks ...``, in a clone -> one run: measured, written, printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ipy_fastcompile.__main__ import run as run_command
from tests.benchmarks import decode, growth, models, native, peers, profiling
from tests.benchmarks.command_line import parser
from tests.benchmarks.document import ours_failed, render
from tests.benchmarks.files import check_files, folder_for, show
from tests.benchmarks.options import Options
from tests.benchmarks.run import Run, write_json


def main(arguments: list[str]) -> int:
    """Run one of the benches; the exit code is 1 when a child of ours failed.

    Parameters
    ----------
    arguments:
        The words after ``python -m tests.benchmarks``; ``--help`` lists them.

    Raises
    ------
    BenchError
        For a family, a peer or a part that does not exist, or a file that cannot be written.
    """
    options = parser().parse_args(arguments)
    if options.bench == "show":
        return show(options.file, options.markdown)
    check_files(options)
    with folder_for(options.folder) as folder:
        run = _new_run(options, folder, arguments)
        run.start()
        try:
            _measure(run, options)
        finally:  # an interrupted run shows what it has
            run.finish()
            sys.stdout.write(render(run.document, markdown=False))
    return 1 if ours_failed(run.document["results"]) else 0


def _measure(run: Run, options: argparse.Namespace) -> None:
    every = options.bench == "all"
    layers: int | None = options.layers
    if every or options.bench == "models":
        models.measure(run, options.families, layers)
    if every or options.bench == "peers":
        peers.measure(run, options.peers, layers, options.modes)
    if every or options.bench == "decode":
        decode.measure(run, layers, options.past)
    if options.bench == "growth" and options.profile:
        profiling.measure(run, options.profile, layers or profiling.LAYERS)
        return
    if every or options.bench == "growth":
        growth.measure(run, options.depths)
    if every or options.bench == "native":
        depths = options.native_depths
        native.measure(run, layers, depths, options.parts, options.wide)


def _new_run(options: argparse.Namespace, folder: Path, arguments: Sequence[str]) -> Run:
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


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
