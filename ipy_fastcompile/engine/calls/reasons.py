"""a failure of torch.export -> what it means in words, and what to do about it.

One function a kind of failure, tried in order; the first that knows the failure explains it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...frozen import frozen
from ..sizes.constraints import explain_constraints


@frozen
class Failure:
    """What is known of a failed capture; ``is_own`` where the model's own code raised it."""

    name: str
    kind: str
    text: str
    where: str
    line: str
    is_own: bool
    error: BaseException

    @property
    def said(self) -> str:
        """The first line of the text, with tensors called tensors."""
        first = next((part.strip() for part in self.text.splitlines() if part.strip()), "")
        return first.replace("FakeTensor", "Tensor").rstrip(".")


Reason = tuple[str, str]

_IN_TENSORS = (
    "Compute it with tensors instead (torch.where, torch.clamp, masks), or compile the part that "
    "does not need it."
)


def reason_of(failure: Failure) -> Reason:
    """What happened, and what to do."""
    for explain in _REASONS:
        found = explain(failure)
        if found is not None:
            return found
    raised = f": {failure.said:.300}." if failure.said else "."
    if failure.is_own and re.search(r"\bSym(Int|Float|Bool)\b", failure.text):
        return (
            (
                f"{failure.name} does with a dynamic size what torch cannot follow{failure.where}: "
                f"{failure.kind}{raised}"
            ),
            "Write it with +, -, *, // and %, or leave the dimension out of `dynamic`.",
        )
    if failure.is_own:
        return (
            f"{failure.name} raised {failure.kind}{failure.where}{raised}",
            "It is the model's own error: check that the model itself takes this call.",
        )
    return (
        f"torch.export could not capture {failure.name}{failure.where}: {failure.kind}{raised}",
        (
            "Check that the model itself takes this call; the exception this was raised from has "
            "the whole story."
        ),
    )


def _value(failure: Failure) -> Reason | None:
    """A number out of a tensor, or a branch on one."""
    is_data = "GuardOnDataDependent" in failure.kind or "data-dependent" in failure.text
    is_output = failure.kind == "DataDependentOutputException"
    is_format = re.search(r"(Tensor|Sym\w+)\.__format__", failure.text) is not None
    if not (is_data or is_output or is_format):
        return None
    line, name, where = failure.line, failure.name, failure.where
    if re.search(r"\b(print|log\w*\.\w+|warn\w*|logger)\s*\(", line) or is_format:
        return (
            (
                f"{name} puts the value of a tensor into text{where}. While it is captured, "
                "tensors have no values."
            ),
            (
                "Take the print or log out of the model, or do it only when not "
                "torch.compiler.is_exporting()."
            ),
        )
    if re.match(r"assert\b", line):
        return (
            (
                f"{name} asserts something about the values in a tensor{where}. While it is "
                "captured, tensors have no values."
            ),
            (
                "Check the values before the call, or do it only when not "
                "torch.compiler.is_exporting()."
            ),
        )
    if is_output:
        op = failure.text.partition("\n")[0].removesuffix(".default")
        return (
            (
                f"{name} takes a Python value out of tensors with {op}{where}. While it is "
                "captured, tensors have no values."
            ),
            _IN_TENSORS,
        )
    expression = re.search(r"data-dependent expression (.*?) \(unhinted", failure.text)
    shown = expression[1] if expression else ""
    is_number = re.search(r"\.item\(|\.tolist\(|\bint\(|\bfloat\(|\brange\(|\bround\(", line)
    if (is_number and not re.match(r"(if|elif|while)\b", line)) or "zuf" in shown:
        return (
            (
                f"{name} needs the value of a tensor as a Python number{where}. While it is "
                "captured, tensors have no values."
            ),
            _IN_TENSORS,
        )
    if re.search(r"\bu\d+\b", shown) and not shown.startswith("Eq(u0, 1)"):
        return (
            f"{name} branches on a size that depends on the values in a tensor{where}.",
            (
                "State what is known of the size by torch._check, or replace the branch by "
                "torch.where or torch.cond."
            ),
        )
    return (
        f"{name} branches on the values in a tensor{where}.",
        "Replace the branch by torch.where or torch.cond, or compile the part without it.",
    )


def _no_fake(failure: Failure) -> Reason | None:
    """An op that does not say which shape its result has."""
    op = ""
    if failure.kind == "UnsupportedOperatorException":
        op = failure.text.partition("\n")[0].strip().removesuffix(".default").replace(".", "::", 1)
    elif "no fake impl registered for" in failure.text:
        found = re.search(r"CustomOpDef\(([\w:.]+)\)", failure.text)
        op = found[1] if found else "a custom op"
    if not op:
        return None
    if op.startswith(("aten::", "prims::")):
        return (
            (
                f"{failure.name} calls {op}{failure.where}, which torch cannot trace: it has no "
                "kernel that only computes shapes."
            ),
            "Use other ops, or compile the part without it.",
        )
    return (
        f"{failure.name} calls {op}{failure.where}, which does not say which shape its result has.",
        (
            f'Register that: @torch.library.register_fake("{op}") on a function of the same '
            "arguments that returns an empty tensor of that shape, such as torch.empty_like(x)."
        ),
    )


def _devices(failure: Failure) -> Reason | None:
    if failure.kind != "FakeTensorDeviceMismatchError" and "on the same device" not in failure.text:
        return None
    return (
        f"{failure.name} mixes tensors of several devices{failure.where}: {failure.said:.300}.",
        "Make new tensors where the others are: torch.ones(..., device=x.device).",
    )


def _numpy(failure: Failure) -> Reason | None:
    if ".numpy() is not supported" not in failure.text:
        return None
    return (
        (
            f"{failure.name} leaves torch for NumPy{failure.where}. While it is captured, tensors "
            "have no values."
        ),
        "Use torch's functions instead, or do that part outside.",
    )


def _pointer(failure: Failure) -> Reason | None:
    if "Cannot access data pointer" not in failure.text:
        return None
    return (
        (
            f"{failure.name} asks for the memory of a tensor{failure.where}, which has none while "
            "it is captured."
        ),
        "Wrap the function that needs it with torch.library.custom_op, and register its fake.",
    )


def _gradient(failure: Failure) -> Reason | None:
    if "does not require grad" not in failure.text:
        return None
    return (
        f"{failure.name} computes gradients{failure.where}.",
        (
            "Compiled functions are for inference: compute the gradients outside, or where the "
            "model itself says torch.enable_grad()."
        ),
    )


def _lifted(failure: Failure) -> Reason | None:
    if "was used before it has been defined" not in failure.text:
        return None
    return (
        (
            f"{failure.name} takes no tensor as an argument and uses one from outside, which a "
            "graph without inputs cannot hold."
        ),
        (
            "Pass the tensors that it works on as arguments, for instance "
            "compile(model, (x,)) instead of a function that calls model(x)."
        ),
    )


def _elsewhere(failure: Failure) -> Reason | None:
    if "fake tensor in the exported program constant" not in failure.text:
        return None
    return (
        (
            f"{failure.name} computes something where torch.export does not see it, in another "
            "thread, a library, or through .data."
        ),
        "Compute it in forward itself, with detach() or copy_() under no_grad() instead of .data.",
    )


def _quantised(failure: Failure) -> Reason | None:
    if "__obj_flatten__" not in failure.text and "ScriptObject" not in failure.text:
        return None
    found = re.search(r"torch\.classes\.([\w.]+)", failure.text)
    what = found[1] if found else "a TorchScript class"
    if "quantized" in what or "PackedParams" in what:
        return (
            (
                f"{failure.name} is quantized by torch.ao, whose weights are objects that no graph "
                f"holds ({what})."
            ),
            (
                "Compile the model that is not quantized, or use a quantization that keeps weights "
                "in tensors, such as torchao's."
            ),
        )
    return (
        f"{failure.name} holds an object of TorchScript ({what}), which no graph holds.",
        "Compile the part without it, or keep what it holds in tensors.",
    )


def _sparse(failure: Failure) -> Reason | None:
    found = re.search(r"Sparse (\w+) tensors do not have strides", failure.text)
    if found is None:
        return None
    return (
        (
            f"{failure.name} uses a sparse tensor of layout {found[1]}{failure.where}, and "
            "compiled kernels read memory."
        ),
        "Convert it with .to_dense() before the call.",
    )


def _script(failure: Failure) -> Reason | None:
    text = failure.text
    if "ScriptModule" not in text and "torch.jit" not in failure.line:
        return None
    return (
        f"{failure.name} uses TorchScript{failure.where}, which torch.export does not capture.",
        "Compile the model before torch.jit.script or torch.jit.trace made that of it.",
    )


def _recursion(failure: Failure) -> Reason | None:
    if failure.kind != "RecursionError":
        return None
    return (
        f"{failure.name} calls itself without an end, or nearly so{failure.where}.",
        "Check that the model itself takes this call; sys.setrecursionlimit allows more.",
    )


def _constraints(failure: Failure) -> Reason | None:
    if "Constraints violated" not in failure.text and "code specialized" not in failure.text:
        return None
    return explain_constraints(failure.text, failure.name)


_REASONS: tuple[Callable[[Failure], Reason | None], ...] = (
    _constraints,
    _no_fake,
    _value,
    _devices,
    _numpy,
    _pointer,
    _gradient,
    _lifted,
    _elsewhere,
    _quantised,
    _sparse,
    _script,
    _recursion,
)

# Of the model itself: no reading of its Python gives a tensor values, or an op a shape.
_FINAL = (_constraints, _no_fake, _value, _devices, _pointer, _sparse, _script, _recursion)


def is_of_the_model(failure: Failure) -> bool:
    """Whether a failure is one that no other way to capture the model would be spared."""
    return any(explain(failure) is not None for explain in _FINAL)
