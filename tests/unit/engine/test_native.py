"""Rewriting Inductor's output code: what becomes native, and what is refused with its reason."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ipy_fastcompile.artifact.schema import Launch
from ipy_fastcompile.engine.kernels.native import kernel_sources, rewrite_kernel
from ipy_fastcompile.errors import InputError
from ipy_fastcompile.grammar.check import check_grammar
from ipy_fastcompile.runtime.bind import compile_text, run_code
from ipy_fastcompile.runtime.cuda import launch_text
from ipy_fastcompile.runtime.kernels import kernel_namespace
from ipy_fastcompile.torch_compat import inductor, launches
from ipy_fastcompile.torch_compat.compiled import CompiledParts
from ipy_fastcompile.torch_compat.launches import CudaLaunch
from ipy_fastcompile.torch_compat.wrapping import Wrapping

# Recorded from torch 2.11.0+cu130 on an H100: a transformer layer of width 256.
CUDA_OUTPUT_CODE = (Path(__file__).parent / "cuda_output_code.txt").read_text()
CUDA_KERNELS = (
    "triton_per_fused__unsafe_view_add_native_layer_norm_0",
    "triton_poi_fused_addmm_gelu_view_1",
    "triton_per_fused__unsafe_view_add_addmm_native_layer_norm_view_2",
)

CALL = """
async_compile = AsyncCompile()

class Runner:
    def call(self, args):
        arg0_1, arg1_1 = args
        args.clear()
        s70 = arg1_1
        assert_size_stride(arg0_1, (s70, 4), (4, 1), 'input')
        buf0 = empty_strided_cpu((s70, 4), (4, 1), torch.float32)
        {body}
        del arg0_1
        return (buf0, )
"""


def parts(body: str = "pass", **changes: Any) -> CompiledParts:
    plain = CompiledParts(CALL.format(body=body), "", (), Wrapping(), {}, (), (), {})
    return replace(plain, **changes)


def run(body: str, x: torch.Tensor) -> torch.Tensor:
    native, why = rewrite_kernel(parts(body), "kernel_0")
    assert native is not None, why
    code = compile_text(native.code, "kernel_0")
    result: torch.Tensor = run_code(code, kernel_namespace({}))["kernel_0"](x, x.size(0))[0]
    return result


def test_extern_kernels_become_public_ops() -> None:
    x = torch.randn(4, 4)
    torch.testing.assert_close(run("extern_kernels.mm(arg0_1, arg0_1, out=buf0)", x), x @ x)


def test_registered_ops_are_called_by_their_public_names_and_recorded() -> None:
    body = "buf0 = aten.sort.default(arg0_1)[0]"
    native, _ = rewrite_kernel(parts(body), "kernel_0")
    assert native is not None
    assert "torch.ops.aten.sort.default(arg0_1)" in native.code
    assert native.ops == ("aten::sort",)
    x = torch.randn(3, 4)
    torch.testing.assert_close(run(body, x), x.sort()[0])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"wrapping": Wrapping(outputs=("alias_of_intermediate",))}, "output 0 is alias_of_inter"),
        ({"constants": {"_tensor_constant0": torch.ones(1)}}, "_tensor_constant0"),
    ],
)
def test_what_the_wrappers_would_do_is_left_to_pytorch(changes: Any, why: str) -> None:
    native, reason = rewrite_kernel(parts(**changes), "kernel_0")
    assert native is None
    assert why in reason


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("extern_kernels.packed_thing(arg0_1, out=buf0)", "packed_thing"),
        ("buf0 = torch.ops.prims.inductor_seeds.default(4)", "prims::inductor_seeds"),
        (
            "buf0 = torch.ops.inductor.accumulate_grad_.default(arg0_1)",
            "inductor::accumulate_grad_",
        ),
        ("buf0 = torch._C._something(arg0_1)", "torch._C._something"),
        ("buf0 = mystery(arg0_1)", "mystery"),
        ("open('x')", "open"),
        ("import os", "Import"),
        ("run_intermediate_hooks('x', buf0)", "run_intermediate_hooks"),
    ],
)
def test_what_is_not_known_is_refused_by_name(body: str, why: str) -> None:
    native, reason = rewrite_kernel(parts(body), "kernel_0")
    assert native is None
    assert why in reason


def test_an_op_that_returns_another_dtype_than_it_said_is_an_error() -> None:
    body = "assert_tensor_metadata(arg0_1, (s70, 4), (4, 1), torch.float32, 'aten::sort')"
    x = torch.ones(2, 4)
    assert run(body, x).shape == x.shape
    with pytest.raises(RuntimeError, match=r"expected dtype torch.float32 .* from aten::sort"):
        run(body, x.double())


@pytest.mark.parametrize(
    "body",
    [
        "assert_size_stride_grouped((arg0_1, buf0), ((s70, 4), (s70, 4)), ((4, 1), (4, 1)), 'op')",
        "arg0_1 = copy_if_misaligned(arg0_1)",
    ],
)
def test_what_later_releases_of_torch_write_is_known(body: str) -> None:
    native, why = rewrite_kernel(parts(body), "kernel_0")
    assert native is not None, why
    check_grammar(native.code, "kernel_0", kernel=True)
    name = next(n for n in ("assert_size_stride_grouped", "copy_if_misaligned") if n in body)
    if name in kernel_namespace({}):  # this torch has it, so it runs
        x = torch.randn(3, 4)
        assert run(body, x).shape == x.shape


def test_output_code_without_a_call_is_refused() -> None:
    assert rewrite_kernel(parts(output_code="x = 1"), "kernel_0")[1].endswith("no function 'call'")


# --- recorded CUDA output code -------------------------------------------------------------------


def launch(name: str) -> CudaLaunch:
    reduces = "per" in name
    last = ("xnumel", "r0_numel") if reduces else ("xnumel",)
    tensors = {0: 5, 1: 2, 2: 7}[CUDA_KERNELS.index(name)]
    names = tuple(f"ptr{i}" for i in range(tensors)) + last
    return CudaLaunch(
        name=name,
        symbol=name,
        cubin=b"\x7fELF" + name.encode(),
        parameters=names,
        passed=names,
        argument_types="O" * tensors + "i" * len(last),
        scratch_arguments=2,
        num_warps=4,
        shared=8,
        grid_setup=(),
        grid=("xnumel" if reduces else "-((xnumel) // -(1024))", "1", "1"),
        device=0,
        chosen="XBLOCK: 1024",
    )


def cuda_parts(**changes: Any) -> CompiledParts:
    launches: dict[str, CudaLaunch | str] = {name: launch(name) for name in CUDA_KERNELS}
    made = CompiledParts(CUDA_OUTPUT_CODE, "", (), Wrapping(), {}, (), (0, 2, 3), launches)
    return replace(made, **changes)


def test_recorded_cuda_code_becomes_native() -> None:
    native, why = rewrite_kernel(cuda_parts(), "kernel_0")
    assert native is not None, why
    assert [c.name for c in native.cubins] == list(CUDA_KERNELS)
    text = native.code
    assert "arg0_1 = aligned(arg0_1)" in text
    assert "with device_guard(0):" in text
    assert "torch.mm(" in text
    for gone in (".run(", "_DeviceGuard", "extern_kernels", "async_compile", "_inductor"):
        assert gone not in text
    check_grammar(text, "kernel_0", kernel=True)


def test_recorded_cuda_kernels_are_shown_as_source() -> None:
    sources = kernel_sources(CUDA_OUTPUT_CODE)
    assert [name for name, _, _ in sources] == list(CUDA_KERNELS)
    assert all("tl.load" in text for _, _, text in sources)
    for _, _, text in sources:
        ast.parse(text)


def test_a_kernel_without_a_static_launch_says_why() -> None:
    name = CUDA_KERNELS[1]
    reason = f"{name} has 2 configurations and was not autotuned"
    native, why = rewrite_kernel(
        cuda_parts(launches={n: launch(n) for n in CUDA_KERNELS} | {name: reason}), "kernel_0"
    )
    assert native is None
    assert why == reason
    assert "no statically launched form" in rewrite_kernel(cuda_parts(launches={}), "k")[1]


def test_a_launcher_computes_the_grid_and_passes_what_the_cubin_takes() -> None:
    calls: list[Any] = []
    text = launch_text(Launch(**{**vars(launch(CUDA_KERNELS[1])), "cubin": "blobs/of"}))
    check_grammar(text, "launcher", kernel=True)
    namespace = run_code(
        compile_text(text, "launcher"),
        {"launch_kernel": lambda *a: calls.append(a), "function": 7, "module": None},
    )
    namespace["launch"]("x", "y", 2049, stream=5)
    assert calls == [(7, 3, 1, 1, 4, 8, "OOiOO", ("x", "y", 2049, None, None), 5)]


# --- sizes that depend on data, branches and loops -----------------------------------------------


def test_a_condition_on_a_size_of_data_is_an_error_of_ours() -> None:
    body = """u0 = arg1_1
        if not (u0 >= 4):
            raise RuntimeError('u0 >= 4')
        buf1 = None
        assert u0 % 2 == 0, f'{u0} not divisible by 2'"""
    assert run(body, torch.randn(4, 4)).shape == (4, 4)
    with pytest.raises(
        InputError, match=r"depends on the values in the arguments.*u0 must be at least 4"
    ):
        run(body, torch.randn(2, 4))
    with pytest.raises(InputError, match="not divisible by 2"):
        run(body, torch.randn(5, 4))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("torch.sym_float(s70) / 8", 0.5),
        ("torch._sym_sqrt(s70)", 2.0),
        ("torch.sym_sqrt(s70)", 2.0),
        ("torch.sym_int(s70 / 3)", 1),
        ("torch.sym_max(s70, 7)", 7),
        ("torch.sym_min(s70, 7)", 4),
        ("max(2, min(s70, 3))", 3),
        ("math.trunc(s70 / 3) + math.ceil(s70 / 3) + math.floor(s70 / 3)", 4),
        ("round(s70 / 3)", 1),
        ("round(s70 / 3, 1)", 1.3),
        ("(5 if s70 > 3 else 6)", 5),
        ("2 ** s70 + pow(s70, 2)", 32),
        ("abs(-s70) // 3 % 2", 1),
        ("math.log2(s70)", 2.0),
        ("math.inf", float("inf")),
    ],
)
def test_arithmetic_on_sizes_that_inductor_writes_is_known(written: str, value: float) -> None:
    found = run(f"buf0 = torch.ops.aten.full.default((1, ), {written})", torch.randn(4, 4))
    torch.testing.assert_close(found.double(), torch.tensor([value], dtype=torch.float64))


SUBGRAPHS = """
async_compile = AsyncCompile()

def body_0(args):
    body_0_arg0_1, body_0_arg1_1 = args
    args.clear()
    body_0_buf0 = aten.add.Tensor(body_0_arg0_1, body_0_arg1_1)
    return (body_0_buf0, )

def more_0(args):
    more_0_arg0_1, = args
    more_0_buf0 = aten.lt.Scalar(more_0_arg0_1, 10)
    return (more_0_buf0, )

class Runner:
    def call(self, args):
        arg0_1, arg1_1 = args
        args.clear()
        buf1 = [None] * 1
        buf1[0] = arg0_1.clone()
        more_0_args = [buf1[0]]
        (buf1_cond_result,) = more_0(more_0_args)
        should_loop = buf1_cond_result
        while should_loop:
            body_0_args = [buf1[0], arg1_1]
            (buf1[0], ) = body_0(body_0_args)
            more_0_args = [buf1[0]]
            (buf1_cond_result,) = more_0(more_0_args)
            should_loop = buf1_cond_result
        return (buf1[0], )
"""


def test_branches_and_loops_become_functions_beside_the_kernel() -> None:
    native, why = rewrite_kernel(replace(parts(), output_code=SUBGRAPHS), "kernel_3")
    assert native is not None, why
    assert [f.name for f in ast.parse(native.code).body if isinstance(f, ast.FunctionDef)] == [
        "subgraph_0", "subgraph_1", "kernel_3",
    ]  # fmt: skip
    assert native.ops == ("aten::add.Tensor", "aten::lt.Scalar")
    code = compile_text(native.code, "kernel_3")
    kernel = run_code(code, kernel_namespace({}))["kernel_3"]
    assert kernel(torch.tensor(1), torch.tensor(4)) == (torch.tensor(13),)
    assert kernel(torch.tensor(11), torch.tensor(4)) == (torch.tensor(11),)


def test_text_that_the_grammar_does_not_know_is_a_reason_at_compile_time() -> None:
    native, why = rewrite_kernel(parts("buf0 = buf0.frobnicate()"), "kernel_0")
    assert native is None
    assert "the native path does not know its output code" in why
    assert "frobnicate" in why


def test_an_extern_kernel_that_torch_hides_is_the_op_of_its_name() -> None:
    native, why = rewrite_kernel(
        parts("buf0 = extern_kernels._weight_int8pack_mm(arg0_1)"), "kernel_0"
    )
    assert native is not None, why
    assert "torch.ops.aten._weight_int8pack_mm(arg0_1)" in native.code
    assert native.ops == ("aten::_weight_int8pack_mm",)


# --- what was autotuned --------------------------------------------------------------------------


def test_the_choice_of_autotuning_is_that_of_the_module_at_the_kernels_own_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torch._inductor.codecache import PyCodeCache, get_path

    def module(key: str, chosen: str) -> Any:
        tuner = SimpleNamespace(launchers=[SimpleNamespace(config=chosen)])
        return SimpleNamespace(__file__=get_path(key, "py")[2], triton_poi_fused_0=tuner)

    monkeypatch.setattr(PyCodeCache, "modules", [module("a" * 52, "theirs")])

    def load(_: bytes) -> Any:
        PyCodeCache.modules += [module("b" * 52, "ours"), module("c" * 52, "theirs, too")]
        return lambda *inputs: inputs

    monkeypatch.setattr(inductor, "deserialize_kernel", load)
    for _ in range(2):
        assert launches._autotuned(b"", "b" * 52, ()) == {"triton_poi_fused_0": "ours"}
        monkeypatch.setattr(inductor, "deserialize_kernel", lambda _: lambda *_: None)
    assert launches._autotuned(b"", "d" * 52, ()) == {}
