"""Kernels that look at less memory in another way: the same numbers, the same tensors, no later."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ipy_fastcompile.engine.code.memory import CallMemory, _measure, _without_kernels
from ipy_fastcompile.engine.kernels.layouts import is_contiguous, same_bytes
from ipy_fastcompile.engine.kernels.memories import Layout
from ipy_fastcompile.engine.kernels.native import Built, NativeKernel
from ipy_fastcompile.engine.kernels.views import fewer_views
from ipy_fastcompile.runtime.bind import compile_text, run_code
from ipy_fastcompile.runtime.kernels import kernel_namespace

LAYER = """def kernel_0(arg0_1, arg1_1, arg2_1):
    s70 = arg1_1
    assert_size_stride(arg0_1, (1, s70, 4), (4 * s70, 4, 1), 'input')
    buf0 = empty_strided_cpu((s70, 4), (4, 1), torch.float32)
    torch.mm(reinterpret_tensor(arg0_1, (s70, 4), (4, 1), 0), arg2_1, out=buf0)
    del arg0_1
    buf1 = reinterpret_tensor(buf0, (1, s70, 4), (4 * s70, 4, 1), 0)
    del buf0
    cpp_fused_double_0(buf1, s70)
    buf2 = empty_strided_cpu((1, s70, 4), (4 * s70, 4, 1), torch.float32)
    cpp_fused_copy_1(buf1, buf2, s70)
    buf3 = empty_strided_cpu((s70, 4), (4, 1), torch.float32)
    torch.mm(reinterpret_tensor(buf2, (s70, 4), (4, 1), 0), arg2_1, out=buf3)
    buf4 = buf3
    del buf3
    torch.mm(reinterpret_tensor(buf2, (s70, 4), (4, 1), 0), arg2_1, out=buf4)
    del buf2
    buf5 = empty_strided_cpu((1, s70, 8), (8 * s70, 8, 1), torch.float32)
    buf6 = reinterpret_tensor(buf5, (1, s70, 4), (8 * s70, 8, 1), 0)
    buf7 = reinterpret_tensor(buf5, (1, s70, 4), (8 * s70, 8, 1), 4)
    cpp_fused_fill_2(buf6, buf7, s70)
    del buf6
    del buf7
    return (buf1, reinterpret_tensor(buf4, (s70, 2, 2), (4, 2, 1), 0), buf5)
"""
KERNELS = {"cpp_fused_double_0", "cpp_fused_copy_1", "cpp_fused_fill_2"}


def rewritten(text: str, kernels: set[str] = KERNELS) -> str:
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    return ast.unparse(fewer_views(function, kernels))


def double(buffer: torch.Tensor, size: int) -> None:
    memory(buffer, 4 * size).mul_(2)


def copied(source: torch.Tensor, target: torch.Tensor, size: int) -> None:
    memory(target, 4 * size).copy_(memory(source, 4 * size)).add_(1)


def fill(left: torch.Tensor, right: torch.Tensor, size: int) -> None:
    """Rows of four in the halves of rows of eight."""
    for number, half in enumerate((left, right)):
        half.as_strided((size, 4), (8, 1), half.storage_offset()).fill_(number)


def memory(tensor: torch.Tensor, count: int) -> torch.Tensor:
    """What a kernel of C++ makes of an address: so many numbers from there on."""
    return tensor.as_strided((count,), (1,), tensor.storage_offset())


def run(text: str, *arguments: Any, **functions: Callable[..., Any]) -> Any:
    given: dict[str, Callable[..., Any]] = {
        "cpp_fused_double_0": double, "cpp_fused_copy_1": copied, "cpp_fused_fill_2": fill,
    }  # fmt: skip
    namespace = kernel_namespace(given) | functions
    return run_code(compile_text(text, "kernel_0"), namespace)["kernel_0"](*arguments)


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_layer_returns_the_same_numbers_in_the_same_layouts(size: int) -> None:
    torch.manual_seed(0)
    arguments = torch.randn(1, size, 4), size, torch.randn(4, 4)
    before, after = run(LAYER, *arguments), run(rewritten(LAYER), *arguments)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)
        assert one.stride() == other.stride()
        assert one.untyped_storage().nbytes() == other.untyped_storage().nbytes()


def test_only_what_another_layout_is_wanted_for_is_looked_at_anew() -> None:
    text = rewritten(LAYER)
    assert text.count("reinterpret_tensor") == 4  # the input, an offset and two results
    assert "buf0 = torch.mm(reinterpret_tensor(arg0_1, (s70, 4), (4, 1), 0), arg2_1)" in text
    assert "buf2 = empty_strided_cpu((s70, 4), (4, 1), torch.float32)" in text
    assert "cpp_fused_double_0(buf0, s70)" in text
    assert "torch.mm(buf2, arg2_1, out=buf3)" in text  # memory that is used before is filled
    assert "cpp_fused_fill_2(buf5, reinterpret_tensor(buf5, " in text


def test_memory_is_freed_no_later_than_before() -> None:
    inputs = [torch.ones(1, 7, 4), 7, torch.ones(4, 4)]

    def peak(text: str) -> int:
        native = NativeKernel(
            "kernel_0", text, tuple(Built(name, b"", b"") for name in KERNELS), (), ()
        )
        found = _measure(_without_kernels(native), inputs, {})
        assert isinstance(found, CallMemory), found
        return found.peak

    assert peak(LAYER) == 4 * 7 * (4 + 4 + 8)
    assert peak(rewritten(LAYER)) == peak(LAYER)


def test_what_several_want_alike_is_made_once_and_deleted() -> None:
    text = rewritten(
        """def kernel_0(arg0_1, arg1_1):
    buf0 = torch.ops.aten.sort.default(reinterpret_tensor(arg0_1, (4,), (1,), 0))[0]
    buf1 = torch.mm(reinterpret_tensor(arg0_1, (2, 2), (2, 1), 0), arg1_1)
    buf2 = torch.mm(buf1, reinterpret_tensor(arg0_1, (2, 2), (2, 1), 0))
    del buf1
    return (buf0, buf2)
"""
    )
    assert text.splitlines()[2:6] == [
        "    arg0_1_view_1 = reinterpret_tensor(arg0_1, (2, 2), (2, 1), 0)",
        "    buf1 = torch.mm(arg0_1_view_1, arg1_1)",
        "    buf2 = torch.mm(buf1, arg0_1_view_1)",
        "    del arg0_1_view_1, buf1",
    ]


def test_what_is_returned_as_two_tensors_stays_two() -> None:
    text = """def kernel_0(arg0_1):
    buf0 = empty_strided_cpu((2, 2), (2, 1), torch.float32)
    cpp_fused_double_0(buf0, 1)
    buf1 = reinterpret_tensor(buf0, (4,), (1,), 0)
    return (buf0, reinterpret_tensor(buf0, (2, 2), (2, 1), 0), buf1, buf1)
"""
    first, second, third, fourth = run(rewritten(text), torch.ones(1))
    assert first is not second
    assert torch.equal(first, second)
    assert third is fourth
    assert first.data_ptr() == second.data_ptr() == third.data_ptr()


@pytest.mark.parametrize(
    "body",
    [
        "if s70 > 2:\n        refuse_size('s70 > 2')",
        "buf0 = torch.ops.aten.neg.default(buf0)",
        "s71, s72 = (s70, s70)",
    ],
)
def test_a_function_that_is_no_straight_line_stays_as_it_is(body: str) -> None:
    text = f"""def kernel_0(arg0_1, s70):
    buf0 = reinterpret_tensor(arg0_1, (s70, 1), (1, 1), 0)
    {body}
    buf1 = reinterpret_tensor(buf0, (s70,), (1,), 0)
    return (buf1,)"""
    assert rewritten(text) == text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("(s70, 64)", "(64, 1)"), ("(1, s70, 64)", "(64 * s70, 64, 1)"), True),
        (("(1, 1, s0, s0)", "(s0 * s0, 1, s0, 1)"), ("(s0, s0)", "(s0, 1)"), True),
        (("(1 + s0, 4)", "(4, 1)"), ("(4 + 4 * s0,)", "(1,)"), True),
        (("(s70, 32)", "(64, 1)"), ("(s70, 64)", "(64, 1)"), False),  # half of each row
        (("(s70, 64)", "(128, 1)"), ("(s70, 64)", "(64, 1)"), False),  # rows apart
        (("(s70 // 2, 2)", "(2, 1)"), ("(s70,)", "(1,)"), False),  # an odd one is left out
        (("(1, 4)", "(u0, 1)"), ("(4,)", "(1,)"), False),  # u0 may not be known yet
    ],
)
def test_memory_is_laid_out_otherwise_only_where_it_takes_the_same_bytes(
    one: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    assert same_bytes(Layout(*one), Layout(*other)) is same
    assert not same_bytes(Layout(*one, "4"), Layout(*other))


def test_a_layout_is_contiguous_where_its_strides_are_products_of_sizes() -> None:
    assert is_contiguous(Layout("(2, s0, 4)", "(4 * s0, 4, 1)"))
    assert not is_contiguous(Layout("(s0, 4)", "(1, s0)"))
    assert not is_contiguous(Layout("(s0, 4)", "(4, 1)", "8"))
