"""recording + FX graph -> verdicts: what every submodule should have computed, op by op in eager.

The graph is decoded from the artifact, and run by FX's interpreter on ATen, in a process of its
own: the native one stays free of it. A submodule gets what its kernel got, so an error shows where
it is made, not where it ends up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter, Node

from ..artifact import open_artifact
from ..artifact.schema import Program, read_programs
from ..artifact.squeeze import unsqueeze
from ..children.answer import answer
from ..torch_compat import stored_graphs
from .recording import copied, made_up_inputs, made_up_parameters
from .tolerance import END_TO_END, Bounds, bounds_for, compare


class _Noting(Interpreter):
    """Runs a graph, and notes which floating dtypes it computes in."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__(graph)
        self.dtypes: set[torch.dtype] = set()

    def run_node(self, n: Node) -> Any:
        """Run one node, noting the dtypes of what it yields."""
        result = super().run_node(n)
        values = result if isinstance(result, (tuple, list)) else (result,)
        for value in values:
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                self.dtypes.add(value.dtype)
        return result


class Replay(Interpreter):
    """Runs the stitching graph; every kernel's submodule is compared with what was recorded.

    What was recorded is what goes on through the graph. ``verdicts`` maps a submodule to its
    largest error, whether all was within tolerance, and where the first difference is.
    """

    def __init__(
        self, graph: GraphModule, program: Program, calls: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(graph)
        self._kernel_of = program.stitched
        self._calls = iter(calls)
        self._node: Node | None = None
        self.verdicts: dict[str, tuple[float, bool, str]] = {}
        self.dtypes: set[torch.dtype] = set()  # that its kernels compute in

    def run_node(self, n: Node) -> Any:
        """Run one node, remembering which."""
        self._node = n
        return super().run_node(n)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a submodule in eager, on what its kernel got."""
        assert not kwargs
        submodule = self.fetch_attr(target)
        if target not in self._kernel_of:
            self._note(target, 0.0, True, "")
            return Interpreter(submodule).run(*args)
        call = next(self._calls)
        assert self._node is not None
        for node, made, given in zip(self._node.args, args, call["inputs"], strict=True):
            producer = _producer(node)
            if producer is not None and producer not in self._kernel_of:
                self._judge(producer, f"what {target} got from it", made, given)
        mine = copied(call["inputs"])
        noting = _Noting(submodule)
        expected = noting.run(*mine)
        self.dtypes |= noting.dtypes
        found = call["outputs"]
        self._note(target, 0.0, len(expected) == len(found), "the number of outputs")
        for position, (a, b) in enumerate(zip(expected, found, strict=False)):
            self._judge(target, f"output {position}", a, b, inside=noting.dtypes)
        for position, value in enumerate(mine):
            after = call["written"].get(position, call["inputs"][position])
            where = f"what it writes to input {position}"
            self._judge(target, where, value, after, inside=noting.dtypes)
            if position in call["written"]:
                args[position].copy_(after)
        return tuple(found)

    def judge_outputs(self, expected: Sequence[Any], found: Sequence[Any]) -> None:
        """Compare the outputs of the graph, for submodules that no kernel comes after."""
        graph: Any = self.module.graph
        output = next(node for node in graph.nodes if node.op == "output")
        for node, a, b in zip(output.args[0], expected, found, strict=True):
            producer = _producer(node)
            if producer is not None and producer not in self._kernel_of:
                self._judge(producer, "an output of the model", a, b, bounds=self.bounds())

    def bounds(self) -> Bounds:
        """What the whole model may differ by, for what its kernels compute in."""
        return bounds_for(str(dtype)[6:] for dtype in self.dtypes)

    def _judge(
        self,
        name: str,
        where: str,
        expected: Any,
        found: Any,
        *,
        bounds: Bounds | None = None,
        inside: Iterable[torch.dtype] = (),
    ) -> None:
        error, within = compare(expected, found, inside=inside)
        if bounds is not None:
            within = _within(expected, found, bounds)
        self._note(name, error, within, f"{where}, {_describe(expected)}")

    def _note(self, name: str, error: float, within: bool, where: str) -> None:
        before, was_within, first = self.verdicts.get(name, (0.0, True, ""))
        kept = first or ("" if within else where)
        self.verdicts[name] = (max(before, error), was_within and within, kept)


def _within(expected: Any, found: Any, bounds: Bounds) -> bool:
    """Whether what all submodules add up to is within the tolerance of the model, or of a dtype."""
    return (
        compare(expected, found, factor=END_TO_END)[1] or compare(expected, found, bounds=bounds)[1]
    )


def judge(
    graph: GraphModule,
    program: Program,
    parameters: Sequence[torch.Tensor],
    leaves: Sequence[Any],
    recording: Mapping[str, Any],
) -> dict[str, Any]:
    """What one recorded call looks like beside eager, ready for JSON but for ``outputs``."""
    mine, arguments = copied(parameters), copied(leaves)
    with torch.no_grad():
        outputs = list(Interpreter(graph).run(*_ordered(program, mine, arguments)))
        replay = Replay(graph, program, recording["calls"])
        replayed = replay.run(*_ordered(program, copied(parameters), copied(leaves)))
        replay.judge_outputs(replayed, recording["outputs"])
    whole = [
        (f"output {i}", a, b)
        for i, (a, b) in enumerate(zip(outputs, recording["outputs"], strict=True))
    ]
    whole += [
        (f"input {i} after the call", a, b)
        for i, (a, b) in enumerate(zip(arguments, recording["arguments"], strict=True))
    ]
    names = program.parameters.names
    whole += [
        (f"{name} after the call", a, b)
        for name, a, b in zip(names, mine, recording["parameters"], strict=True)
    ]
    bounds = replay.bounds()
    error, wrong = 0.0, ""
    for name, a, b in whole:
        difference, _ = compare(a, b)
        within = _within(a, b, bounds)
        error = max(error, difference)
        wrong = wrong or ("" if within else f"{name}, {_describe(a)}")
    numbers = [v for v in outputs if isinstance(v, torch.Tensor) and v.is_floating_point()]
    if not wrong and any(v.numel() and not v.isfinite().any() for v in numbers):
        wrong = "nothing that could be told: an output of eager has no finite number"
    return {
        "submodules": [[name, *verdict] for name, verdict in replay.verdicts.items()],
        "error": error,
        "wrong": wrong,
        "outputs": outputs,
    }


def _ordered(
    program: Program, parameters: Sequence[torch.Tensor], leaves: Sequence[Any]
) -> list[Any]:
    """Parameters and inputs in the order of the graph's placeholders."""
    used, given = iter(parameters), iter(leaves)
    sources = {"parameter": used, "input": given}
    return [
        next(sources[mark]) if mark in sources else None for mark in program.signature.placeholders
    ]


def _producer(node: Any) -> str | None:
    """The submodule that a value of the stitching graph comes from."""
    while isinstance(node, Node) and node.op == "call_function" and node.args:
        node = node.args[0]
    is_call = isinstance(node, Node) and node.op == "call_module"
    return str(node.target) if is_call else None


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype)[6:]}{list(value.shape)}"
    return type(value).__name__


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Judge every recorded call; what came out, ready for JSON."""
    from importlib import import_module

    for name in request["modules"]:
        import_module(name)
    artifact = open_artifact(request["path"], trust=request["trust"])
    programs = read_programs(artifact.manifest, artifact.path)

    @cache
    def decoded(position: int) -> tuple[GraphModule, list[torch.Tensor]]:
        """Graph and parameters of a program."""
        program = programs[position]
        data = unsqueeze(artifact.read(program.fx), program.fx)
        return stored_graphs.deserialize_graph(data), made_up_parameters(artifact, program)

    verdicts = []
    for run in request["runs"]:
        program = programs[run["program"]]
        graph, parameters = decoded(run["program"])
        leaves = made_up_inputs(program, run)
        recording = torch.load(run["file"], weights_only=True)
        try:
            verdict = judge(graph, program, parameters, leaves, recording)
        except Exception as error:  # noqa: BLE001 - whatever an op says, beside the sizes
            said = str(error).strip().partition("\n")[0]
            verdicts.append({"cannot": f"{type(error).__name__}: {said[:300]}"})
            continue
        torch.save({"expected": verdict.pop("outputs"), "found": recording["outputs"]}, run["file"])
        verdicts.append(verdict)
    return {"verdicts": verdicts}


if __name__ == "__main__":
    answer(main)
