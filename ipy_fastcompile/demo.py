"""``python -m ipy_fastcompile demo`` -> the whole story on one model: compiled, checked, reloaded.

The model is a Llama of real depth and toy width, made from its configuration with random weights:
nothing is downloaded.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from .records import Progress


def main(arguments: list[str]) -> int:
    """Compile the model, print the report, write the page and the artifact; 1 if a number is off.

    Parameters
    ----------
    arguments:
        The words after ``demo``; ``--help`` lists them.
    """
    options = _parser().parse_args(arguments)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    artifact, page = folder / "llama.fastcompile", folder / "report.html"
    try:
        model, ids = make_llama(layers=options.layers)
    except ImportError as error:
        print(f"The demo needs transformers ({error}): pip install 'ipy_fastcompile[demo]'.")
        return 2
    import ipy_fastcompile as fc

    from .measure import measure
    from .show.text import render_text

    line = _Line()
    compiled = fc.compile(
        model, (ids,), dynamic={"input_ids": {1: ("seq", 2, 512)}}, progress=line.update
    )
    compiled.save(artifact)
    report = measure(
        compiled, model, (ids,), path=artifact, runs=options.runs, progress=line.update
    )
    line.erase()
    print(render_text(report))
    report.to_html(str(page))
    print(f"report    {page}\nartifact  {artifact}")
    return verdict(report.max_error, [reload.error for reload in report.reloads])


def verdict(max_error: float | None, errors: list[str], *, tolerance: float = 1e-4) -> int:
    """The exit code: 0 when the numbers agree and every reload worked, 1 otherwise."""
    failed = [error for error in errors if error]
    for error in failed:
        print(f"A reload failed: {error}", file=sys.stderr)
    if max_error is None or not max_error < tolerance:
        print(f"The error against eager is {max_error}, not below {tolerance}.", file=sys.stderr)
        return 1
    return 1 if failed else 0


def make_llama(*, layers: int = 16, hidden: int = 64, vocabulary: int = 256) -> tuple[Any, Any]:
    """A Llama with random weights, and token ids for it of shape [1, 32], int64.

    Raises ImportError when transformers is not installed.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_attention_heads=4,
        num_key_value_heads=4,
        vocab_size=vocabulary,
        max_position_embeddings=512,
    )
    model: torch.nn.Module = LlamaForCausalLM(config)
    return model.eval(), torch.arange(32).reshape(1, 32) % vocabulary


class _Line:
    """The stage on one line of standard error; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def update(self, progress: Progress) -> None:
        """Write how far the work has come over what was there."""
        if sys.stderr.isatty():
            count = f" {progress.done}/{progress.total}" if progress.total > 1 else ""
            seconds = time.monotonic() - self._started
            line = f"{progress.stage}{count} {progress.detail} {seconds:.0f} s"
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    def erase(self) -> None:
        """Leave nothing of it."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ipy_fastcompile demo",
        description="Compile a Llama of real depth and toy width, and show what became of it.",
    )
    parser.add_argument("--layers", type=int, default=16, help="default: 16")
    parser.add_argument("--runs", type=int, default=3, help="fresh processes a path, default: 3")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("fastcompile-demo"),
        help="where llama.fastcompile and report.html go, default: fastcompile-demo",
    )
    return parser
