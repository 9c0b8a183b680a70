"""layer count -> `Report`: a Llama-like compile, made up but shaped like a real one.

Every submodule, name, edge, line and byte in it is consistent with the others, so that views can
be tested without a compiler. The numbers of seconds are plausible, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ipy_fastcompile.records import (
    ArtifactRecord,
    BinaryRecord,
    GraphRecord,
    KernelRecord,
    KernelSource,
    LineRecord,
    NearTwin,
    ReloadRecord,
    Report,
    StageRecord,
    SubmoduleRecord,
    Symbol,
    Value,
)
from ipy_fastcompile.timings import ProfileRecord

from .sample_explained import sample_explained
from .sample_graph import (
    HEAD,
    HIDDEN,
    INNER,
    SEQ,
    SPLIT,
    STATE,
    VOCABULARY,
    Trace,
    after_attention,
    before_attention,
    fx_code,
    norm,
    output_code,
    tensor,
    weights,
)
from .sample_pays import EAGER, beside


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
    drafts.append(
        _Draft(
            "submod_0",
            False,
            "the graph's first ops",
            "model",
            "first",
            [ids, embed, frequencies, *weights(0, before=True)],
            [hidden, cos, sin, *heads],
        )
    )
    for layer in range(layers):
        attended = tensor(f"attention_{layer}", SPLIT)
        drafts.append(
            _Draft(
                f"submod_{2 * layer + 1}",
                True,
                "aten::scaled_dot_product_attention is a splitting op",
                f"model.layers.{layer}.self_attn",
                "attention",
                heads,
                [attended],
            )
        )
        inputs = [attended, hidden, *weights(layer, before=False)]
        if layer + 1 == layers:
            inputs += [
                tensor("p_model_norm_weight", (HIDDEN,)),
                tensor("p_lm_head_weight", (VOCABULARY, HIDDEN)),
            ]
            logits = tensor("logits", (1, "seq", VOCABULARY))
            drafts.append(
                _Draft(
                    f"submod_{2 * layer + 2}",
                    False,
                    "follows a splitting op",
                    "",
                    "last",
                    inputs,
                    [logits],
                )
            )
            break
        inputs += [*weights(layer + 1, before=True), cos, sin]
        hidden = tensor(f"hidden_{layer + 1}", STATE)
        heads = [tensor(f"{n}_{layer + 1}", SPLIT) for n in ("query", "key", "value")]
        drafts.append(
            _Draft(
                f"submod_{2 * layer + 2}",
                False,
                "follows a splitting op",
                "model.layers",
                "layer",
                inputs,
                [hidden, *heads],
            )
        )
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
        outputs = [
            t.op(
                "aten.scaled_dot_product_attention.default",
                *names,
                extra="None, 0.0, True",
                shape=SPLIT,
                at=at,
            )
        ]
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
        outputs = [x, cos, sin, *before_attention(t, x, weights, cos, sin)]
    else:
        attended, x, *weights = names
        t.module = "model.layers.0"
        x = after_attention(t, attended, x, weights[:5])
        if draft.kind == "layer":
            t.module = "model.layers.1"
            cos, sin = weights[-2:]
            outputs = [x, *before_attention(t, x, weights[5:9], cos, sin)]
        else:
            t.module = "model.norm"
            h = norm(t, x, weights[5])
            t.module = "lm_head"
            at = (512, "LlamaForCausalLM.forward", "logits = self.lm_head(hidden_states)")
            outputs = [
                t.op("aten.linear.default", h, weights[6], shape=(1, "seq", VOCABULARY), at=at)
            ]
    nodes = t.finish(*outputs)
    return GraphRecord(index, f"{index + 7:02x}" * 32, nodes, fx_code(nodes))


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

    def write(code: str, kind: str = "other", inside: int = 0, **facts: object) -> None:
        text.append(code)
        total = sum(v.example_bytes for v in live.values())
        per_seq = total // SEQ
        lines.append(
            LineRecord(
                len(text),
                kind,
                live_bytes=total,
                live=f"{per_seq}*seq" if per_seq else "",
                peak_bytes=total + inside,
                **facts,
            )
        )

    for line in title.splitlines():
        write(line)
    write("import torch")
    write("")
    attention = graphs["attention"]
    call = next(n for n in attention.nodes if n.op == "call_function")
    write("def attention(query, key, value):", "inline")
    write(
        f"    {call.name} = torch.ops.{call.target}(query, key, value, None, 0.0, True)",
        "inline",
        submodule=1,
        node=call.name,
        source=call.source,
    )
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
        write(
            f"    {results} = {callee}({arguments})  # {draft.name}",
            "call",
            submodule=number,
            node=draft.outputs[0].name,
            source=first.source,
            seconds=seconds,
            inside=0 if draft.inlined else 4 * SEQ * INNER,
        )
        begin = len(text)
        dead = [n for n, at in last_use.items() if at == number and n in known]
        if dead and number + 1 < len(drafts):
            for name in dead:
                live.pop(name)
            write(
                f"    del {', '.join(dead)}",
                "del",
                inside=sum(known[n].example_bytes for n in dead),
                submodule=number,
                frees=tuple(dead),
                freed_bytes=sum(known[n].example_bytes for n in dead),
            )
        where[draft.name] = (begin, len(text))
    write(f"    return ({drafts[-1].outputs[0].name},)", "return", node=drafts[-1].outputs[0].name)
    peak = max(line.peak_bytes for line in lines)
    at_peak = next(line.line for line in lines if line.peak_bytes == peak)
    lines = [replace(line, is_peak=True) if line.line == at_peak else line for line in lines]
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
                )
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
        output, source, mapped = output_code(f"kernel {index}", graph)
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
                near_twin=NearTwin(1, 2, "add_1", "float 1e-05", "float 1e-06")
                if kind == "odd"
                else None,
                output_lines=mapped,
                explained=sample_explained(graph).packed(),
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
    peak = max(line.peak_bytes for line in lines)
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
        symbols=(Symbol("seq", 2, 4096, SEQ, "as asked"),),
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
        why_miss=("model.config.hidden_size: 32 -> 64",),
        miss_details=(
            "nearest entry 9c0d3f2a5b61 (LlamaForCausalLM): 2 of 21 components differ",
            "structure:",
            "  model.config.hidden_size: 32 -> 64",
            "  model.model.norm.normalized_shape: 32 -> 64",
            "parameters: model.lm_head.weight: float32[64, 32] -> float32[64, 64]",
        ),
        artifact=ArtifactRecord("llama.fastcompile", "sha256:" + "5a" * 32, 812_544, 401_200, True),
        max_error=1.7e-6,
        tolerance="1e-4 absolute",
        reloads=_reloads(),
        notes=(),
        predicted_peak=peak,
        measured_peak=peak + 2048,
        profile=ProfileRecord(
            20, 3, (("seq", SEQ),), 0.0089, 2e-7, peak, peak + 2048, 2 * peak, beside(submodules)
        )
        if profiled
        else None,
        eager=EAGER,
    )
