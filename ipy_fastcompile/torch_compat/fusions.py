"""a compile by Inductor -> what its scheduler was given, what it fused, and what not, and why.

torch._inductor.scheduler and the code generators for C++ and Triton; seen on 2.11 and 2.13.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple


class SeenNode(NamedTuple):
    """A node of the scheduler from before fusion; see `explained.ScheduledNode`."""

    name: str
    kind: str
    buffers: tuple[str, ...]
    origins: tuple[str, ...]
    sources: tuple[str, ...]
    ops: tuple[str, ...]
    value: str
    call: str
    trace: str


class SeenFusions:
    """What one graph's scheduler did; filled while `watched_fusions` lasts."""

    def __init__(self) -> None:
        self.nodes: list[SeenNode] = []
        self.groups: list[tuple[str, ...]] = []
        self.functions: list[tuple[str, tuple[str, ...]]] = []
        self.refusals: list[tuple[tuple[str, ...], tuple[str, ...], str]] = []
        self.was_scheduled = False


@contextlib.contextmanager
def watched_fusions(seen: SeenFusions) -> Iterator[None]:
    """While this lasts, what the scheduler of a graph does is noted in ``seen``.

    Graphs within it, such as the branches of a `torch.cond`, have schedulers of their own; these
    are left out.
    """
    from torch._inductor import scheduler
    from torch._inductor.codegen.cpp import CppScheduling
    from torch._inductor.codegen.triton import TritonScheduling

    with contextlib.ExitStack() as stack:

        def replace(owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
            # The attribute is the class's own, or that of a base class, which comes back by itself.
            own, original = vars(owner).get(name), getattr(owner, name)
            setattr(owner, name, make(original))
            if own is None:
                stack.callback(delattr, owner, name)
            else:
                stack.callback(setattr, owner, name, own)

        replace(scheduler.Scheduler, "fuse_nodes", lambda f: _fuse_nodes(f, seen))
        replace(scheduler.Scheduler, "codegen", lambda f: _codegen(f, seen))
        replace(scheduler.WhyNoFuse, "__call__", lambda f: _why(f, seen))
        for scheduling in (CppScheduling, TritonScheduling):
            replace(scheduling, "define_kernel", lambda f: _define_kernel(f, seen))
        yield


def _is_main() -> bool:
    """Whether the graph that is lowered is no part of another one."""
    from torch._inductor.graph import SubgraphLowering
    from torch._inductor.virtualized import V

    return not isinstance(V.graph, SubgraphLowering)


def _fuse_nodes(original: Callable[..., Any], seen: SeenFusions) -> Callable[..., Any]:
    def fuse_nodes(self: Any, nodes: list[Any]) -> list[Any]:
        if _is_main() and not seen.was_scheduled:
            seen.was_scheduled = True
            seen.nodes += [_seen_node(node) for each in nodes for node in each.get_nodes()]
        result: list[Any] = original(self, nodes)
        return result

    return fuse_nodes


def _codegen(original: Callable[..., Any], seen: SeenFusions) -> Callable[..., Any]:
    def codegen(self: Any, *args: Any) -> Any:
        if _is_main() and not seen.groups:
            seen.groups += map(_names, self.nodes)
        return original(self, *args)

    return codegen


def _define_kernel(original: Callable[..., Any], seen: SeenFusions) -> Callable[..., Any]:
    def define_kernel(self: Any, code: Any, nodes: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        name = original(self, code, nodes, *args, **kwargs)
        if _is_main():
            # A Triton kernel's schedule has marks between its nodes, which have no name.
            named = (node for node in nodes if hasattr(node, "get_nodes"))
            seen.functions.append((str(name), tuple(n for node in named for n in _names(node))))
        return name

    return define_kernel


def _why(original: Callable[..., Any], seen: SeenFusions) -> Callable[..., Any]:
    def why(self: Any, reason: str, *args: Any) -> Any:
        if _is_main():
            # A fused node is called after all that are in it, ``op1_op2``.
            first, second = (tuple(name.split("_")) for name in (self.name1, self.name2))
            seen.refusals.append((first, second, reason % args if args else reason))
        return original(self, reason, *args)

    return why


def _names(node: Any) -> tuple[str, ...]:
    """The names of the nodes in a fused one, or its own."""
    if not hasattr(node, "get_nodes"):  # what stands for the outputs of a graph
        return (str(node.get_name()),)
    return tuple(str(each.get_name()) for each in node.get_nodes())


def _seen_node(node: Any) -> SeenNode:
    operation = node.node
    origins = _in_order(operation)
    layouts = [b.node.maybe_get_layout() for b in node.get_outputs() if b.node is not None]
    traces = [trace for origin in origins if (trace := origin.meta.get("stack_trace"))]
    return SeenNode(
        str(node.get_name()),
        _kind(node),
        tuple(str(buffer.get_name()) for buffer in node.get_outputs()),
        tuple(origin.name for origin in origins),
        tuple(dict.fromkeys(name for origin in origins for name in _given(origin))),
        tuple(dict.fromkeys(str(o.target) for o in origins if o.op == "call_function")),
        ", ".join(filter(None, map(_value, layouts))),
        str(getattr(operation, "python_kernel_name", None) or "") if node.is_extern() else "",
        traces[-1] if traces else "",
    )


def _in_order(operation: Any) -> list[Any]:
    """The nodes that an operation comes from, in the order of their graph.

    An input that is only looked at in another way counts as none.
    """
    origins = [o for o in getattr(operation, "origins", ()) if o.op != "placeholder"]
    if not origins:
        return []
    position = {node: at for at, node in enumerate(origins[0].graph.nodes)}
    return sorted(origins, key=lambda node: position.get(node, len(position)))


def _given(node: Any) -> list[str]:
    """The names of what a node was made from in the graph that Inductor was given."""
    found: list[str] = []
    for source in node.meta.get("from_node") or ():
        while source.from_node:
            source = source.from_node[-1]
        found.append(str(source.name))
    return found


def _kind(node: Any) -> str:
    from torch._inductor import scheduler

    if node.is_template():
        return "template"
    if node.is_extern():
        # What takes a tuple apart, or is a branch, is extern to Inductor, and calls no library.
        return "extern" if getattr(node.node, "python_kernel_name", None) else "other"
    if isinstance(node, scheduler.NopKernelSchedulerNode):
        return "nop"
    if node.is_reduction():
        return "reduction"
    return "pointwise" if isinstance(node, scheduler.SchedulerNode) else "other"


def _value(layout: Any) -> str:
    """``float32[2, s0, 64]``, with strides where they are not those of a contiguous tensor."""
    if layout is None or not hasattr(layout, "size"):
        return ""
    text = f"{str(layout.dtype)[6:]}[{', '.join(map(str, layout.size))}]"
    if not layout.is_contiguous():
        text += f" strides [{', '.join(map(str, layout.stride))}]"
    return text
