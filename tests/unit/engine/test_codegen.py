"""Execution code is right for every graph, or says which node it cannot write."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.fx import Graph, GraphModule
from torch.utils._python_dispatch import TorchDispatchMode

from ipy_fastcompile.engine.calls.capture import capture
from ipy_fastcompile.engine.code import codegen
from ipy_fastcompile.engine.code.codegen import generate_execution_code_with_name
from ipy_fastcompile.engine.code.inline import Functions
from ipy_fastcompile.engine.graph.split import split
from ipy_fastcompile.errors import CodegenError, GrammarError, InputError
from tests.stitching import Stitched, stitch, used_parameters
from tests.tiny import everything

aten = torch.ops.aten
Build = Callable[[Graph, Any], Any]


def stitched(model: Any, *args: Any, split_at: Any = everything, **options: Any) -> Stitched:
    """A model through capture, split and codegen; every node inlined unless asked otherwise."""
    captured = capture(model, args, **options)
    graph = split(captured, split_at)
    return stitch(graph, used_parameters(captured, model, graph))


def assert_equal(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    if isinstance(found, torch.Tensor):
        assert torch.equal(found, expected)
    else:
        assert found == expected


def check_model(model: Any, *args: Any, more: Any = (), **options: Any) -> Stitched:
    """The code gives eager's outputs, all inlined and all as one kernel."""
    for split_at in (everything, lambda _: None):
        code = stitched(model, *args, split_at=split_at, **options)
        for call in (args, *more):
            with torch.no_grad():
                expected = model(*call)
            expected = expected if isinstance(expected, tuple) else (expected,)
            found = code.call(*call)
            assert len(found) == len(expected)
            for pair in zip(found, expected, strict=True):
                assert_equal(*pair)
    return stitched(model, *args, **options)


class _Seen(TorchDispatchMode):
    """What reaches the ops below the one that is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        shown = torch.utils._pytree.tree_map(_shown, (args, kwargs or {}))
        self.calls.append(f"{op} {shown}")
        return op(*args, **(kwargs or {}))


def _shown(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return value.dtype, value.shape, value.stride(), value.double().sum().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("mask", "rest", "options"),
    [
        (None, (), {}),
        (None, (0.0, True), {}),
        (None, (0.0,), {"is_causal": True, "scale": 1}),
        (torch.ones(5, 5).tril().bool(), (), {"scale": 0.25}),
        (torch.zeros(1, 1, 5, 5), (), {"scale": None, "enable_gqa": True}),
        (torch.zeros(2, 4, 5, 5), (0.0, False), {"enable_gqa": False}),
    ],
)
def test_attention_is_called_by_torchs_own_binding_which_passes_on_the_same(
    dtype: torch.dtype, mask: torch.Tensor | None, rest: tuple[Any, ...], options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    op = aten.scaled_dot_product_attention.default
    heads = 2 if options.get("enable_gqa") else 4
    query, key, value = (torch.randn(2, n, 5, 8, dtype=dtype) for n in (4, heads, heads))
    if mask is not None and mask.is_floating_point():
        mask = mask.to(dtype)
    graph = Graph()
    inputs = [graph.placeholder(name) for name in ("query", "key", "value", "mask")]
    arguments = (*inputs[:3], inputs[3] if mask is not None else None, *rest)
    graph.output((graph.call_function(op, arguments, options),))
    text = generate_execution_code_with_name(GraphModule(nn.Module(), graph), "attend")
    assert "= torch._C._nn.scaled_dot_product_attention(" in text
    namespace: dict[str, Any] = {"torch": torch}
    exec(text, namespace)
    with torch.no_grad(), _Seen() as written:
        (found,) = namespace["attend"](query, key, value, mask)
    with torch.no_grad(), _Seen() as by_name:
        expected = op(query, key, value, mask, *rest, **options)
    assert torch.equal(found, expected)
    assert written.calls == by_name.calls != []


# --- nodes, by hand ------------------------------------------------------------------------------


def run_graph(build: Build, *arguments: Any, root: nn.Module | None = None) -> tuple[str, Any]:
    """The text of a hand-made graph, and what its function returns for the arguments."""
    graph = Graph()
    inputs = [graph.placeholder(name) for name in ("x", "y", "z")[: len(arguments)]]
    graph.output(build(graph, *inputs))
    module = GraphModule(root or nn.Module(), graph)
    text = generate_execution_code_with_name(module, "function")
    functions = Functions()
    slots = functions.of(module, "again").constants
    constants = [functions.constants.tensors[slot] for slot in slots]
    namespace: dict[str, Any] = {"torch": torch, "math": math}
    exec(text, namespace)
    found = namespace["function"](*arguments, *constants)
    expected = torch.fx.Interpreter(module).run(*arguments)
    assert repr(found) == repr(expected)
    return text, found


BINARY = [
    operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.truediv,
    operator.pow, operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
    operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift, torch.sym_max,
    torch.sym_min, max, min,
]  # fmt: skip
UNARY = [
    operator.neg, operator.pos, operator.not_, operator.inv, operator.abs, abs, round, int, float,
    bool, torch.sym_float, torch.sym_int, torch.sym_not, torch.sym_sqrt, torch._sym_sqrt,
    torch._sym_log2, torch._sym_sin, math.ceil, math.floor, math.trunc, math.sqrt,
]  # fmt: skip


@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("operands", [(7, 3), (7, -3), (-7, 3)])
def test_arithmetic_of_two_sizes(function: Any, operands: tuple[int, int]) -> None:
    if function in (operator.lshift, operator.rshift, operator.pow) and min(operands) < 0:
        operands = (7, 3)
    left, right = operands
    run_graph(lambda g, x, y: (g.call_function(function, (x, y)),), left, right)
    run_graph(lambda g, x: (g.call_function(function, (x, right)),), left)
    run_graph(lambda g, y: (g.call_function(function, (left, y)),), right)


@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.__name__)
def test_functions_of_one_size(function: Any) -> None:
    run_graph(lambda g, x: (g.call_function(function, (x,)),), 7)


def test_a_choice_and_a_sum_of_sizes() -> None:
    def build(g: Graph, x: Any, y: Any) -> Any:
        test = g.call_function(operator.lt, (x, y))
        return g.call_function(torch.sym_ite, (test, x, y)), g.call_function(
            torch.sym_sum, ((x, y, 3),)
        )

    assert run_graph(build, 2, 5)[1] == (2, 10)


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ((1, 2, 3), 1),
        ((1, 2, 3), -1),
        ({"a'b": 5}, "a'b"),
        ([1, 2, 3], slice(None, None, -1)),
        ({(1, None): 6}, (1, None)),
        (torch.arange(12).view(3, 4), (slice(1, None), ..., None, 2)),
    ],
    ids=str,
)
def test_items_of_sequences_and_dicts(value: Any, index: Any) -> None:
    run_graph(lambda g, x: (g.call_function(operator.getitem, (x, index)),), value)


def test_an_item_by_a_size() -> None:
    def build(g: Graph, x: Any, y: Any) -> Any:
        return (g.call_function(operator.getitem, (x, slice(y, None))),)

    assert run_graph(build, (1, 2, 3), 1)[1] == ((2, 3),)


def test_nested_containers_as_arguments_and_outputs() -> None:
    def build(g: Graph, x: Any, y: Any) -> Any:
        stacked = g.call_function(aten.stack.default, ([x, y],), {"dim": 1})
        indexed = g.call_function(aten.index.Tensor, (stacked, [None, g.get_attr("picked")]))
        return {"a": [indexed, (x, {"b": stacked})], "c": x, "d": ()}

    root = nn.Module()
    root.picked = torch.tensor([1])
    text, _ = run_graph(build, torch.ones(2), torch.zeros(2), root=root)
    assert "constant_0" in text


def test_keyword_only_arguments() -> None:
    text, _ = run_graph(
        lambda g, x: (g.call_function(aten.add.Tensor, (x, x), {"alpha": -2}),), torch.ones(2)
    )
    assert "alpha=-2" in text


def changed(target: Any, args: Any = (), kwargs: Any = None, **inputs: Any) -> str:
    """The text of a graph with one call that FX itself could not print."""
    graph = Graph()
    placeholders = [graph.placeholder(name) for name in inputs]
    node = graph.call_function(aten.relu.default, tuple(placeholders))
    graph.output((node,))
    module = GraphModule(nn.Module(), graph)
    node.target, node.args, node.kwargs = target, (*placeholders, *args), kwargs or {}
    return generate_execution_code_with_name(module, "function")


def test_parameters_called_like_keywords_are_passed_as_written_out_dicts() -> None:
    library = torch.library.Library("fastcompile_codegen", "DEF")
    library.define("shift(Tensor x, *, int from, int lambda) -> Tensor")
    library.impl("shift", lambda x, **words: x + words["from"] * words["lambda"], "CPU")
    op = torch.ops.fastcompile_codegen.shift.default
    text = changed(op, kwargs={"from": 3, "lambda": 2}, x=None)
    assert 'shift.default(x, **{"from": 3}, **{"lambda": 2})' in text
    namespace: dict[str, Any] = {"torch": torch}
    exec(text, namespace)
    assert namespace["function"](torch.ones(2))[0].tolist() == [7.0, 7.0]


def test_an_overload_called_like_a_keyword_is_refused() -> None:
    with pytest.raises(CodegenError, match="aten::random, whose name is no attribute in Python"):
        changed(getattr(aten.random, "from"), (3, 4), x=None)


def test_a_random_number_generator_is_refused() -> None:
    with pytest.raises(CodegenError, match="whose state is not part of a graph"):
        changed(aten.rand.generator, ([2],), {"generator": torch.Generator()})


def test_dtypes_devices_layouts_memory_formats_and_odd_numbers() -> None:
    def build(g: Graph, x: Any) -> Any:
        options = {"dtype": torch.float64, "layout": torch.strided, "device": torch.device("cpu")}
        full = g.call_function(aten.full.default, ([2, 2], math.nan), options)
        clone = g.call_function(aten.clone.default, (x,), {"memory_format": torch.preserve_format})
        large = g.call_function(aten.add.Scalar, (clone, -math.inf))
        return full, large, g.call_function(aten.mul.Scalar, (x, -0.0)), 2**80

    run_graph(build, torch.ones(2, 2))


def test_values_are_freed_after_their_last_use_and_not_before() -> None:
    def build(g: Graph, x: Any) -> Any:
        first = g.call_function(aten.relu.default, (x,))
        second = g.call_function(aten.neg.default, (first,))
        third = g.call_function(aten.add.Tensor, (second, first))
        g.call_function(aten.exp.default, (third,))
        return second, x, third, third

    text, _ = run_graph(build, torch.ones(2))
    lines = [line.strip().partition("  #")[0] for line in text.splitlines()]
    assert lines[1:] == [
        "relu_default = torch.ops.aten.relu.default(x)",
        "neg_default = torch.ops.aten.neg.default(relu_default)",
        "add_tensor = torch.ops.aten.add.Tensor(neg_default, relu_default)",
        "del relu_default",
        "torch.ops.aten.exp.default(add_tensor)",
        "return (neg_default, x, add_tensor, add_tensor)",
    ]


def test_an_op_without_its_overload_is_called_as_such() -> None:
    text, _ = run_graph(lambda g, x: (g.call_function(aten.relu, (x,)),), torch.ones(2))
    assert "torch.ops.aten.relu(x)" in text


REFUSED = {
    "a method": lambda g, x: g.call_method("view", (x, -1)),
    "a module": lambda g, x: g.call_module("inner", (x,)),
    "a function of torch": lambda g, x: g.call_function(torch.relu, (x,)),
    "a function of Python": lambda g, x: g.call_function(getattr, (x, "T")),
    "a lambda": lambda g, x: g.call_function(lambda v: v, (x,)),
    "setitem": lambda g, x: g.call_function(operator.setitem, (x, 0, 1)),
    "an attribute that is no tensor": lambda g, x: g.call_function(
        aten.add.Tensor, (x, g.get_attr("number"))
    ),
    "an unknown higher-order op": lambda g, x: g.call_function(
        torch.ops.higher_order.map_impl
        if hasattr(torch.ops.higher_order, "map_impl")
        else torch.ops.higher_order.scan,
        (x,),
    ),
}


@pytest.mark.filterwarnings("ignore:Attempted to insert")
@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED.keys())
def test_a_node_without_source_text_is_refused_with_its_line(build: Build) -> None:
    graph = Graph()
    x = graph.placeholder("x")
    node = build(graph, x)
    for each in graph.nodes:
        each.meta["stack_trace"] = (
            '  File "/home/me/model.py", line 12, in forward\n    y = odd(x)\n'
        )
    graph.output((node,))
    root = nn.Module()
    root.inner, root.number = nn.Identity(), 3
    with pytest.raises(CodegenError) as caught:
        generate_execution_code_with_name(GraphModule(root, graph), "f")
    message = str(caught.value)
    assert re.match(rf"Node ({node.name}|number) \(model.py:12 in forward\) ", message)
    assert "split_at" in message


# --- whole models --------------------------------------------------------------------------------


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return torch.cond(x.sum() > 0, lambda v: (v + 1, v * 2), lambda v: (v - 1, v * 3), (x,))


class Loops(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        from torch._higher_order_ops.while_loop import while_loop

        return while_loop(
            lambda i, v: i < 3, lambda i, v: (i + 1, v * 2 + x), (torch.zeros((), dtype=int), x)
        )


class Gradients(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        with torch.enable_grad():
            y = x * 3
        return x + y


class Autocast(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = x @ x
        return y, x @ x


@pytest.mark.parametrize("model", [Branches(), Loops(), Gradients(), Autocast()], ids=type)
def test_higher_order_ops_become_statements(model: nn.Module) -> None:
    x = torch.arange(9.0).view(3, 3)
    code = check_model(model, x, more=[(-x,)])
    assert "higher_order" not in code.code.text


class Outputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.fixed = torch.arange(6.0).view(2, 3).t()  # a constant, and not contiguous

    def forward(self, x: torch.Tensor, unused: torch.Tensor, n: int) -> Any:
        y = x.relu()
        return x, y, y, self.weight, self.fixed, None, n, x.shape[0], 2 * x.shape[0] + 1, "text", y


def test_outputs_that_are_inputs_parameters_constants_sizes_or_repeated() -> None:
    x = torch.randn(4, 2)
    dynamic = {"x": {0: "rows"}}
    code = check_model(
        Outputs(), x, torch.ones(3), 7, more=[(x[:2], torch.zeros(3), 7)], dynamic=dynamic
    )
    assert "rows" in code.code.text


class Nothing(nn.Module):
    def forward(self) -> Any:
        return torch.arange(3) + 1, torch.full((2,), math.inf)


def test_no_inputs_at_all() -> None:
    code = check_model(Nothing())
    assert "def check_inputs(check):" in code.code.text
    assert "return ()" in code.code.text


class Hostile(nn.Module):
    def forward(self, torch_: Any, check: Any, kernels: Any, kernel_0: Any, inlined_0: Any) -> Any:
        print_ = check + kernels
        return torch_ * print_ - kernel_0 / inlined_0


def test_arguments_called_like_the_texts_own_words() -> None:
    check_model(Hostile(), *(torch.full((2,), float(n)) for n in range(1, 6)))


class Multiple(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        values, indices = x.max(0)
        first, _, third = x.chunk(3, 1)
        return indices, third, first * values[0]


def test_several_results_of_one_op_some_unused() -> None:
    check_model(Multiple(), torch.randn(4, 6))


class Sizes(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        n, m = x.shape[0], y.shape[1]
        both = max(n, m) * 2 - min(n, m) // 2
        return x.new_ones(both % 7 + 1), x.view(-1, 2).sum(0), n * m, math.ceil(n / 3)


def test_size_arithmetic_between_submodules() -> None:
    dynamic = {"x": {0: "n"}, "y": {1: "m"}}
    x, y = torch.randn(6, 2), torch.randn(3, 5)
    code = check_model(
        Sizes(), x, y, more=[(torch.randn(4, 2), torch.randn(3, 9))], dynamic=dynamic
    )
    assert "n * m" in code.code.text or "m * n" in code.code.text


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x.view(2, -1).sum(0), x.shape[0] // 2, x.new_zeros(x.shape[0] + 3)


def test_a_size_that_the_inputs_have_only_as_an_expression_is_solved() -> None:
    pairs = torch.export.Dim("pairs", min=2, max=9)
    code = check_model(
        Halves(), torch.randn(8), more=[(torch.randn(6),)], dynamic={"x": {0: 2 * pairs}}
    )
    assert 'pairs = check.solve("x", 0, x.size(0), 2, 0, "pairs")' in code.code.text
    with pytest.raises(InputError, match=r"Argument x, dimension 0, has size 7, .* 2\*pairs"):
        code.call(torch.randn(7))
    with pytest.raises(InputError, match=r"dimension 0 \(pairs\), has size 10, .* \[2, 9\]"):
        code.call(torch.randn(20))


class Writes(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Any:
        x.add_(1)
        y[0] = x.sum()
        return x * y


def test_in_place_updates_reach_the_callers_tensors() -> None:
    for split_at in (everything, lambda _: None):
        code = stitched(Writes(), torch.zeros(3), torch.zeros(3), split_at=split_at)
        x, y = torch.ones(3), torch.ones(3)
        (found,) = code.call(x, y)
        assert x.tolist() == [2, 2, 2]
        assert y.tolist() == [6, 1, 1]
        assert found.tolist() == [12, 2, 2]


# --- what the lines say --------------------------------------------------------------------------


def test_every_line_has_a_record_and_calls_know_their_source() -> None:
    code = stitched(Multiple(), torch.randn(4, 6)).code
    texts = code.text.splitlines()
    assert [line.line for line in code.lines] == list(range(1, len(texts) + 1))
    for line in code.lines:
        text = texts[line.line - 1]
        if line.kind == "call" or (line.kind == "inline" and line.node):
            assert line.source is not None
            assert line.source.file == __file__
            assert f"# test_codegen.py:{line.source.line} in forward: " in text
        if line.kind == "del":
            assert text.strip().startswith("del ")
            assert len(line.frees) == len(text.split(","))
        if line.kind == "return":
            assert "return " in text
    assert {line.kind for line in code.lines} >= {"call", "del", "return", "check", "inline"}


class Wide(nn.Module):
    """More tensors than fit on a line, in and out, between two pieces."""

    def forward(self, *tensors: torch.Tensor) -> Any:
        stacked = torch.stack(tensors)
        return [part + index for index, part in enumerate(stacked.unbind())]


def test_statements_longer_than_a_page_are_wrapped_and_their_lines_are_the_rest() -> None:
    tensors = [torch.full((2,), float(i)) for i in range(24)]
    stitch = stitched(Wide(), *tensors, split_at=everything)
    code, texts = stitch.code, stitch.code.text.splitlines()
    assert all(len(text.partition("  # ")[0]) <= 100 for text in texts)
    assert ") = inlined_1(stack)" in stitch.code.text  # what unbind gives, a name a line
    for function in ast.walk(ast.parse(code.text)):
        if isinstance(function, ast.stmt) and not hasattr(function, "body"):
            first, *others = code.lines[function.lineno - 1 : function.end_lineno]
            if others and not texts[first.line - 1].startswith('"""'):
                assert first.kind != "rest"
                assert {line.kind for line in others} == {"rest"}
                assert {line.submodule for line in others} == {first.submodule}
                assert {(line.defines, line.frees) for line in others} == {((), ())}
    for found, tensor in zip(stitch.call(*tensors), tensors, strict=True):
        assert torch.equal(found, tensor * 2)


def test_the_header_names_model_shapes_sizes_and_kernels() -> None:
    dynamic = {"x": {0: ("rows", 2, 50)}}
    code = stitched(Outputs(), torch.ones(4, 2), torch.ones(3), 7, dynamic=dynamic).code
    header = code.text[: code.text.index('"""', 3)]
    assert '"""Execution code of Outputs, generated by ipy_fastcompile.' in header
    assert "    x: float32[rows, 2] on cpu\n" in header
    assert "    n: always 7\n" in header
    assert "    2 <= rows <= 50\n" in header
    assert "inlined_0: submod_0" in header


def test_a_hostile_model_name_stays_in_its_docstring() -> None:
    model = type('Evil"""\nimport os\n\u202e', (Nothing,), {})()
    code = stitched(model).code
    assert code.text.count('"""') % 2 == 0
    assert "\nimport os" not in code.text
    assert code.text.isascii()
    compile(code.text, "text", "exec")


def test_a_line_outside_the_grammar_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = codegen.header_lines
    monkeypatch.setattr(codegen, "header_lines", lambda *parts: [*honest(*parts), "import os"])
    with pytest.raises(GrammarError, match=r"execution code, line \d+: Import is never generated"):
        stitched(nn.ReLU(), torch.ones(2))
