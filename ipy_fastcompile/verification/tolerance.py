"""two values -> their largest difference, and whether it is what rounding may do.

All tolerances of the package are here: for one submodule, and for a whole model, where the
differences of many add up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

# Largest difference allowed, as a part of the largest value of the same tensor: a kernel rounds at
# other places than eager does. Integers and booleans must be equal.
RELATIVE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
ABSOLUTE = {torch.float64: 1e-13, torch.float32: 1e-7, torch.float16: 1e-4, torch.bfloat16: 1e-3}
# Through all submodules, errors add up.
END_TO_END = 20.0


@dataclass(frozen=True)
class Bounds:
    """What a whole model may differ by: a part of the largest value of a tensor, and a remainder.

    ``dtype`` is the least precise one that it computes in, whatever its outputs are.
    """

    dtype: str
    relative: float
    absolute: float

    def __str__(self) -> str:
        return f"{self.relative:g} of the largest value, as for {self.dtype}"


# From the least precise to the most: long sums of few bits differ by many of their last ones.
WHOLE = (
    Bounds("float8", 0.25, 5e-2),
    Bounds("bfloat16", 0.1, 1e-2),
    Bounds("float16", 2e-2, 1e-3),
    Bounds("float32", 1e-3, 1e-5),
    Bounds("float64", 1e-8, 1e-12),
)
_OF_TF32 = "float16"  # ten bits, both of them


def bounds_for(dtypes: Iterable[str]) -> Bounds:
    """The bounds of a model that computes in these dtypes (``"float32"``)."""
    parts = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}
    names = {parts.get(name, name) for name in dtypes}
    if "float32" in names and torch.get_float32_matmul_precision() != "highest":
        names.add("bfloat16" if torch.get_float32_matmul_precision() == "medium" else _OF_TF32)
    found = (b for b in WHOLE if any(name.startswith(b.dtype) for name in names))
    return next(found, WHOLE[-1])


def compare(
    expected: Any,
    found: Any,
    *,
    factor: float = 1.0,
    bounds: Bounds | None = None,
    inside: Iterable[torch.dtype] = (),
) -> tuple[float, bool]:
    """The largest absolute difference, and whether it is within the tolerance of the dtype.

    NaN and infinities count as equal to themselves. Another kind, dtype or shape is never within.
    ``bounds`` are those of a whole model, instead of ``factor`` times those of a submodule, which
    are of the least precise dtype among its own and those that it has ``inside``.
    """
    if not isinstance(expected, torch.Tensor) or not isinstance(found, torch.Tensor):
        same = type(expected) is type(found) and expected == found
        return (0.0 if same else float("inf")), bool(same)
    if expected.dtype != found.dtype or expected.shape != found.shape:
        return float("inf"), False
    if not expected.numel():
        return 0.0, True
    if expected.dtype not in RELATIVE and not expected.is_complex():
        equal = expected == found
        if bool(equal.all()):
            return 0.0, True
        worst = (expected.to(torch.float64) - found.to(torch.float64)).abs().max()
        return float(worst), False
    wide = torch.complex128 if expected.is_complex() else torch.float64
    x, y = expected.to(wide), found.to(wide)
    same = (x == y) | (x.isnan() & y.isnan())
    difference = torch.where(same, torch.zeros_like(x), x - y).abs().nan_to_num(nan=float("inf"))
    error = float(difference.max())
    kind = torch.float64 if expected.dtype is torch.complex128 else expected.dtype
    kind = torch.float32 if expected.dtype is torch.complex64 else kind
    finite = x[x.isfinite()].abs()
    scale = float(finite.max()) if finite.numel() else 0.0
    if bounds is not None:
        return error, error <= bounds.relative * scale + bounds.absolute
    kinds = [kind, *(each for each in inside if each in RELATIVE)]
    relative, absolute = (max(table[each] for each in kinds) for table in (RELATIVE, ABSOLUTE))
    return error, error <= factor * (relative * scale + absolute)
