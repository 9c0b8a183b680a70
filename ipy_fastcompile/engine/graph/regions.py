"""captured graph -> the same without regions: what they change about their ops is in the ops.

`torch.export` keeps some regions of a model as they were written: the part under `torch.autocast`
or under a gradient mode is a graph of its own, called by an op, or stands between the calls that
begin and end it, as does what runs under `torch.vmap`. Inductor does not take such graphs, or
cannot store what it makes of them. Here the region's ops are traced once more, as they run, with
every cast and every batch dimension explicit; a gradient mode changes nothing, since nothing
records gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Interpreter, Node

from ...errors import CaptureError
from ...torch_compat import ops, retrace
from ..code.sources import place, read_source

_GRADIENT_MODE = "wrap_with_set_grad_enabled"
_AUTOCAST = "wrap_with_autocast"
_FLAT_APPLY = (
    "flat_apply"  # an autograd.Function, as flex_attention's indexing of what it closes over
)
_ENTER, _EXIT = "_enter_autocast", "_exit_autocast"


def flatten_regions(graph_module: GraphModule) -> GraphModule:
    """Replace every region of a graph, and of the graphs that its ops take, by its ops.

    Raises `CaptureError` naming the region that cannot be traced again, and for `torch.func.grad`,
    of which `torch.export` makes a graph that holds the example's values.
    """
    for child in graph_module.children():
        if isinstance(child, GraphModule) and _is_branch(graph_module, child):
            flatten_regions(child)
    changed = _flatten_transforms(graph_module)
    for node in list(graph_module.graph.nodes):
        name = _higher_order(node)
        if name == _GRADIENT_MODE:
            _replace(graph_module, node, _attribute(graph_module, node.args[1]), node.args[2:])
        elif name == _AUTOCAST:
            inner = _attribute(graph_module, node.args[4])
            traced = _retrace(_under_autocast(inner, node.args[:3]), node.args[5:], node)
            _replace(graph_module, node, traced, node.args[5:])
        else:
            continue
        changed = True
    if changed:
        _drop_unused(graph_module)
        graph_module.graph.lint()
        graph_module.recompile()
        return flatten_regions(graph_module)
    _refuse_gradients(graph_module)
    return graph_module


def _drop_unused(graph_module: GraphModule) -> None:
    """Forget the graphs and constants that no op takes any more."""
    for node in reversed(list(graph_module.graph.nodes)):
        if node.op == "get_attr" and not node.users:
            graph_module.graph.erase_node(node)


def _refuse_gradients(graph_module: GraphModule) -> None:
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and _name(node.target) == "_unwrap_for_grad":
            source = read_source(node.meta.get("stack_trace"))
            raise CaptureError(
                f"The model differentiates{f' at {place(source)}' if source else ''}, and "
                "torch.export captures only the gradient at the example's values.",
                "Leave torch.func.grad and its relatives out of the compiled call.",
                node=node.name,
                is_of_export=True,
            )


def _name(target: Any) -> str:
    return str(getattr(target, "_name", "") or getattr(target, "__name__", ""))


def _higher_order(node: Node) -> str:
    return _name(node.target) if ops.is_higher_order(node.target) else ""


def _under_autocast(inner: GraphModule, options: Sequence[Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        with _autocast(*options):
            return _Runner(inner).run(*args)

    return run


def _is_branch(graph_module: GraphModule, child: GraphModule) -> bool:
    """Whether a graph is taken by an op that stays: a branch, a loop's body, a score's function."""
    for node in graph_module.graph.nodes:
        if node.op == "get_attr" and getattr(graph_module, str(node.target), None) is child:
            return any(_higher_order(u) not in ("", _GRADIENT_MODE, _AUTOCAST) for u in node.users)
    return False


def _attribute(graph_module: GraphModule, node: Any) -> GraphModule:
    inner = getattr(graph_module, str(node.target))
    assert isinstance(inner, GraphModule)
    return inner


class _Runner(Interpreter):
    """Runs a region's graph as the model ran it, the regions inside included."""

    def __init__(self, module: GraphModule) -> None:
        super().__init__(module)
        self._open: list[Callable[[], Any]] = []

    def run(self, *args: Any, **options: Any) -> Any:
        try:
            return super().run(*args, **options)
        finally:
            while self._open:  # only after an error: what was begun would go on for ever
                self._open.pop()()

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        name = _name(target)
        if name == _GRADIENT_MODE:
            return _Runner(args[1]).run(*args[2:])
        if name == _AUTOCAST:
            with _autocast(*args[:3]):
                return _Runner(args[4]).run(*args[5:])
        if name == _ENTER:
            mode = _autocast(*args[:3])
            mode.__enter__()
            self._open.append(lambda: mode.__exit__(None, None, None))
            return mode
        if name == _EXIT:
            return self._open.pop()()
        step = _nesting(name)
        if step < 0:
            self._open.pop()
        result = super().call_function(target, args, kwargs)
        if step > 0:
            self._open.append(retrace.end_of_transform(target))
        return result


def _autocast(device: str, dtype: Any, enabled: Any) -> Any:
    """As the model's, without a cache: what is traced depends on nothing traced before."""
    return torch.autocast(device, dtype=dtype, enabled=bool(enabled), cache_enabled=False)


def _retrace(function: Callable[..., Any], arguments: Sequence[Any], at: Node) -> GraphModule:
    values = [a.meta["val"] if isinstance(a, Node) else a for a in arguments]
    try:
        return retrace.retrace(function, values)
    except Exception as error:  # the ops of the model run: anything comes
        source = read_source(at.meta.get("stack_trace"))
        where = f" at {place(source)}" if source else ""
        raise CaptureError(
            f"The part under {_words(at)}{where} cannot be traced with what it changes: "
            f"{type(error).__name__}: {str(error).strip():.200}.",
            "Report this model, or move that part out of the compiled call.",
            node=at.name,
        ) from error


def _words(node: Node) -> str:
    """``torch.autocast``, ``torch.vmap``: what a user called to begin a region."""
    name = _name(node.target)
    if name in (_AUTOCAST, _ENTER):
        return "torch.autocast"
    return f"torch.{name.strip('_').removesuffix('_increment_nesting')}"


def _replace(
    graph_module: GraphModule, node: Node, inner: GraphModule, arguments: Sequence[Any]
) -> None:
    """Put the nodes of a graph in the place of its call."""
    results = _insert(graph_module, node, inner, arguments)
    _give(node, results)
    graph_module.graph.erase_node(node)


def _give(node: Node, value: Any) -> None:
    """Let the users of a node, or of its items, use what stands for it."""
    if isinstance(value, (tuple, list)):
        for user in list(node.users):
            position: Any = user.args[1]
            user.replace_all_uses_with(value[position])
            node.graph.erase_node(user)
    else:
        node.replace_all_uses_with(value)


def _insert(
    graph_module: GraphModule, before: Node, inner: GraphModule, arguments: Sequence[Any]
) -> Any:
    """Copy a graph's nodes before a node; what it returns, in terms of the copies."""
    graph = graph_module.graph
    copies: dict[Node, Any] = {}
    passed = iter(arguments)
    with graph.inserting_before(before):
        for node in inner.graph.nodes:
            if node.op == "placeholder":
                copies[node] = next(passed)
            elif node.op == "get_attr":
                name = _adopt(graph_module, inner, str(node.target))
                copies[node] = graph.get_attr(name)
                copies[node].meta = dict(node.meta)
            elif node.op == "output":
                return torch.fx.map_arg(node.args[0], lambda n: copies[n])
            else:
                copies[node] = graph.node_copy(node, lambda n: copies[n])
                for key in ("stack_trace", "nn_module_stack"):
                    if key not in node.meta and key in before.meta:
                        copies[node].meta[key] = before.meta[key]
    raise AssertionError("a graph without output")


def _adopt(graph_module: GraphModule, inner: GraphModule, target: str) -> str:
    """Give a graph what another one holds as an attribute, under a name that is free."""
    value = getattr(inner, target)
    name, number = target, 0
    while hasattr(graph_module, name) and getattr(graph_module, name) is not value:
        number += 1
        name = f"{target}_{number}"
    setattr(graph_module, name, value)
    return name


# --- what begins and ends by a call: autocast, vmap and other transforms of functions ------------


def _nesting(name: str) -> int:
    """1 for a function that begins a transform, -1 for one that ends it, else 0."""
    if name == _ENTER or name.endswith("_increment_nesting"):
        return 1
    return -1 if name == _EXIT or name.endswith("_decrement_nesting") else 0


def _flatten_transforms(graph_module: GraphModule) -> bool:
    graph = graph_module.graph
    depth = 0
    region: list[Node] = []
    found: list[list[Node]] = []
    for node in graph.nodes:
        step = _nesting(_name(node.target)) if node.op == "call_function" else 0
        depth += step
        if depth or step:
            region.append(node)
        elif _higher_order(node) == _FLAT_APPLY:
            found.append([node])
        if step < 0 and not depth:
            found.append(region)
            region = []
    for nodes in found:
        _flatten_transform(graph_module, nodes)
    return bool(found)


def _flatten_transform(
    graph_module: GraphModule, nodes: Sequence[Node], runner: type[_Runner] = _Runner
) -> None:
    members = set(nodes)
    inside = Graph()
    copies: dict[Node, Node] = {}
    arguments: list[Node] = []
    for node in nodes:
        for needed in node.all_input_nodes:
            if needed in members or needed in copies:
                continue
            if needed.op == "get_attr":
                copies[needed] = inside.node_copy(needed)
            else:
                copies[needed] = inside.placeholder(needed.name)
                arguments.append(needed)
    for node in nodes:
        copies[node] = inside.node_copy(node, lambda n: copies[n])
    results = [n for n in nodes if any(user not in members for user in n.users)]
    inside.output(tuple(copies[n] for n in results))
    traced = _retrace(runner(GraphModule(graph_module, inside)).run, arguments, nodes[0])
    values = _insert(graph_module, nodes[0], traced, arguments)
    for node, value in zip(results, values, strict=True):
        _give(node, value)
    for node in reversed(nodes):
        graph_module.graph.erase_node(node)


# --- ops that take graphs, where Inductor refuses them -------------------------------------------


class _Spelled(_Runner):
    """Runs ops that take graphs by what PyTorch runs for them in eager mode."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        eager = retrace.eager_implementation(target)
        return eager(*args, **kwargs) if eager else super().call_function(target, args, kwargs)


def spell_out(graph_module: GraphModule, names: Iterable[str]) -> tuple[str, ...]:
    """Replace nodes of such ops by the ops that eager mode runs for them; the names of those."""
    wanted = set(names)
    nodes = [
        node
        for node in graph_module.graph.nodes
        if node.name in wanted and retrace.eager_implementation(node.target)
    ]
    for node in nodes:
        _flatten_transform(graph_module, [node], _Spelled)
    if nodes:
        _drop_unused(graph_module)
        graph_module.recompile()
    return tuple(node.name for node in nodes)
