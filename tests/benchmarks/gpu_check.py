"""Compile, save, reload in fresh processes and check numbers on a CUDA GPU; prints what it saw.

    python -m tests.benchmarks.gpu_check [--layers 4] [--hidden 256]
    python -m tests.benchmarks.gpu_check --llama --layers 32 --hidden 4096 --dtype bfloat16

Needs torch 2.11 or newer with CUDA; ``--device cpu`` tries the first form anywhere. Every reload
path runs in a process of its own: on the real weights, which are saved beside the artifact; with
``--llama`` (a `transformers` model of realistic width) on tensors made from the manifest's
specifications, numbers being checked in the parent.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile.__main__ import run as run_command
from ipy_fastcompile.children.ask import ask
from ipy_fastcompile.children.environment import child_environment
from ipy_fastcompile.errors import BenchError
from tests.benchmarks.gpu_models import Decoder

_TIMEOUT_SECONDS = 900


def main(arguments: list[str]) -> int:
    """Check the decoder of toy width, or a Llama; 1 when the decoder's numbers are off.

    Raises BenchError where there is no such device.
    """
    options = _parser().parse_args(arguments)
    if (options.llama or options.device == "cuda") and not torch.cuda.is_available():
        raise BenchError(
            f"torch {torch.__version__} finds no CUDA device here.",
            "Run it where there is one, or try --device cpu without --llama.",
        )
    name = torch.cuda.get_device_name() if options.device == "cuda" else options.device
    print(torch.__version__, name)
    if options.llama:
        check_llama(options)
        return 0
    return 0 if check_decoder(options) else 1


def check_decoder(options: argparse.Namespace) -> bool:
    """Compile the decoder, and load it along each path in a process of its own, beside eager."""
    torch.manual_seed(0)
    device, dtype = options.device, getattr(torch, options.dtype)
    model = Decoder(options.layers, options.hidden).to(device, dtype).eval()
    ids = torch.randint(0, 512, (1, 128), device=device)
    other_ids = torch.randint(0, 512, (1, 77), device=device)
    started = time.perf_counter()
    compiled = fc.compile(model, (ids,), dynamic={"ids": {1: ("seq", 2, 1024)}})
    print(
        f"cold {time.perf_counter() - started:.1f} s",
        [(s.name, round(s.seconds, 2)) for s in compiled.report.stages],
    )
    for kernel in compiled.report.kernels:
        print(
            "kernel",
            kernel.index,
            "native" if kernel.native else f"torch: {kernel.why}",
            [b.name for b in kernel.binaries],
            kernel.ops,
        )
    bound = 1e-3 if dtype == torch.float32 else 0.1
    good = True
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        compiled.save(folder / "model.fastcompile")
        torch.save(model.state_dict(), folder / "weights.pt")
        with torch.no_grad():
            example = {
                "ids": ids,
                "out": model(ids),
                "other_ids": other_ids,
                "other_out": model(other_ids),
            }
        torch.save(example, folder / "example.pt")
        for via in ("native", "torch", "fx"):
            request = {
                "path": str(folder / "model.fastcompile"),
                "weights": str(folder / "weights.pt"),
                "example": str(folder / "example.pt"),
                "via": via,
                "device": device,
            }
            answer = ask(
                ["-m", "tests.benchmarks.gpu_child"],
                request,
                environment=child_environment(None),
                timeout=_TIMEOUT_SECONDS,
            )
            print(via, answer)
            good = good and answer.get("max_error", float("inf")) <= bound
    return good


def check_llama(options: argparse.Namespace) -> None:
    """Compile a Llama of realistic width, check it in this process, time fresh ones."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from ipy_fastcompile.runtime.fresh import measure_reloads
    from ipy_fastcompile.verification.check import check_against_eager

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=options.hidden,
        intermediate_size=options.hidden * 11 // 4,
        num_hidden_layers=options.layers,
        num_attention_heads=options.hidden // 128,
        num_key_value_heads=max(1, options.hidden // 512),
        vocab_size=4096,
    )
    torch.set_default_dtype(getattr(torch, options.dtype))
    with torch.device("cuda"):
        model: nn.Module = LlamaForCausalLM(config)
    model.eval()
    torch.set_default_dtype(torch.float32)
    ids = torch.randint(0, 4096, (1, 512), device="cuda")
    started = time.perf_counter()
    call = {"input_ids": ids}
    try:
        compiled = fc.compile(model, (), call, dynamic={"input_ids": {1: ("seq", 2, 4096)}})
    except fc.errors.CaptureError as error:
        print(f"for 512 tokens only: {error}")
        compiled = fc.compile(model, (), call)
    print(f"Llama, {options.layers} layers, hidden {options.hidden}, {options.dtype}, 512 tokens")
    print(
        f"cold {time.perf_counter() - started:.1f} s",
        [(s.name, round(s.seconds, 2)) for s in compiled.report.stages],
        [(k.index, "native" if k.native else k.why) for k in compiled.report.kernels],
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "llama.fastcompile"
        compiled.save(path)
        largest = check_against_eager(compiled, model, (), call, file=path)
        print(f"artifact {path.stat().st_size} bytes; max error {largest:.4g}")
        print(_against_float32(model, compiled, call))
        print(_calls(model, compiled, call))
        torch.cuda.empty_cache()
        for record in measure_reloads(path, runs=options.runs):
            print(
                record.path,
                f"load {record.load * 1e3:.1f} ms, first call "
                f"{record.first_call * 1e3:.1f} ms, call {record.call * 1e3:.2f} ms",
                [(n, round(v * 1e3, 2)) for n, v in record.stages],
                record.error,
            )


def _against_float32(
    model: nn.Module, compiled: fc.CompiledModel, call: dict[str, torch.Tensor]
) -> str:
    """How far eager and compiled are from the same weights in float32: ||out - ref|| / ||ref||."""
    with torch.no_grad():
        eager, fast = model(**call).logits.float(), compiled(**call).logits.float()
        reference = copy.deepcopy(model).float()(**call).logits
    scale = reference.norm()
    return (
        f"relative to float32: eager {float((eager - reference).norm() / scale):.3g}, "
        f"compiled {float((fast - reference).norm() / scale):.3g}"
    )


def _calls(model: nn.Module, compiled: fc.CompiledModel, call: dict[str, torch.Tensor]) -> str:
    with torch.no_grad():
        eager = _median_call(lambda: model(**call))
        fast = _median_call(lambda: compiled(**call))
    model.cpu()  # the children need the memory
    return f"call: eager {eager * 1e3:.2f} ms, compiled {fast * 1e3:.2f} ms"


def _median_call(function: Callable[[], object]) -> float:
    times = []
    for _ in range(15):
        torch.cuda.synchronize()
        started = time.perf_counter()
        function()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sorted(times)[7]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gpu_check",
        description="Compile, save, reload and check numbers on a CUDA GPU.",
    )
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--llama", action="store_true", help="a Llama of this width and depth")
    parser.add_argument("--runs", type=int, default=3)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
