"""Compile, save, reload in a fresh process and check numbers on a CUDA GPU; prints what it saw.

    python tests/benchmarks/gpu_check.py [--layers 4] [--hidden 256]
    python tests/benchmarks/gpu_check.py --llama --layers 32 --hidden 4096 --dtype bfloat16

Needs torch 2.11 or newer with CUDA. Every reload path runs in a process of its own: on the real
weights, which are saved beside the artifact; with ``--llama`` (a `transformers` model of realistic
width) on tensors made from the manifest's specifications, numbers being checked in the parent.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn

import ipy_fastcompile as fc


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(hidden)
        self.qkv = nn.Linear(hidden, 3 * hidden, bias=False)
        self.out = nn.Linear(hidden, hidden, bias=False)
        self.norm2 = nn.LayerNorm(hidden)
        self.up = nn.Linear(hidden, 4 * hidden)
        self.down = nn.Linear(4 * hidden, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class Decoder(nn.Module):
    """Embedding, layers, head."""

    def __init__(self, layers: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(512, hidden)
        self.layers = nn.ModuleList(Block(hidden, hidden // 64) for _ in range(layers))
        self.head = nn.Linear(hidden, 512)

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x), x.softmax(-1).amax(-1)


_CHILD = """
import json, sys, time
sys.path.insert(0, sys.argv[5])
import torch
torch.zeros(1, device="cuda").add_(1)
torch.cuda.synchronize()
weights = torch.load(sys.argv[2], weights_only=True, map_location="cuda")
example = torch.load(sys.argv[3], weights_only=True, map_location="cuda")
import ipy_fastcompile as fc
fc.load
start = time.perf_counter()
f = fc.load(sys.argv[1], weights, via=sys.argv[4])
load = time.perf_counter() - start
start = time.perf_counter()
out = f(example["ids"]); torch.cuda.synchronize()
first = time.perf_counter() - start
errors = [float((a - b).abs().max()) for a, b in zip(out, example["out"])]
other = f(example["ids2"])
errors += [float((a - b).abs().max()) for a, b in zip(other, example["out2"])]
times = []
for _ in range(30):
    start = time.perf_counter(); f(example["ids"]); torch.cuda.synchronize()
    times.append(time.perf_counter() - start)
print(json.dumps({"load_ms": load * 1e3, "first_ms": first * 1e3,
    "call_ms": sorted(times)[15] * 1e3, "max_error": max(errors), "ways": f.kernel_ways,
    "steps_ms": {k: round(v * 1e3, 2) for k, v in f.timings.items()},
    "modules": [m for m in ("torch._dynamo", "torch._inductor", "triton") if m in sys.modules]}))
"""


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
        use_cache=False,
    )
    torch.set_default_dtype(getattr(torch, options.dtype))
    with torch.device("cuda"):
        model = LlamaForCausalLM(config).eval()
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
        size = compiled.report.artifact.size
        error = check_against_eager(compiled, model, (), call, file=path)
        print(f"artifact {size} bytes; max error {error:.4g}")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--llama", action="store_true", help="a Llama of this width and depth")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print(torch.__version__, torch.cuda.get_device_name())
    if options.llama:
        check_llama(options)
        return
    torch.manual_seed(0)
    model = Decoder(options.layers, options.hidden).cuda().to(getattr(torch, options.dtype)).eval()
    ids = torch.randint(0, 512, (1, 128), device="cuda")
    ids2 = torch.randint(0, 512, (1, 77), device="cuda")
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
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        compiled.save(folder / "model.fastcompile")
        torch.save(model.state_dict(), folder / "weights.pt")
        with torch.no_grad():
            example = {"ids": ids, "out": model(ids), "ids2": ids2, "out2": model(ids2)}
        torch.save(example, folder / "example.pt")
        for via in ("native", "torch", "fx"):
            done = subprocess.run(
                [sys.executable, "-c", _CHILD, str(folder / "model.fastcompile"),
                 str(folder / "weights.pt"), str(folder / "example.pt"), via,
                 str(Path(__file__).resolve().parents[2])],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            lines = done.stdout.strip().splitlines()
            print(via, json.loads(lines[-1]) if lines else done.stderr[-1500:])


if __name__ == "__main__":
    main()
