"""The names that generated text may read without binding them: Python's, math's and torch's."""

from __future__ import annotations

import re

# Builtins that generated text may call.
BUILTINS = frozenset(
    {"complex", "float", "int", "bool", "slice", "max", "min", "abs", "range", "len", "round",
    "sum", "pow", "tuple", "list"}
)  # fmt: skip
MATH = frozenset(
    {"ceil", "floor", "trunc", "sqrt", "exp", "log", "log2", "pow", "sin", "cos", "tan", "sinh",
    "cosh", "tanh", "asin", "acos", "atan", "asinh", "isnan", "isinf", "pi", "e", "inf", "nan"}
)  # fmt: skip
# Functions that stand for an op; `torch_compat.ops.builtin_of` says why.
OP_FUNCTIONS = frozenset({"torch._C._nn.scaled_dot_product_attention"})
# Written down, for a text is read where there may be no torch.
_DTYPE = r"(?:q?u?int|float|bfloat|complex|bits)[0-9][a-zA-Z0-9_]*"
_VALUES = frozenset(
    {"bit", "bool", "cdouble", "cfloat", "chalf", "double", "float", "half", "int", "long", "short",
    "strided", "jagged", "_mkldnn", "sparse_bsc", "sparse_bsr", "sparse_coo", "sparse_csc",
    "sparse_csr", "channels_last", "channels_last_3d", "contiguous_format",
    "legacy_contiguous_format", "preserve_format", "per_channel_affine",
    "per_channel_affine_float_qparams", "per_channel_symmetric", "per_tensor_affine",
    "per_tensor_symmetric"}
)  # fmt: skip


def is_torch_value(name: str) -> bool:
    """Whether a name in torch is that of a dtype, layout, memory format or quantization scheme."""
    return name in _VALUES or re.fullmatch(_DTYPE, name) is not None
