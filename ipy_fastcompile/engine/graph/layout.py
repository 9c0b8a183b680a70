"""submodule -> the same, its outputs laid out as the next kernel was compiled for.

Kernels are compiled for the strides that export's fake tensors predict. What runs may return
others: Inductor traces a submodule again and may lay a concatenation out differently, and a
splitting op follows the strides of its inputs. Where that is so, ATen ops that lay the output out
as predicted are added to the submodule's graph; they cost nothing where the layout fits already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...records import Symbol
from ...torch_compat import symbolic
from .split import SplitGraph, sizes_of
from .twins import describe

AtSize = Callable[[Any, Mapping[Any, int] | None], Any]


def settle_outputs(graph_module: GraphModule, strides: Sequence[Sequence[str] | None]) -> bool:
    """Lay out what a compiled submodule returns with other strides than predicted.

    ``strides`` are those it returns, as expressions over the symbols. Whether anything was added,
    so that the submodule has to be compiled again.
    """
    outputs = _outputs(graph_module)
    if len(strides) != len(outputs):
        return False
    misfits = [
        position
        for position, (node, found) in enumerate(zip(outputs, strides, strict=True))
        if isinstance(node, Node) and found is not None and not _as_predicted(node, found)
    ]
    if misfits:
        _lay_out(graph_module, misfits)
    return bool(misfits)


def _as_predicted(node: Node, found: Sequence[str]) -> bool:
    import sympy

    value: Any = node.meta.get("val")
    if _order(value) is None or len(found) != value.dim():
        return True
    hints = {
        str(symbol): hint
        for number in sizes_of(value)
        for symbol, hint in symbolic.symbol_hints(number).items()
    }
    for size, predicted, text in zip(value.shape, value.stride(), found, strict=True):
        actual = sympy.sympify(text, locals={name: sympy.Symbol(name) for name in hints})
        number = actual.subs(hints)
        known = bool(number.is_number)
        if known and int(number) != symbolic.symbolic_hint(predicted):
            if symbolic.symbolic_hint(size) > 1:
                return False
    return True


def settle_layouts(split: SplitGraph, at_size: AtSize) -> list[str]:
    """Lay out what inlined submodules return; the names of the submodules that needed it.

    Each distinct one is run once on zeros, at two sizes. ``at_size(fake value, symbol -> size)``
    makes the real value that stands for a fake one.
    """
    other = _other_sizes(split)
    misfits: dict[str, list[int]] = {}
    settled = []
    for sub in split.submodules:
        if not sub.inlined:
            continue
        digest = describe(sub.graph_module).digest
        if digest not in misfits:
            misfits[digest] = sorted(
                _misfits(sub.graph_module, None, at_size)
                | (_misfits(sub.graph_module, other, at_size) if other else set())
            )
        if misfits[digest]:
            _lay_out(sub.graph_module, misfits[digest])
            settled.append(sub.name)
    return settled


def _other_sizes(split: SplitGraph) -> dict[Any, int]:
    """A size near the example's for every symbol, within its range."""
    symbols = {s.name: s for s in split.captured.symbols}
    return {
        symbol: _neighbour(symbols[name])
        for symbol, name in split.captured.names.items()
        if name in symbols
    }


def _neighbour(symbol: Symbol) -> int:
    larger = symbol.example + 3
    if symbol.max is None or larger <= symbol.max:
        return larger
    return max(symbol.min, symbol.example - 3)


def _misfits(
    graph_module: GraphModule, sizes: Mapping[Any, int] | None, at_size: AtSize
) -> set[int]:
    """Positions of outputs whose strides are not those predicted.

    All dense outputs, when the submodule cannot be run on made-up inputs.
    """
    outputs = _outputs(graph_module)
    predicted = [n.meta.get("val") if isinstance(n, Node) else None for n in outputs]
    dense = {i for i, value in enumerate(predicted) if _order(value) is not None}
    if not dense:
        return set()
    try:
        inputs = [
            at_size(n.meta["val"], sizes) for n in graph_module.graph.nodes if n.op == "placeholder"
        ]
        expected = [
            at_size(value, sizes) if i in dense else None for i, value in enumerate(predicted)
        ]
        with torch.no_grad():
            found = graph_module(*inputs)
    except Exception:  # noqa: BLE001 - an op may check its inputs, and zeros are made up
        return dense
    return {i for i in dense if not _same_layout(found[i], expected[i])}


def _outputs(graph_module: GraphModule) -> Sequence[Any]:
    output = next(n for n in graph_module.graph.nodes if n.op == "output")
    results: Sequence[Any] = output.args[0]
    return results


def _same_layout(found: Any, expected: Any) -> bool:
    if not isinstance(found, torch.Tensor) or found.shape != expected.shape:
        return True  # an error in the prediction, which strides cannot mend
    entries = zip(found.stride(), expected.stride(), found.shape, strict=True)
    return not found.numel() or all(f == e for f, e, size in entries if size > 1)


def _order(value: Any) -> list[int] | None:
    """Dimensions from the outermost to the innermost of a dense tensor, None for all else."""
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or not value.dim():
        return None
    strides = [symbolic.symbolic_hint(n) for n in value.stride()]
    sizes = [symbolic.symbolic_hint(n) for n in value.shape]
    order = sorted(range(value.dim()), key=lambda d: (-strides[d], d))
    step = 1
    for dim in reversed(order):
        if sizes[dim] > 1 and strides[dim] != step:
            return None
        step *= sizes[dim]
    return order


def _lay_out(graph_module: GraphModule, positions: Sequence[int]) -> None:
    """Add ``permute(order).contiguous().permute(back)``: a view where the layout fits already."""
    graph = graph_module.graph
    output = next(n for n in graph.nodes if n.op == "output")
    results = list(output.args[0])
    for position in positions:
        node = results[position]
        order = _order(node.meta["val"])
        assert order is not None
        back = [order.index(dim) for dim in range(len(order))]
        steps: list[tuple[Any, tuple[Any, ...]]] = [(torch.ops.aten.contiguous.default, ())]
        if order != sorted(order):
            permute = torch.ops.aten.permute.default
            steps = [(permute, (order,)), *steps, (permute, (back,))]
        with graph.inserting_before(output):
            for target, arguments in steps:
                made = graph.call_function(target, (node, *arguments))
                made.meta = {**node.meta, "val": target(node.meta["val"], *arguments)}
                node = made
        results[position] = node
    output.args = (tuple(results),)
    graph_module.recompile()
