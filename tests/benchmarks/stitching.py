"""What it costs to go from one submodule to the next: execution code, GraphModule, FX interpreter.

``python -m tests.benchmarks.stitching --layers 80`` captures a model of that many layers, splits
it, puts kernels that do nothing in the place of its compiled submodules and calls it in three ways,
in turn, in one process. What is left is the stitching; it is printed per submodule call. In the
second model every other submodule is attention, which is inlined; that op runs in all three ways,
and what it takes by itself is measured, too, and left out of the figures per submodule.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import torch
from torch import nn

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.calls.captured import Captured
from ipy_fastcompile.engine.code.codegen import generate_execution_code
from ipy_fastcompile.engine.graph.split import SplitGraph, split
from ipy_fastcompile.runtime.bind import compile_execution_fn
from tests.stitching import lower_without_compiler, used_parameters
from tests.tiny import TinyLayer


class PlainLayer(nn.Module):
    """A layer without attention: one compiled submodule."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = x + self.linear(x).relu()
        return made


class Stack(nn.Module):
    """Layers, and nothing else."""

    def __init__(self, layer: Callable[[int], nn.Module], count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer(8) for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class _Canned(nn.Module):
    """A submodule that returns what it returned before, and a kernel that does the same."""

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, *_: Any) -> Any:
        return self.outputs


def _canned(outputs: Any) -> Callable[..., Any]:
    return lambda *_: outputs


def ways(
    captured: Captured, graph: SplitGraph, model: nn.Module, leaves: Sequence[Any]
) -> dict[str, Callable[[], Any]]:
    """The same calls of the same do-nothing kernels, stitched in three ways."""
    lowered = lower_without_compiler(graph)
    code = generate_execution_code(lowered)
    parameters = used_parameters(captured, model, graph)
    examples = {
        sub.name: tuple(
            torch.zeros([int(n) for n in v.shape], dtype=v.dtype)
            for v in (o.meta["val"] for o in _results(sub.graph_module))
        )
        for sub in graph.submodules
        if not sub.inlined
    }
    kernels = [_canned(examples[f"submod_{k.submodules[0]}"]) for k in lowered.kernels]
    function = compile_execution_fn(code.text, kernels, parameters, code.constants)
    arguments = function.check_inputs(*leaves)
    stitched = graph.graph_module
    for name, outputs in examples.items():
        setattr(stitched, name, _Canned(outputs))
    placeholders = [n for n in stitched.graph.nodes if n.op == "placeholder"]
    used = iter(parameters)
    inputs = iter(leaves)
    names = {spec.placeholder for spec in captured.inputs}
    values = [next(inputs) if n.name in names else next(used) for n in placeholders if n.users]
    interpreter = torch.fx.Interpreter(stitched)
    ops = [_inlined_op(sub.graph_module) for sub in graph.submodules if sub.inlined]
    return {
        "ops alone": lambda: [op() for op in ops],
        "execution code": lambda: function.forward(*arguments),
        "split GraphModule": lambda: stitched(*values),
        "FX interpreter": lambda: interpreter.run(*values),
    }


def _inlined_op(graph_module: torch.fx.GraphModule) -> Callable[[], Any]:
    """The only op of an inlined submodule, called as such."""
    (node,) = (n for n in graph_module.graph.nodes if n.op == "call_function")
    values = {n: torch.zeros(tuple(map(int, n.meta["val"].shape))) for n in node.all_input_nodes}
    args = torch.fx.map_arg(node.args, lambda n: values[n])
    kwargs = torch.fx.map_arg(node.kwargs, lambda n: values[n])
    return lambda: node.target(*args, **kwargs)


def _results(graph_module: torch.fx.GraphModule) -> Sequence[Any]:
    output = next(n for n in graph_module.graph.nodes if n.op == "output")
    return list(output.args[0])


def measure(calls: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    """Median seconds of each call; they take turns, so that a busy machine is fair to all."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    with torch.no_grad():
        for run in range(runs + 5):
            for name, call in calls.items():
                started = perf_counter()
                call()
                if run >= 5:
                    spent[name].append(perf_counter() - started)
    return {name: statistics.median(times) for name, times in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=80)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the op is tiny; threads would only add noise
    x = torch.randn(1, 4, 8)
    print(f"{options.layers} layers, {options.runs} runs, medians; torch {torch.__version__}\n")
    print(f"{'':42}{'a call, us':>12}{'per submodule, us':>20}{'ratio':>8}")
    for title, layer in (("kernels only", PlainLayer), ("attention inlined", TinyLayer)):
        model = Stack(layer, options.layers).eval()
        captured = capture(model, (x,))
        graph = split(captured)
        count = len(graph.submodules)
        found = measure(ways(captured, graph, model, [x]), options.runs)
        alone = found.pop("ops alone")
        print(f"{title} ({count} submodules; the ops alone take {alone * 1e6:.0f} us)")
        best = found["execution code"]
        for name, seconds in found.items():
            each = (seconds - alone) * 1e6 / count
            row = f"{seconds * 1e6:12.1f}{each:20.2f}{seconds / best:8.1f}"
            print(f"    {name:<38}{row}")


if __name__ == "__main__":
    main()
