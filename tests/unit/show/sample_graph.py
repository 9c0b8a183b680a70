"""Nodes, FX graphs and output code of one Llama-like layer, made up but consistent."""

from __future__ import annotations

from dataclasses import dataclass, field

from ipy_fastcompile.records import GraphRecord, NodeRecord, Size, Source, Value

SEQ = 16  # example sequence length
HIDDEN, HEADS, INNER, VOCABULARY = 64, 4, 172, 512
HEAD = HIDDEN // HEADS
FILE = "/home/ada/models/modeling_llama.py"


def tensor(
    name: str, shape: tuple[Size, ...], *, dtype: str = "float32", view: bool = False
) -> Value:
    """A contiguous CPU tensor; ``seq`` in the shape is the symbolic sequence length."""
    width = {"float32": 4, "int64": 8, "bool": 1}[dtype]
    factor, symbolic = width, False
    for size in shape:
        factor, symbolic = (factor, True) if size == "seq" else (factor * int(size), symbolic)
    stride: list[Size] = []
    run: Size = 1
    for size in reversed(shape):
        stride.append(run)
        run = (
            f"{run}*seq" if size == "seq" else run if run == 1 and size == 1 else _times(run, size)
        )
    text: Size = f"{factor}*seq" if symbolic else factor
    return Value(
        name=name,
        kind="tensor",
        dtype=dtype,
        shape=shape,
        stride=tuple(reversed(stride)),
        device="cpu",
        bytes=0 if view else text,
        example_bytes=0 if view else factor * (SEQ if symbolic else 1),
    )


def _times(run: Size, size: Size) -> Size:
    return run * int(size) if isinstance(run, int) else f"{run}*{size}"


@dataclass
class Trace:
    """Writes nodes one after the other, as a capture does."""

    prefix: str
    nodes: list[NodeRecord] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def take(self, value: Value) -> str:
        """A placeholder."""
        self.nodes.append(NodeRecord(value.name, "placeholder", value.name, value=value))
        self.values[value.name] = value
        return value.name

    def op(
        self,
        target: str,
        *inputs: str,
        shape: tuple[Size, ...],
        at: tuple[int, str, str],
        extra: str = "",
        view: bool = False,
        dtype: str = "float32",
    ) -> str:
        """A call of ``target``; ``at`` is (line, function, text of the line)."""
        base = target.split(".")[1]
        number = self.count.get(base, 0)
        self.count[base] = number + 1
        name = f"{self.prefix}{base}" if number == 0 else f"{self.prefix}{base}_{number}"
        value = tensor(name, shape, view=view, dtype=dtype)
        line, function, text = at
        self.nodes.append(
            NodeRecord(
                name,
                "call_function",
                target,
                ", ".join([*inputs, *([extra] if extra else [])]),
                tuple(inputs),
                value,
                Source(FILE, line, function, text),
                self.module,
            )
        )
        self.values[name] = value
        return name

    module: str = ""

    def finish(self, *outputs: str) -> tuple[NodeRecord, ...]:
        """The nodes, closed by the output node."""
        arguments = f"({', '.join(outputs)},)"
        return (*self.nodes, NodeRecord("output", "output", "output", arguments, outputs))


STATE: tuple[Size, ...] = (1, "seq", HIDDEN)
SPLIT: tuple[Size, ...] = (1, HEADS, "seq", HEAD)


def norm(t: Trace, x: str, weight: str) -> str:
    at = (71, "LlamaRMSNorm.forward", "variance = hidden_states.pow(2).mean(-1, keepdim=True)")
    power = t.op("aten.pow.Tensor_Scalar", x, extra="2", shape=STATE, at=at)
    mean = t.op("aten.mean.dim", power, extra="[-1], True", shape=(1, "seq", 1), at=at)
    at = (72, "LlamaRMSNorm.forward", "x = hidden_states * torch.rsqrt(variance + self.eps)")
    plus = t.op("aten.add.Tensor", mean, extra="1e-06", shape=(1, "seq", 1), at=at)
    root = t.op("aten.rsqrt.default", plus, shape=(1, "seq", 1), at=at)
    scaled = t.op("aten.mul.Tensor", x, root, shape=STATE, at=at)
    at = (73, "LlamaRMSNorm.forward", "return self.weight * x.to(input_dtype)")
    return t.op("aten.mul.Tensor", weight, scaled, shape=STATE, at=at)


def rotate(t: Trace, x: str, cos: str, sin: str) -> str:
    at = (134, "apply_rotary_pos_emb", "q_embed = (q * cos) + (rotate_half(q) * sin)")
    half: tuple[Size, ...] = (1, HEADS, "seq", HEAD // 2)
    straight = t.op("aten.mul.Tensor", x, cos, shape=SPLIT, at=at)
    low_at = (108, "rotate_half", "x1 = x[..., : x.shape[-1] // 2]")
    low = t.op("aten.slice.Tensor", x, extra=f"3, 0, {HEAD // 2}", shape=half, at=low_at, view=True)
    high_at = (109, "rotate_half", "x2 = x[..., x.shape[-1] // 2 :]")
    high = t.op(
        "aten.slice.Tensor", x, extra=f"3, {HEAD // 2}, {HEAD}", shape=half, at=high_at, view=True
    )
    cat_at = (110, "rotate_half", "return torch.cat((-x2, x1), dim=-1)")
    minus = t.op("aten.neg.default", high, shape=half, at=cat_at)
    turned = t.op("aten.cat.default", minus, low, extra="-1", shape=SPLIT, at=cat_at)
    crossed = t.op("aten.mul.Tensor", turned, sin, shape=SPLIT, at=at)
    return t.op("aten.add.Tensor", straight, crossed, shape=SPLIT, at=at)


def before_attention(t: Trace, x: str, weights: list[str], cos: str, sin: str) -> tuple[str, ...]:
    scale, *projections = weights
    h = norm(t, x, scale)
    heads = []
    for letter, weight, line in zip("qkv", projections, (238, 239, 240), strict=True):
        text = f"{letter} = self.{letter}_proj(hidden_states).view(hidden_shape).transpose(1, 2)"
        at = (line, "LlamaAttention.forward", text)
        flat = t.op("aten.linear.default", h, weight, shape=STATE, at=at)
        shaped = t.op(
            "aten.view.default",
            flat,
            extra=f"[1, seq, {HEADS}, {HEAD}]",
            shape=(1, "seq", HEADS, HEAD),
            at=at,
            view=True,
        )
        heads.append(
            t.op("aten.transpose.int", shaped, extra="1, 2", shape=SPLIT, at=at, view=True)
        )
    return rotate(t, heads[0], cos, sin), rotate(t, heads[1], cos, sin), heads[2]


def after_attention(t: Trace, attended: str, x: str, weights: list[str]) -> str:
    out, scale, gate, up, down = weights
    at = (262, "LlamaAttention.forward", "attn_output = attn_output.reshape(*input_shape, -1)")
    turned = t.op(
        "aten.transpose.int",
        attended,
        extra="1, 2",
        shape=(1, "seq", HEADS, HEAD),
        at=at,
        view=True,
    )
    flat = t.op("aten.reshape.default", turned, extra=f"[1, seq, {HIDDEN}]", shape=STATE, at=at)
    at = (263, "LlamaAttention.forward", "attn_output = self.o_proj(attn_output)")
    projected = t.op("aten.linear.default", flat, out, shape=STATE, at=at)
    at = (301, "LlamaDecoderLayer.forward", "hidden_states = residual + hidden_states")
    x = t.op("aten.add.Tensor", x, projected, shape=STATE, at=at)
    h = norm(t, x, scale)
    at = (
        164,
        "LlamaMLP.forward",
        "return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))",
    )
    wide: tuple[Size, ...] = (1, "seq", INNER)
    left = t.op("aten.linear.default", h, gate, shape=wide, at=at)
    left = t.op("aten.silu.default", left, shape=wide, at=at)
    right = t.op("aten.linear.default", h, up, shape=wide, at=at)
    both = t.op("aten.mul.Tensor", left, right, shape=wide, at=at)
    narrow = t.op("aten.linear.default", both, down, shape=STATE, at=at)
    at = (307, "LlamaDecoderLayer.forward", "hidden_states = residual + hidden_states")
    return t.op("aten.add.Tensor", x, narrow, shape=STATE, at=at)


def weights(layer: int, *, before: bool) -> list[Value]:
    root = f"p_model_layers_{layer}_"
    square = (HIDDEN, HIDDEN)
    if before:
        return [
            tensor(root + "input_layernorm_weight", (HIDDEN,)),
            *(tensor(f"{root}self_attn_{x}_proj_weight", square) for x in "qkv"),
        ]
    return [
        tensor(root + "self_attn_o_proj_weight", square),
        tensor(root + "post_attention_layernorm_weight", (HIDDEN,)),
        tensor(root + "mlp_gate_proj_weight", (INNER, HIDDEN)),
        tensor(root + "mlp_up_proj_weight", (INNER, HIDDEN)),
        tensor(root + "mlp_down_proj_weight", (HIDDEN, INNER)),
    ]


def fx_code(nodes: tuple[NodeRecord, ...]) -> str:
    names = [n.name for n in nodes if n.op == "placeholder"]
    lines = [f"def forward(self, {', '.join(names)}):"]
    for node in nodes:
        if node.op == "call_function":
            assert node.value is not None
            shape = ", ".join(map(str, node.value.shape))
            lines.append(
                f'    {node.name}: "f32[{shape}]" = torch.ops.{node.target}({node.arguments})'
            )
        elif node.op == "output":
            lines.append(f"    return {node.arguments}")
    return "\n".join(lines) + "\n"


def output_code(name: str, graph: GraphRecord) -> tuple[str, str, tuple[tuple[int, Source], ...]]:
    """Something that looks like Inductor's output module, and the source of its lines."""
    kernel = f"cpp_fused_add_mean_mul_pow_rsqrt_{graph.index}"
    source = f"""#include <torch/csrc/inductor/cpp_prefix.h>
extern "C" void {kernel}(const float* in_ptr0, float* out_ptr0, const int64_t ks0)
{{
    #pragma omp parallel num_threads(2)
    {{
        int tid = omp_get_thread_num();
        {{
            #pragma omp for
            for (int64_t x0 = 0; x0 < ks0; x0 += 1)
            {{
                float tmp_acc0 = 0;
                at::vec::Vectorized<float> tmp_acc0_vec = at::vec::Vectorized<float>(0);
                for (int64_t x1 = 0; x1 < {HIDDEN}; x1 += 8)
                {{
                    auto tmp0 = at::vec::Vectorized<float>::loadu(in_ptr0 + x1 + {HIDDEN} * x0, 8);
                    tmp_acc0_vec = tmp_acc0_vec + tmp0 * tmp0;
                }}
                tmp_acc0 += at::vec::vec_reduce_all<float>(tmp_acc0_vec);
                out_ptr0[x0] = 1 / std::sqrt(tmp_acc0 / {HIDDEN}.0f + 1e-06f);
            }}
        }}
    }}
}}
"""
    lines = [
        "# AOT ID: ['0_inference']",
        "import torch",
        "from torch._inductor.codecache import AsyncCompile",
        "from torch._inductor.select_algorithm import extern_kernels",
        "",
        "async_compile = AsyncCompile()",
        f"{kernel} = async_compile.cpp_pybinding(['const float*', 'const float*', 'float*'], r'''",
        *source.splitlines(),
        "''')",
        "",
        "def call(args):",
        f"    # {name}",
        "    arg0_1, arg1_1, arg2_1 = args",
        "    args.clear()",
    ]
    mapped: list[tuple[int, Source]] = []
    for number, node in enumerate(n for n in graph.nodes if n.op == "call_function"):
        if "linear" not in node.target and "mean" not in node.target:
            continue
        assert node.source is not None
        assert node.value is not None
        shape = ", ".join("s0" if s == "seq" else str(s) for s in node.value.shape)
        lines.append(
            f"    buf{number} = empty_strided_cpu(({shape}), ({HIDDEN}, 1), torch.float32)"
        )
        call = (
            "extern_kernels.mm(arg0_1, arg1_1, out=buf%d)"
            if "linear" in node.target
            else f"{kernel}(arg0_1, arg1_1, buf%d, s0)"
        )
        lines.append("    " + call % number)
        mapped += [(len(lines) - 1, node.source), (len(lines), node.source)]
    lines.append("    return (buf0, buf1)")
    return "\n".join(lines) + "\n", source, tuple(mapped)
