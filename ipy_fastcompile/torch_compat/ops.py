"""registered op -> its name, schema, module and Python (torch._ops; seen on 2.11 and 2.13)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def is_op(target: Any) -> bool:
    """Whether a node's target is a registered op, one overload of it."""
    return isinstance(target, torch._ops.OpOverload)


def is_op_packet(target: Any) -> bool:
    """Whether a node's target is a registered op with its overload left open."""
    return isinstance(target, torch._ops.OpOverloadPacket)


def is_higher_order(target: Any) -> bool:
    """Whether a node's target is an op that takes graphs, ``cond`` for instance."""
    return isinstance(target, torch._ops.HigherOrderOperator)


def op_and_overload(target: Any) -> tuple[str, str]:
    """``("aten::add", "Tensor")``; an empty overload where the packet leaves it open."""
    if is_op_packet(target):
        return str(target._qualified_op_name), ""
    return str(target._schema.name), str(target._overloadname)


# Op -> torch's own Python binding of it, the function that Python code calls by its public name.
# It passes the op what it is given, as `torch.ops` does, and finds out three microseconds sooner
# what that is. The public name is not written: libraries put functions of their own in its place.
_BUILTINS = {"aten::scaled_dot_product_attention": "torch._C._nn.scaled_dot_product_attention"}


def builtin_of(target: Any) -> str:
    """The function that is an op and takes the same arguments, by its path; "" for most ops."""
    return _BUILTINS.get(str(target._schema.name), "") if is_op(target) else ""


def is_mutating(target: Any) -> bool:
    """Whether a node's target is a registered op that writes to one of its arguments."""
    return is_op(target) and bool(target._schema.is_mutable)


def schema_arguments(target: Any) -> list[Any]:
    """What an op takes, in order; each has a ``name``, a ``type`` and a ``default_value``."""
    return list(target._schema.arguments)


def op_module(packet: Any) -> str:
    """The Python module that registered an op, "" when torch does not know.

    Every `torch.library` definition from Python leaves its module in torch's stub registry.
    """
    default = getattr(packet, packet.overloads()[0])
    module = getattr(default, "_defining_module", "") or ""
    try:
        from torch._library.custom_ops import OPDEFS

        definition = OPDEFS.get(default._schema.name)
        function = getattr(definition, "_init_fn", None)
        module = module or getattr(function, "__module__", "") or ""
    except ImportError:
        pass
    return str(module)


def op_name(value: Any) -> str:
    """``mylib::attn.default`` for an op, ``mylib::attn`` for its packet or a custom op; else ""."""
    if isinstance(value, torch._ops.OpOverload):
        return str(value._schema.name) + f".{value._overloadname}"
    if isinstance(value, torch._ops.OpOverloadPacket):
        return str(value._qualified_op_name)
    if isinstance(value, torch.library.CustomOpDef):
        return str(value._qualname)
    return ""


def is_op_library(module: Any) -> bool:
    """Whether a module is `torch.ops`, which makes up attributes as it is asked for them."""
    return isinstance(module, torch._ops._Ops)


def mentioned_ops(names: Sequence[str]) -> list[Any]:
    """The registered ops that code may call that mentions these names, and `torch.ops`."""
    wanted = set(names)
    found = []
    for name in sorted(torch._C._dispatch_get_all_op_names()):
        namespace, _, op = name.partition("::")
        short = op.partition(".")[0]
        if namespace in wanted and short in wanted and namespace not in ("aten", "prim", "prims"):
            found.append(getattr(getattr(torch.ops, namespace), short))
    return list(dict.fromkeys(found))


def op_python_functions(value: Any) -> tuple[list[Any], str]:
    """The Python functions that implement an op, and why these are not all, "" when they are."""
    from torch._library.custom_ops import OPDEFS
    from torch._library.simple_registry import singleton

    qualified = op_name(value).partition(".")[0]
    namespace, _, name = qualified.partition("::")
    functions: list[Any] = []
    definition = OPDEFS.get(qualified)
    if definition is not None:
        functions += [definition._init_fn, definition._abstract_fn]
        functions += [f for _, f in sorted(definition._backend_fns.items(), key=str)]
    packet = getattr(getattr(torch.ops, namespace), name)
    kernel = singleton.find(qualified).fake_impl.kernel
    functions.append(getattr(kernel, "func", None))
    for overload in sorted(packet.overloads()):
        kernels = getattr(packet, overload).py_kernels
        functions += [f for _, f in sorted(kernels.items(), key=lambda item: str(item[0]))]
    prefix = f"{namespace}/{name}"
    composite = [
        key
        for key in torch.library._impls
        if key.partition(".")[0].startswith(prefix) and key.endswith("CompositeImplicitAutograd")
    ]
    unseen = f"{qualified} is a composite op whose Python torch does not give back"
    found = [f for f in functions if f is not None]
    return found, unseen if composite and namespace != "aten" else ""
