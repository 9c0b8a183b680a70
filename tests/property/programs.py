"""choices -> a random captured program: an FX graph of ATen ops over symbolic sizes, and a call.

The graph is built node by node. Every node is computed on tensors without data as it is added, so
that it has the fake value that `torch.export` would have given it; an op that does not accept its
arguments is left out again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch._subclasses import FakeTensorMode
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.symbolic_shapes import (
    DimDynamic,
    ShapeEnv,
    StatelessSymbolicContext,
)
from torch.utils import _pytree as pytree

from ipy_fastcompile.engine.calls.captured import Captured, InputSpec, ParameterSpec
from ipy_fastcompile.engine.sizes.expressions import solve_linear
from ipy_fastcompile.records import Symbol
from ipy_fastcompile.runtime.nests import flatten

aten = torch.ops.aten
# Distinct primes, so that no size is another's by accident.
EXAMPLE = {"rows": 5, "cols": 7}
OTHER = {"rows": 11, "cols": 13}
FLOATS = (1e-300, 1e300, 0.5, -0.0, 0.0, -3.25, math.nan, math.inf, -math.inf, 1 / 3)
INTEGERS = (0, 1, -1, 2, 7)
# What placeholders are called: words of the generator, of Python and of nobody.
NAMES = (
    "x", "y", "hidden_states", "torch", "check", "kernels", "parameters", "constants", "bind",
    "forward", "inlined_0", "kernel_0", "constant_0", "submod_0", "print", "lambda", "None", "max",
    "__class__", "_", "math", "mark", "rows", "cols", "unused", "x-y", "ünïcode", "import os",
    "input_ids", "True", "args", "slice",
)  # fmt: skip
PATHS = ("x", "batch['mask']", "a\nb", 'say "hi"', "'''", "\\", "#", "ünï\u202ecode", "")


@dataclass(frozen=True)
class Program:
    """A captured graph, its parameters, and how to call it.

    ``arguments(sizes)`` makes the (args, kwargs) of a call; ``parameters`` are by placeholder.
    ``specialised`` says that building fixed a symbolic size to its example.
    """

    captured: Captured
    parameters: dict[str, torch.Tensor]
    arguments: Callable[[dict[str, int]], tuple[tuple[Any, ...], dict[str, Any]]]
    specialised: bool


@dataclass
class _Builder:
    choose: Random
    graph: Graph = field(default_factory=Graph)
    root: torch.nn.Module = field(default_factory=torch.nn.Module)
    values: list[Node] = field(default_factory=list)  # tensors
    sizes: list[Node] = field(default_factory=list)
    groups: list[Node] = field(default_factory=list)  # tuples and lists of tensors
    owned: set[Node] = field(default_factory=set)  # may be written to
    constants: int = 0
    real: dict[Node, Any] = field(default_factory=dict)  # values at the example sizes

    def __post_init__(self) -> None:
        self.shape_env = ShapeEnv()
        self.fake = FakeTensorMode(shape_env=self.shape_env)
        context = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC] * 2)
        real = torch.empty(EXAMPLE["rows"], EXAMPLE["cols"])
        shape = self.fake.from_tensor(real, symbolic_context=context).shape
        self.symbols = dict(zip(EXAMPLE, shape, strict=True))

    # --- choices ---------------------------------------------------------------------------------

    def one_in(self, count: int) -> bool:
        return self.choose.randrange(count) == 0

    def tensor(self, *, floating: bool = False) -> Node:
        fit = [n for n in self.values if not floating or n.meta["val"].dtype.is_floating_point]
        return self.choose.choice(fit or self.values)

    def scalar(self, node: Node) -> Any:
        dtype = node.meta["val"].dtype
        floats = FLOATS if dtype is torch.float64 else FLOATS[2:]
        floating = dtype.is_floating_point and not self.one_in(3)
        return self.choose.choice(floats if floating else INTEGERS)

    def dim(self, node: Node) -> int:
        rank = max(1, node.meta["val"].dim())
        return self.choose.randrange(rank) - (rank if self.one_in(2) else 0)

    def number(self) -> Any:
        return self.choose.choice(self.sizes) if self.sizes and self.one_in(2) else 2

    # --- nodes -----------------------------------------------------------------------------------

    def call(self, target: Any, *args: Any, **kwargs: Any) -> Node | None:
        """Add a call and its fake value; None when the op does not take these arguments.

        Ops take tensors without data that they refuse with data, so both are tried.
        """
        reals, real_keywords = torch.fx.map_arg((args, kwargs), lambda n: self.real[n])
        fakes, keywords = torch.fx.map_arg((args, kwargs), lambda n: n.meta["val"])
        try:
            with torch.no_grad():
                real = target(*reals, **real_keywords)
            with torch.no_grad(), self.fake:
                # As export does: the same storage, no ties to the tensor it is a view of.
                value = pytree.tree_map_only(
                    torch.Tensor, torch.Tensor.detach, target(*fakes, **keywords)
                )
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
            return None
        node = self.graph.call_function(target, args, kwargs)
        self.keep(node, value, real)
        return node

    def keep(self, node: Node, value: Any, real: Any) -> None:
        node.meta["val"] = value
        self.real[node] = real
        if isinstance(value, torch.Tensor):
            self.values.append(node)
        elif isinstance(value, (tuple, list)):
            self.groups.append(node)
        elif isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool):
            self.sizes.append(node)

    def placeholder(self, name: str, value: Any, real: Any) -> Node:
        node = self.graph.placeholder(name)
        node.target = node.name  # FX makes names unique, and targets follow them in exported graphs
        node.meta["val"] = value
        self.real[node] = real
        if isinstance(value, torch.Tensor):
            self.values.append(node)
        return node

    def without_data(self, tensor: torch.Tensor) -> torch.Tensor:
        with self.fake:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)

    def like(self, node: Node) -> Node:
        """A tensor of the same shape, or one that broadcasts, where there is one."""
        shape = tuple(map(str, node.meta["val"].shape))
        fit = [n for n in self.values if tuple(map(str, n.meta["val"].shape)) == shape]
        return self.choose.choice(fit) if not self.one_in(8) else self.tensor()

    def constant(self) -> Node:
        name = f"_tensor_constant{self.constants}"
        self.constants += 1
        kind = self.choose.randrange(4)
        tensor = [
            torch.tensor(2.5),
            torch.arange(6, dtype=torch.float32).view(2, 3).t(),
            torch.tensor([[True, False]]),
            torch.tensor(3),
        ][kind]
        setattr(self.root, name, tensor)
        node = self.graph.get_attr(name)
        node.meta["val"] = self.without_data(tensor)
        self.real[node] = tensor
        self.values.append(node)
        return node

    def branch(self) -> None:
        """A ``cond``: two graphs, of which the values decide."""
        x = self.tensor(floating=True)
        test = self.call(aten.gt.Scalar, x, 0)
        test = test and self.call(aten.any.default, test)
        if test is None or not x.meta["val"].dtype.is_floating_point:
            return
        branches = []
        for name, op in (("true", aten.sin.default), ("false", aten.neg.default)):
            graph = Graph()
            inner = graph.placeholder("x_1")
            inner.meta["val"] = x.meta["val"]
            result = graph.call_function(op, (inner,))
            result.meta["val"] = x.meta["val"]
            graph.output((result,))
            target = f"{name}_graph_{self.constants}"
            setattr(self.root, target, GraphModule(torch.nn.Module(), graph))
            branches.append(self.graph.get_attr(target))
        self.constants += 1
        node = self.graph.call_function(
            torch.ops.higher_order.cond, (test, branches[0], branches[1], (x,))
        )
        with self.fake:
            node.meta["val"] = (torch.empty_like(x.meta["val"]),)
        item = self.graph.call_function(operator.getitem, (node, 0))
        self.keep(item, node.meta["val"][0], self.real[x].clone())


_UNARY = (
    aten.relu.default, aten.neg.default, aten.abs.default, aten.sin.default, aten.sigmoid.default,
    aten.clone.default, aten.alias.default, aten.ones_like.default,
)  # fmt: skip
_BINARY = (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.maximum.default, aten.eq.Tensor)
_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.complex64)


def _arithmetic(b: _Builder) -> None:
    x = b.tensor()
    kind = b.choose.randrange(6)
    if kind == 0:
        b.call(b.choose.choice(_UNARY), x)
    elif kind == 1:
        b.call(b.choose.choice(_BINARY), x, b.like(x))
    elif kind == 2:
        b.call(aten.add.Tensor, x, b.like(x), alpha=b.choose.choice((2, -1)))
    elif kind == 3:
        b.call(b.choose.choice((aten.mul.Scalar, aten.add.Scalar)), x, b.scalar(x))
    elif kind == 4:
        b.call(aten.clamp.default, x, None if b.one_in(2) else b.scalar(x), max=b.scalar(x))
    else:
        masks = [n for n in b.values if n.meta["val"].dtype is torch.bool]
        if masks:
            b.call(aten.where.self, b.choose.choice(masks), x, b.like(x))


def _convert(b: _Builder) -> None:
    x, dtype = b.tensor(), b.choose.choice(_DTYPES)
    kind = b.choose.randrange(3)
    if kind == 0:
        b.call(aten.to.dtype, x, dtype)
    elif kind == 1:
        cpu = torch.device("cpu")
        b.call(aten._to_copy.default, x, dtype=dtype, layout=torch.strided, device=cpu)
    else:
        b.call(aten.clone.default, x, memory_format=torch.contiguous_format)


def _create(b: _Builder) -> None:
    options = {"dtype": torch.float32, "device": torch.device("cpu"), "pin_memory": False}
    kind = b.choose.randrange(3)
    if kind == 0:
        b.call(aten.full.default, [b.number(), 3], b.choose.choice(FLOATS[2:]), **options)
    elif kind == 1:
        b.call(aten.arange.start_step, 0, b.number(), 1, **options)
    else:
        b.constant()


def _shape(b: _Builder) -> None:
    x = b.tensor()
    kind = b.choose.randrange(7)
    if kind == 0:
        b.call(aten.view.default, x, [-1])
    elif kind == 1:
        b.call(aten.unsqueeze.default, x, b.dim(x))
    elif kind == 2:
        b.call(aten.transpose.int, x, b.dim(x), b.dim(x))
    elif kind == 3:
        order = list(range(x.meta["val"].dim()))
        b.choose.shuffle(order)
        b.call(aten.permute.default, x, order)
    elif kind == 4:
        b.call(aten.slice.Tensor, x, b.dim(x), b.choose.choice((None, 1)), b.number())
    elif kind == 5:
        b.call(aten.select.int, x, b.dim(x), 0)
    else:
        b.call(aten.cat.default, [x, b.like(x)], b.dim(x))


def _several(b: _Builder) -> None:
    x = b.tensor(floating=True)
    kind = b.choose.randrange(4)
    if kind == 0:
        node = b.call(aten.split.Tensor, x, 2, b.dim(x)) if _static(x) else None
    elif kind == 1:
        node = b.call(aten.max.dim, x, b.dim(x), keepdim=b.one_in(2))
    elif kind == 2:
        node = b.call(aten.unbind.int, x, 0) if _static(x) else None
    else:
        node = b.call(aten.var_mean.correction, x, [0], correction=0, keepdim=True)
    if node is not None:
        _items(b, node)


def _static(node: Node) -> bool:
    return all(isinstance(n, int) for n in node.meta["val"].shape)


def _items(b: _Builder, group: Node) -> None:
    count = len(group.meta["val"])
    for index in b.choose.sample(range(count), b.choose.randint(min(1, count), count)):
        b.call(operator.getitem, group, index)


def _reduce(b: _Builder) -> None:
    x = b.tensor(floating=True)
    if b.one_in(2):
        b.call(aten.sum.dim_IntList, x, [b.dim(x)], b.one_in(2), dtype=torch.float64)
    else:
        b.call(aten.mean.dim, x, [b.dim(x)], True)


def _sizes(b: _Builder) -> None:
    if not b.sizes or b.one_in(3):
        x = b.tensor()
        if x.meta["val"].dim():
            b.call(aten.sym_size.int, x, b.choose.randrange(x.meta["val"].dim()))
        return
    left = b.choose.choice(b.sizes)
    right = b.choose.choice((2, 3, b.choose.choice(b.sizes)))
    functions = (operator.add, operator.mul, operator.sub, operator.floordiv, operator.mod)
    kind = b.choose.randrange(7)
    if kind < 5:
        b.call(functions[kind], left, right if kind < 3 else 2)
    else:
        b.call(torch.sym_max if kind == 5 else torch.sym_min, left, right)


def _write(b: _Builder) -> None:
    """In-place, on what no constant of the graph shares: inputs, and what an op made."""
    made = (aten.clone.default, aten.mul.Scalar, aten.add.Tensor)
    owned = [n for n in b.values if n in b.owned or n.target in made]
    owned = [n for n in owned if n.meta["val"].dtype.is_floating_point]
    if owned:
        x = b.choose.choice(owned)
        b.call(aten.add_.Scalar if b.one_in(2) else aten.mul_.Scalar, x, 2)


_STEPS = (
    _arithmetic, _arithmetic, _arithmetic, _convert, _create, _shape, _shape, _several, _reduce,
    _sizes, _sizes, _write,
)  # fmt: skip


def build_program(seed: int, steps: int) -> Program:
    """The random program of a seed: with fewer steps, the beginning of the same program."""
    choose = Random(seed)
    b = _Builder(choose)
    inputs, makers = _inputs(b)
    specs, parameters = _parameters(b)
    if not b.values:
        b.constant()
    for _ in range(steps):
        choose.choice(_STEPS)(b)
        if b.one_in(25):
            b.branch()
    outputs = [_output(b, inputs) for _ in range(choose.randint(1, 5))]
    b.graph.output(tuple(outputs))
    graph_module = GraphModule(b.root, b.graph)
    result = flatten(_nest(choose, list(range(len(outputs))))).nest
    names = {s.node.expr: n for n, s in b.symbols.items() if s.node.expr.is_Symbol}
    solved = [solve_linear(e) for n in inputs for e in _dims(n)]
    sized = {s[0] for s in solved if s is not None}
    known = {e: name for e, name in names.items() if e in sized}
    args_of, positional = _call(choose, inputs, makers)
    example_args, example_kwargs = args_of(EXAMPLE)
    example = [(f"argument_{i}", v) for i, v in enumerate(example_args)]
    example += example_kwargs.items()
    captured = Captured(
        graph_module=graph_module,
        model_name=choose.choice(("Random", 'Na"""me', "Ünï\\code", "x\nimport os")),
        parameters=tuple(specs),
        inputs=tuple(
            InputSpec(
                n.name,
                choose.choice(PATHS),
                not _is_tensor(n),
                None if _is_tensor(n) else m(EXAMPLE),
            )
            for n, m in zip(inputs, makers, strict=True)
        ),
        constants={s.name: parameters[s.placeholder] for s in specs if s.kind == "constant"},
        argument_names=tuple(f"argument_{i}" for i in range(positional)),
        conditions=(),
        n_positional=positional,
        arguments=tuple((name, flatten(value).nest) for name, value in example),
        result=result,
        symbols=tuple(Symbol(name, 2, None, EXAMPLE[name]) for name in known.values()),
        names=known,
        example_args=example_args,
        example_kwargs=example_kwargs,
        example_leaves=tuple(flatten((example_args, example_kwargs)).leaves),
        types={},
    )
    return Program(captured, parameters, args_of, len(names) < len(EXAMPLE))


def _is_tensor(node: Node) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _dims(node: Node) -> list[Any]:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return []
    return [n.node.expr for n in value.shape if isinstance(n, torch.SymInt)]


Maker = Callable[[dict[str, int]], Any]


def _inputs(b: _Builder) -> tuple[list[Node], list[Maker]]:
    nodes: list[Node] = []
    makers: list[Maker] = []
    for _ in range(b.choose.randrange(4)):
        name = b.choose.choice(NAMES)
        if b.one_in(6):
            value = b.choose.choice((3, 0.5, True, None, "text", math.inf))
            nodes.append(b.placeholder(name, value, value))
            makers.append(lambda _, v=value: v)
            continue
        dims = [
            b.choose.choice(("rows", "cols", "rows", "2*rows", 3, 1))
            for _ in range(b.choose.randrange(4))
        ]
        dtype = b.choose.choice((torch.float32, torch.float32, torch.int64, torch.bool))
        make = _maker(dims, dtype, b.choose.randrange(1 << 30))
        with b.fake:
            fake = torch.empty([_size(d, b.symbols) for d in dims], dtype=dtype)
        nodes.append(b.placeholder(name, fake, make(EXAMPLE)))
        makers.append(make)
        if b.one_in(3):
            b.owned.add(nodes[-1])
    return nodes, makers


def _size(dim: Any, sizes: Any) -> Any:
    if dim == "2*rows":
        return 2 * sizes["rows"]
    return sizes[dim] if isinstance(dim, str) else dim


def _maker(dims: Sequence[Any], dtype: torch.dtype, seed: int) -> Maker:
    def make(sizes: dict[str, int]) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = [_size(d, sizes) for d in dims]
        return torch.randint(-3, 4, shape, generator=generator).to(dtype)

    return make


def _parameters(b: _Builder) -> tuple[list[ParameterSpec], dict[str, torch.Tensor]]:
    specs, tensors = [], {}
    for index in range(b.choose.randrange(3)):
        tensor = torch.arange(3, dtype=torch.float32) + index
        node = b.placeholder(f"p_weight_{index}", b.without_data(tensor), tensor.clone())
        kind = b.choose.choice(("parameter", "buffer", "constant"))
        specs.append(ParameterSpec(node.name, f"layer.{index}.weight", kind))
        tensors[node.name] = tensor
    return specs, tensors


def _output(b: _Builder, inputs: Sequence[Node]) -> Any:
    """A value, a size, an input, a literal; the same one may come twice."""
    kind = b.choose.randrange(10)
    if kind == 0 and b.sizes:
        return b.choose.choice(b.sizes)
    if kind == 1:
        return b.choose.choice((None, 3, "text", True, math.inf))
    if kind == 2 and inputs:
        return b.choose.choice(inputs)
    return b.choose.choice(b.values[-4:])


def _nest(choose: Random, leaves: list[Any]) -> Any:
    """A random nest of tuples, lists and dicts with these leaves, in order."""
    if len(leaves) == 1 and choose.randrange(2):
        return leaves[0]
    parts: list[Any] = []
    rest = list(leaves)
    while rest:
        count = choose.randint(1, len(rest)) if len(leaves) > 1 else 1
        head, rest = rest[:count], rest[count:]
        whole = len(head) == len(leaves)
        parts.append(head[0] if len(head) == 1 or whole else _nest(choose, head))
        parts += head[1:] if whole else []
    kind = choose.randrange(3)
    if kind == 2:
        return {f"key {i}": part for i, part in enumerate(parts)}
    return tuple(parts) if kind else list(parts)


def _call(
    choose: Random, inputs: Sequence[Node], makers: Sequence[Maker]
) -> tuple[Callable[[dict[str, int]], Any], int]:
    """How the leaves are passed: some positional, some by keyword, some nested."""
    first = choose.randint(0, len(inputs))
    nested = choose.randrange(2)

    def arguments(sizes: dict[str, int]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        leaves = [make(sizes) for make in makers]
        args: tuple[Any, ...] = tuple(leaves[:first])
        if nested and len(args) > 1:
            args = (list(args),)
        return args, {f"keyword_{i}": leaf for i, leaf in enumerate(leaves[first:])}

    return arguments, len(arguments(EXAMPLE)[0])
