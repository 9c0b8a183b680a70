"""A manifest that has something in every field, and that a load would take."""

from __future__ import annotations

from typing import Any

from ipy_fastcompile.artifact.schema import (
    ExampleOther,
    ExampleTensor,
    ExampleValue,
    Input,
    KernelEntry,
    KeyEntry,
    Launch,
    Library,
    Manifest,
    Model,
    Program,
    Signature,
    Symbol,
    TensorSpec,
    TensorSpecs,
    Tie,
    View,
)

LAUNCH = Launch(
    name="triton_poi_0",
    symbol="triton_",
    cubin="blobs/cubin",
    parameters=("in_ptr0", "xnumel"),
    passed=("in_ptr0", "xnumel"),
    argument_types="Oi",
    scratch_arguments=2,
    num_warps=4,
    shared=8,
    grid_setup=(),
    grid=("xnumel", "1", "1"),
    device=0,
    chosen="XBLOCK: 1024",
)


def kernel(index: int, **changes: Any) -> KernelEntry:
    fields: dict[str, Any] = {
        "name": f"kernel_{index}",
        "digest": "ab" * 32,
        "native": True,
        "why": "",
        "text": f"kernels/{index}/native.py",
        "libraries": (Library("cpp_fused_0", "blobs/library"),),
        "launches": (LAUNCH,),
        "torch": "blobs/torch",
        "submodule": "submod_0",
        "views": (View((4, 4), (1, 4), (2, 5)),),
    }
    return KernelEntry(**{**fields, **changes})


SIGNATURE = Signature(
    argument_names=("ids", "scale", "cache", "more"),
    n_positional=2,
    keywords=("cache",),
    defaults={"scale": "inf", "more": "None"},
    inputs=(Input("ids", (1, "seq")), Input("scale"), Input("cache")),
    flat=True,
    in_tree='[["ids", null], ["scale", null], ["cache", null]]',
    out_kind="leaf",
    out_tree="",
    placeholders=("parameter", "unused", "input", "parameter", "input", "input"),
)

PROGRAM = Program(
    name="",
    hooks=("layers.0: watch",),
    training=False,
    autocast=("cpu:bfloat16",),
    model="LlamaForCausalLM",
    signature=SIGNATURE,
    symbols=(Symbol("seq", 2, None, 8),),
    conditions=("seq must be even",),
    parameters=TensorSpecs.of(
        [
            TensorSpec("weight", "parameter", "float32", (4, 4), None, "cpu"),
            TensorSpec("mask", "constant", "bool", (1, 4), (0, 1), "cpu"),
        ]
    ),
    views=(View((2, 8), (1, 2), (0,)),),
    ties=(Tie("weight", "tied", 0, None), Tie("weight", "part", 4, (2, 4))),
    written=("weight",),
    written_inputs=(0,),
    default_dtype="float32",
    stored="blobs/stored",
    constants=TensorSpecs.of([TensorSpec("constant 0", "constant", "int64", (), None, "cpu")]),
    kernels=(
        kernel(0, sizes=(((1,), kernel(0, text="kernels/0/seq1/native.py")),)),
        kernel(1, native=False, why="it mutates x", text="", libraries=(), launches=()),
    ),
    ops={"mine::attention": "mine.ops"},
    execution="execution.py",
    code="blobs/code",
    python="cpython-311",
    fx="blobs/fx",
    example=(
        ExampleTensor("int64", (1, 8), (8, 1), "cpu"),
        ExampleValue(float("inf")),
        ExampleOther("Cache()"),
    ),
    stitched={"submod_0": 0, "submod_2": 1},
)

MANIFEST = Manifest(
    model=Model("LlamaForCausalLM", 3, 4),
    stamp={"torch": "2.13.0", "cpu_flags": ["avx2", "fma"]},
    programs=(PROGRAM,),
    ops_called=("aten::mm", "mine::attention"),
    key=KeyEntry("cd" * 32, {"model": "ef" * 32}),
)
