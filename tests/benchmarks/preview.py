"""``python -m tests.benchmarks.preview``, in a clone -> how long a preview of a Llama takes.

One capture, split in three ways, in this process: the first preview, with what it imports, and
further ones, with the CPU time of each. ``import torch`` and the making of the model are no part
of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from time import perf_counter, process_time

import ipy_fastcompile as fc
from ipy_fastcompile.demo import make_llama

WAYS = [None, "aten::linear", lambda node: fc.SplitReason("mlp") if "silu" in node.name else None]


def main(arguments: list[str]) -> int:
    """Print the times, and the preview itself."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.preview")
    parser.add_argument("--layers", type=int, default=16, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    options = parser.parse_args(arguments)
    model, ids = make_llama(layers=options.layers)
    times: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs):
            started, spent = perf_counter(), process_time()
            found = fc.preview(
                model,
                (ids,),
                dynamic={"input_ids": {1: ("seq", 2, 512)}},
                split_at=WAYS,
                store=fc.Store(folder),
            )
            times.append((perf_counter() - started, process_time() - spent))
    sys.stdout.write(f"{found}\n")
    for number, (seconds, cpu) in enumerate(times):
        which = "the first preview" if number == 0 else f"preview {number + 1}"
        sys.stdout.write(f"{which}: {seconds:.2f} s, {cpu:.2f} s of CPU\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
