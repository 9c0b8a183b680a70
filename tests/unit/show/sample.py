"""layer count -> `Report`: a Llama-like compile, made up but shaped like a real one.

Every submodule, name, edge, line and byte in it is consistent with the others, so that views can
be tested without a compiler. The numbers of seconds are plausible, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ipy_fastcompile.records import (
    ArtifactRecord,
    BinaryRecord,
    GraphRecord,
    KernelRecord,
    KernelSource,
    LineRecord,
    NodeRecord,
    ReloadRecord,
    Report,
    Size,
    Source,
    StageRecord,
    SubmoduleRecord,
    Symbol,
    Value,
)

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


def _norm(t: Trace, x: str, weight: str) -> str:
    at = (71, "LlamaRMSNorm.forward", "variance = hidden_states.pow(2).mean(-1, keepdim=True)")
    power = t.op("aten.pow.Tensor_Scalar", x, extra="2", shape=STATE, at=at)
    mean = t.op("aten.mean.dim", power, extra="[-1], True", shape=(1, "seq", 1), at=at)
    at = (72, "LlamaRMSNorm.forward", "x = hidden_states * torch.rsqrt(variance + self.eps)")
    plus = t.op("aten.add.Tensor", mean, extra="1e-06", shape=(1, "seq", 1), at=at)
    root = t.op("aten.rsqrt.default", plus, shape=(1, "seq", 1), at=at)
    scaled = t.op("aten.mul.Tensor", x, root, shape=STATE, at=at)
    at = (73, "LlamaRMSNorm.forward", "return self.weight * x.to(input_dtype)")
    return t.op("aten.mul.Tensor", weight, scaled, shape=STATE, at=at)


def _rotate(t: Trace, x: str, cos: str, sin: str) -> str:
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


def _before_attention(t: Trace, x: str, weights: list[str], cos: str, sin: str) -> tuple[str, ...]:
    norm, *projections = weights
    h = _norm(t, x, norm)
    heads = []
    for letter, weight, line in zip("qkv", projections, (238, 239, 240), strict=True):
        text = f"{letter} = self.{letter}_proj(hidden_states).view(hidden_shape).transpose(1, 2)"
        at = (line, "LlamaAttention.forward", text)
        flat = t.op("aten.linear.default", h, weight, shape=STATE, at=at)
        shaped = t.op("aten.view.default", flat, extra=f"[1, seq, {HEADS}, {HEAD}]",
                      shape=(1, "seq", HEADS, HEAD), at=at, view=True)  # fmt: skip
        heads.append(
            t.op("aten.transpose.int", shaped, extra="1, 2", shape=SPLIT, at=at, view=True)
        )
    return _rotate(t, heads[0], cos, sin), _rotate(t, heads[1], cos, sin), heads[2]


def _after_attention(t: Trace, attended: str, x: str, weights: list[str]) -> str:
    out, norm, gate, up, down = weights
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
    h = _norm(t, x, norm)
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


def _weights(layer: int, *, before: bool) -> list[Value]:
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


def _fx_code(nodes: tuple[NodeRecord, ...]) -> str:
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


def _output_code(name: str, graph: GraphRecord) -> tuple[str, str, tuple[tuple[int, Source], ...]]:
    """Something that looks like Inductor's output module, and which line stems from which source."""
    kernel = f"cpp_fused_add_mean_mul_pow_rsqrt_{graph.index}"
    source = f"""#include <torch/csrc/inductor/cpp_prefix.h>
extern "C" void {kernel}(const float* in_ptr0, const float* in_ptr1, float* out_ptr0, const int64_t ks0)
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
        assert node.source is not None and node.value is not None
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


@dataclass
class _Draft:
    name: str
    inlined: bool
    reason: str
    module: str
    kind: str
    inputs: list[Value]
    outputs: list[Value]


def _drafts(layers: int) -> list[_Draft]:
    ids = tensor("input_ids", (1, "seq"), dtype="int64")
    embed = tensor("p_model_embed_tokens_weight", (VOCABULARY, HIDDEN))
    frequencies = tensor("b_model_rotary_emb_inv_freq", (HEAD // 2,))
    cos, sin = (tensor(n, (1, 1, "seq", HEAD)) for n in ("cos", "sin"))
    hidden = tensor("hidden_0", STATE)
    drafts, heads = [], [tensor(f"{n}_0", SPLIT) for n in ("query", "key", "value")]
    drafts.append(_Draft("submod_0", False, "the graph's first ops", "model", "first",
                         [ids, embed, frequencies, *_weights(0, before=True)],
                         [hidden, cos, sin, *heads]))  # fmt: skip
    for layer in range(layers):
        attended = tensor(f"attention_{layer}", SPLIT)
        drafts.append(_Draft(f"submod_{2 * layer + 1}", True,
                             "aten::scaled_dot_product_attention is a splitting op",
                             f"model.layers.{layer}.self_attn", "attention", heads, [attended]))  # fmt: skip
        inputs = [attended, hidden, *_weights(layer, before=False)]
        if layer + 1 == layers:
            inputs += [tensor("p_model_norm_weight", (HIDDEN,)),
                       tensor("p_lm_head_weight", (VOCABULARY, HIDDEN))]  # fmt: skip
            logits = tensor("logits", (1, "seq", VOCABULARY))
            drafts.append(_Draft(f"submod_{2 * layer + 2}", False,
                                 "follows a splitting op", "", "last", inputs, [logits]))  # fmt: skip
            break
        inputs += [*_weights(layer + 1, before=True), cos, sin]
        hidden = tensor(f"hidden_{layer + 1}", STATE)
        heads = [tensor(f"{n}_{layer + 1}", SPLIT) for n in ("query", "key", "value")]
        drafts.append(_Draft(f"submod_{2 * layer + 2}", False, "follows a splitting op",
                             "model.layers", "layer", inputs, [hidden, *heads]))  # fmt: skip
    return drafts


def _graph(index: int, draft: _Draft) -> GraphRecord:
    t = Trace("")
    names = [t.take(value) for value in draft.inputs]
    if draft.kind == "attention":
        at = (
            249,
            "sdpa_attention_forward",
            "attn_output = torch.nn.functional.scaled_dot_product_attention(",
        )
        t.module = draft.module
        outputs = [t.op("aten.scaled_dot_product_attention.default", *names,
                        extra="None, 0.0, True", shape=SPLIT, at=at)]  # fmt: skip
    elif draft.kind == "first":
        t.module = "model"
        ids, table, frequencies, *weights = names
        at = (395, "LlamaModel.forward", "inputs_embeds = self.embed_tokens(input_ids)")
        x = t.op("aten.embedding.default", table, ids, shape=STATE, at=at)
        at = (
            91,
            "LlamaRotaryEmbedding.forward",
            "freqs = (inv_freq @ position_ids).transpose(1, 2)",
        )
        angles = t.op("aten.matmul.default", frequencies, ids, shape=(1, 1, "seq", HEAD), at=at)
        at = (93, "LlamaRotaryEmbedding.forward", "cos, sin = emb.cos(), emb.sin()")
        cos = t.op("aten.cos.default", angles, shape=(1, 1, "seq", HEAD), at=at)
        sin = t.op("aten.sin.default", angles, shape=(1, 1, "seq", HEAD), at=at)
        t.module = "model.layers.0"
        outputs = [x, cos, sin, *_before_attention(t, x, weights, cos, sin)]
    else:
        attended, x, *weights = names
        t.module = "model.layers.0"
        x = _after_attention(t, attended, x, weights[:5])
        if draft.kind == "layer":
            t.module = "model.layers.1"
            cos, sin = weights[-2:]
            outputs = [x, *_before_attention(t, x, weights[5:9], cos, sin)]
        else:
            t.module = "model.norm"
            h = _norm(t, x, weights[5])
            t.module = "lm_head"
            at = (512, "LlamaForCausalLM.forward", "logits = self.lm_head(hidden_states)")
            outputs = [
                t.op("aten.linear.default", h, weights[6], shape=(1, "seq", VOCABULARY), at=at)
            ]
    nodes = t.finish(*outputs)
    return GraphRecord(index, f"{index + 7:02x}" * 32, nodes, _fx_code(nodes))


def _execution(
    drafts: list[_Draft],
    graphs: dict[str, GraphRecord],
    callees: list[str],
    *,
    profiled: bool,
    title: str,
) -> tuple[str, list[LineRecord], dict[str, tuple[int, int]]]:
    """The generated text, what its lines do, and the lines of each submodule's call."""
    text: list[str] = []
    lines: list[LineRecord] = []
    live: dict[str, Value] = {}

    def write(code: str, kind: str = "other", **facts: object) -> None:
        text.append(code)
        total = sum(v.example_bytes for v in live.values())
        per_seq = total // SEQ
        lines.append(LineRecord(len(text), kind, live_bytes=total,
                                live=f"{per_seq}*seq" if per_seq else "", **facts))  # type: ignore[arg-type]  # fmt: skip

    for line in title.splitlines():
        write(line)
    write("import torch")
    write("")
    attention = graphs["attention"]
    call = next(n for n in attention.nodes if n.op == "call_function")
    write("def attention(query, key, value):", "inline")
    write(f"    {call.name} = torch.ops.{call.target}(query, key, value, None, 0.0, True)", "inline",
          submodule=1, node=call.name, source=call.source)  # fmt: skip
    write(f"    return ({call.name},)", "inline")
    write("")
    write("def run(kernels, parameters, input_ids):", "check")
    write("    check_input_ids(input_ids)", "check", node="input_ids")
    last_use: dict[str, int] = {}
    for number, draft in enumerate(drafts):
        last_use |= {v.name: number for v in draft.inputs}
    where: dict[str, tuple[int, int]] = {}
    known: dict[str, Value] = {}
    for number, draft in enumerate(drafts):
        graph = graphs[draft.kind]
        first = next(n for n in graph.nodes if n.op == "call_function")
        callee = callees[number]
        results = ", ".join(v.name for v in draft.outputs) + (
            "," if len(draft.outputs) == 1 else ""
        )
        arguments = ", ".join(
            f'parameters["{v.name}"]' if v.name.startswith(("p_", "b_")) else v.name
            for v in draft.inputs
        )
        live |= {v.name: v for v in draft.outputs}
        known |= {v.name: v for v in draft.outputs}
        seconds = (31e-6 if draft.inlined else 84e-6 + number % 7 * 2e-6) if profiled else None
        write(f"    {results} = {callee}({arguments})  # {draft.name}", "call",
              submodule=number, node=draft.outputs[0].name, source=first.source, seconds=seconds)  # fmt: skip
        begin = len(text)
        dead = [n for n, at in last_use.items() if at == number and n in known]
        if dead and number + 1 < len(drafts):
            for name in dead:
                live.pop(name)
            write(f"    del {', '.join(dead)}", "del", submodule=number, frees=tuple(dead),
                  freed_bytes=sum(known[n].example_bytes for n in dead))  # fmt: skip
        where[draft.name] = (begin, len(text))
    write(f"    return ({drafts[-1].outputs[0].name},)", "return", node=drafts[-1].outputs[0].name)
    peak = max(line.live_bytes for line in lines)
    at_peak = next(line.line for line in lines if line.live_bytes == peak)
    lines = [
        LineRecord(**{**vars(line), "is_peak": True}) if line.line == at_peak else line
        for line in lines
    ]
    return "\n".join(text) + "\n", lines, where


def _reloads() -> tuple[ReloadRecord, ...]:
    stages = {
        "native": (0.0007, 0.0008, 0.0009, 0.0003, 0.0004),
        "torch": (0.0007, 0.0008, 1.87, 0.0003, 0.012),
        "fx": (0.0007, 0.0031, 1.42, 4.47, 0.41),
    }
    names = ("read", "verify", "kernels", "exec", "bind")
    records = []
    for shipped in (False, True):
        for path, seconds in stages.items():
            times = list(seconds)
            if shipped and path != "native":
                times[2] += 15.8
            failed = shipped and path == "fx"
            records.append(
                ReloadRecord(
                    path,
                    0 if failed else 3,
                    ()
                    if failed
                    else (
                        ("import torch", 1.31),
                        ("import ipy_fastcompile", 0.004),
                        *zip(names, times, strict=True),
                    ),
                    0.0 if failed else 0.004 + sum(times),
                    0.0 if failed else 0.031,
                    0.0 if failed else 0.0089 if path == "native" else 0.0108,
                    shipped,
                    "InvalidCxxCompiler: No working C++ compiler found in ('/nonexistent',)"
                    if failed
                    else "",
                )  # fmt: skip
            )
    return tuple(records)


def sample_report(layers: int = 4, *, profiled: bool = True, near_twin: bool = False) -> Report:
    """A Llama-like report with ``2 * layers + 1`` submodules.

    ``near_twin`` compiles the third layer apart, as if a constant in it differed.
    """
    drafts = _drafts(layers)
    graphs: dict[str, GraphRecord] = {}
    for draft in drafts:
        if draft.kind not in graphs:
            graphs[draft.kind] = _graph(len(graphs), draft)
    odd = {4} if near_twin and layers > 3 else set()
    members: dict[str, list[int]] = {}
    for number, draft in enumerate(drafts):
        if not draft.inlined:
            members.setdefault(draft.kind if number not in odd else "odd", []).append(number)
    numbers = {kind: index for index, kind in enumerate(members)}
    kernels = []
    for kind, index in numbers.items():
        graph = graphs["layer" if kind == "odd" else kind]
        output, source, mapped = _output_code(f"kernel {index}", graph)
        binaries = tuple(
            BinaryRecord(f"c{index}{n}.so", f"{index * 16 + n + 1:02x}" * 32, 71_264)
            for n in range(3)
        )
        kernels.append(
            KernelRecord(
                index=index,
                digest=f"{index + 161:02x}" * 32,
                submodules=tuple(members[kind]),
                native=kind != "last",
                why="" if kind != "last" else "aten::_weight_int8pack_mm has no public twin",
                output_code=output,
                aten_graph=graph.code,
                native_code=output.replace("async_compile.cpp_pybinding", "kernel"),
                sources=(
                    KernelSource(f"cpp_fused_add_mean_mul_pow_rsqrt_{graph.index}", "cpp", source),
                ),
                binaries=binaries,
                ops=("aten::mm.out",) if kind == "layer" else ("aten::mm.out", "aten::embedding"),
                size=sum(b.size for b in binaries) + len(output),
                seconds=7.1 - index,
                near_twin="Same ops as kernel 1; first difference: node add_1 adds 1e-05, there 1e-06."
                if kind == "odd"
                else "",
                output_lines=mapped,
            )
        )
    n_nodes = sum(len(graphs[d.kind].nodes) for d in drafts)
    title = (
        f"# LlamaForCausalLM: {len(drafts)} submodules, {len(kernels)} kernels\n# seq: 2 .. 4096\n"
    )
    kernel_of = [
        None if d.inlined else numbers["odd" if i in odd else d.kind] for i, d in enumerate(drafts)
    ]
    callees = ["attention" if k is None else f"kernels[{k}]" for k in kernel_of]
    code, lines, where = _execution(drafts, graphs, callees, profiled=profiled, title=title)
    submodules = tuple(
        SubmoduleRecord(
            index=number,
            name=draft.name,
            inlined=draft.inlined,
            reason=draft.reason,
            module=draft.module,
            graph=graphs[draft.kind].index,
            kernel=kernel_of[number],
            n_nodes=len(graphs[draft.kind].nodes),
            inputs=tuple(draft.inputs),
            outputs=tuple(draft.outputs),
            lines=where[draft.name],
            seconds=lines[where[draft.name][0] - 1].seconds,
        )
        for number, draft in enumerate(drafts)
    )
    peak = max(line.live_bytes for line in lines)
    return Report(
        model="LlamaForCausalLM",
        created="2026-11-22T18:45:06+00:00",
        torch="2.13.0+cpu",
        machine="x86_64, AVX2, 2 cores",
        stages=(
            StageRecord("capture", 12.6, "torch.export"),
            StageRecord("split", 0.6, f"{len(drafts)} submodules"),
            StageRecord("lower", 3.4, f"{len(kernels)} distinct kernels"),
            StageRecord("codegen", 0.21, f"{len(lines)} lines"),
            StageRecord("pack", 0.34, "12 members"),
        ),
        symbols=(Symbol("seq", 2, 4096, SEQ),),
        inputs=(tensor("input_ids", (1, "seq"), dtype="int64"),),
        outputs=(tensor("logits", (1, "seq", VOCABULARY)),),
        n_nodes=n_nodes,
        n_parameters=9 * layers + 4,
        parameter_bytes=4
        * (layers * (4 * HIDDEN**2 + 3 * HIDDEN * INNER + 2 * HIDDEN) + 2 * VOCABULARY * HIDDEN),
        submodules=submodules,
        graphs=tuple(graphs.values()),
        kernels=tuple(kernels),
        execution_code=code,
        lines=tuple(lines),
        key="3f2a9c0d" * 8,
        cache="miss",
        why_miss=("configuration: hidden_size 32 -> 64",),
        artifact=ArtifactRecord("llama.fastcompile", "sha256:" + "5a" * 32, 812_544, 401_200, True),
        max_error=1.7e-6,
        tolerance="1e-4 absolute",
        reloads=_reloads(),
        notes=(),
        predicted_peak=peak,
        measured_peak=peak + 2048,
    )
