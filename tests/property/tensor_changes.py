"""What may become of a weight or an input between load and call; run as a child: draws, one a line.

Each change is made to a model and to its twin, which eager runs. ``UNSAFE`` are those after which
eager itself reads memory that is not there: only an error is right.
"""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils import _pytree


class Mixed(nn.Module):
    """Parameters and buffers, one of them written to, around an op that runs between kernels."""

    table: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.linspace(0.5, 1.5, 8))
        self.register_buffer("table", torch.linspace(-1, 1, 64).reshape(8, 8))
        self.register_buffer("seen", torch.zeros(8))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        self.seen.add_(x[0])
        y = self.linear(x)[None, None]
        y = nn.functional.scaled_dot_product_attention(y, y, y)[0, 0]
        return y * self.scale + z @ self.table + self.seen


class Wrapped(Tensor):
    """A subclass without memory of its own, as torchao's and DTensor are."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Wrapped:
        made = Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), dtype=inner.dtype
        )
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        def unwrap(value: Any) -> Any:
            return value.inner if isinstance(value, Wrapped) else value

        return func(*_pytree.tree_map(unwrap, args), **_pytree.tree_map(unwrap, kwargs or {}))


class Named(Tensor):
    """A subclass with memory, and nothing of its own."""


class Halved(Tensor):
    """A subclass with memory that says itself what functions do."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = super().__torch_function__(func, types, args, kwargs or {})
        floating = isinstance(made, Tensor) and made.is_floating_point()
        return made * 0.5 if floating and func is nn.functional.linear else made


def shortened(tensor: Tensor, size: int) -> Tensor:
    tensor.untyped_storage().resize_(size)
    return tensor


def misaligned(tensor: Tensor) -> Tensor:
    raw = torch.frombuffer(bytearray(tensor.nbytes + 1), dtype=torch.uint8)[1:]
    made = torch.frombuffer(raw.numpy(), dtype=tensor.dtype)
    return made.copy_(tensor.flatten()).view(tensor.shape)


def inference(tensor: Tensor) -> Tensor:
    with torch.inference_mode():
        return tensor.clone()


Make = Callable[[Tensor], Tensor]
# tensor -> another one, for weights and inputs alike
MADE: dict[str, Make] = {
    "half": lambda t: t.half(),
    "bfloat16": lambda t: t.bfloat16(),
    "double": lambda t: t.double(),
    "complex": lambda t: t.to(torch.complex64),
    "integers": lambda t: t.int(),
    "bits": lambda t: t.clone().view(torch.int32),
    "meta": lambda t: t.to("meta"),
    "fake": lambda t: FakeTensorMode().from_tensor(t),
    "wrapped": Wrapped,
    "named": lambda t: t.clone().as_subclass(Named),
    "made subclass": lambda t: Tensor._make_subclass(Named, t.clone()),
    "own functions": lambda t: t.clone().as_subclass(Halved),
    "negative": lambda t: torch._neg_view(t.clone()),
    "conjugate": lambda t: torch.complex(t * 0, t).conj().imag,
    "zeros": lambda t: torch._efficientzerotensor(t.shape),
    "sparse": lambda t: t.to_sparse(),
    "quantized": lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
    "nested": lambda t: torch.nested.nested_tensor(list(t)),
    "mkldnn": lambda t: t.to_mkldnn(),
    "functional": lambda t: torch._to_functional_tensor(t.clone()),
    "expanded": lambda t: t[:1].clone().expand(t.shape),
    "misaligned": misaligned,
    "part of more": lambda t: torch.cat([t.flatten(), t.flatten()])[t.numel() :].view(t.shape),
    "strided": lambda t: torch.stack([t, t], -1)[..., 0],
    "transposed": lambda t: t.t().contiguous().t(),
    "flat": lambda t: t.flatten(),
    "fewer": lambda t: t[:4],
    "more": lambda t: torch.cat([t, t]),
    "scalar": lambda t: t.sum(),
    "inference": inference,
    "numpy": lambda t: torch.from_numpy(t.numpy().copy()),
    "copied": lambda t: t.clone() * 2,
    "freed": lambda t: shortened(t.clone(), 0),
    "short": lambda t: shortened(t.clone(), 8),
}
UNSAFE = {"freed", "short", "functional", "freed in place", "shortened in place"}

Change = Callable[[nn.Module, str], None]


def tensor_of(model: nn.Module, name: str) -> Tensor:
    return dict([*model.named_parameters(), *model.named_buffers()])[name]


def assign(make: Make) -> Change:
    def change(model: nn.Module, name: str) -> None:
        prefix, _, key = name.rpartition(".")
        owner, old = model.get_submodule(prefix), tensor_of(model, name)
        new = make(old.detach())
        if isinstance(old, nn.Parameter):
            owner._parameters[key] = nn.Parameter(new, requires_grad=False)
        else:
            owner._buffers[key] = new

    return change


def set_data(make: Make) -> Change:
    def change(model: nn.Module, name: str) -> None:
        tensor = tensor_of(model, name)
        tensor.requires_grad_(False)
        tensor.data = make(tensor.data)

    return change


def in_place(work: Callable[[Tensor], Any]) -> Change:
    def change(model: nn.Module, name: str) -> None:
        with torch.no_grad():
            work(tensor_of(model, name))

    return change


def replace_submodule(model: Any, name: str) -> None:
    torch.manual_seed(7)
    model.linear = nn.Linear(8, 8)


def state_dict(model: Any, name: str) -> None:
    state = {key: value * 3 for key, value in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


def share(model: Any, name: str) -> None:
    other = model.table if name != "table" else model.linear.weight
    tensor = tensor_of(model, name)
    tensor.data = other.data.flatten()[: tensor.numel()].view(tensor.shape)


def share_objects(model: Any, name: str) -> None:
    model.table = model.linear.weight.data
    model.seen = model.scale.data


def take_away(model: Any, name: str) -> None:
    prefix, _, key = name.rpartition(".")
    delattr(model.get_submodule(prefix), key)


CHANGES: dict[str, Change] = {
    **{f"assigned {name}": assign(make) for name, make in MADE.items()},
    **{f"data {name}": set_data(make) for name, make in MADE.items()},
    "module half": lambda m, n: m.half() and None,
    "module bfloat16": lambda m, n: m.bfloat16() and None,
    "module double": lambda m, n: m.double() and None,
    "module meta": lambda m, n: m.to("meta") and None,
    "data transposed in place": set_data(lambda t: t.t()),
    "data same": set_data(lambda t: t),
    "transposed in place": in_place(lambda t: t.t_()),
    "multiplied in place": in_place(lambda t: t.mul_(2)),
    "resized in place": in_place(lambda t: t.resize_(4)),
    "grown in place": in_place(lambda t: t.resize_(16, 16).zero_()),
    "set in place": in_place(lambda t: t.set_(t.clone() + 1)),
    "freed in place": in_place(lambda t: shortened(t, 0)),
    "shortened in place": in_place(lambda t: shortened(t, 8)),
    "wants gradients": lambda m, n: m.requires_grad_(True) and None,
    "wants no gradients": lambda m, n: m.requires_grad_(False) and None,
    "replaced submodule": replace_submodule,
    "state dict": state_dict,
    "shared memory": share,
    "shared objects": share_objects,
    "taken away": take_away,
}
NAMES = ("linear.weight", "linear.bias", "scale", "table", "seen")


def attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - it is looked at
        return error


def draw(number: int, path: str, fc: Any) -> str:
    """One draw: "" when it is right or refused, else what is wrong."""
    chance = random.Random(number)
    torch.manual_seed(3)
    models = [Mixed().eval() for _ in range(2)]
    models[1].load_state_dict(copy.deepcopy(models[0].state_dict()))
    inputs = [[torch.randn(8, 8), torch.randn(8, 8)]] * 2
    via = chance.choice(["native", "native", "torch", "fx"])
    before = chance.random() < 0.3
    unsafe = False
    said = [via, "before" if before else "after"]
    made: Any = None
    if not before:
        made = attempt(lambda: fc.load(path, models[0], via=via))
        if chance.random() < 0.5:
            made(*[leaf.clone() for leaf in inputs[0]])
            with torch.no_grad():
                models[1](*[leaf.clone() for leaf in inputs[0]])
    if chance.random() < 0.3:
        kind, position = chance.choice([*MADE, "own buffer", "twice"]), chance.randrange(2)
        said += ["input", kind, str(position)]
        for model, leaves in zip(models, (inputs[0], list(inputs[0])), strict=True):
            inputs[models.index(model)] = leaves
            if kind == "own buffer":
                changed: Any = model.table
            elif kind == "twice":
                changed = leaves[1 - position]
            else:
                changed = attempt(lambda leaves=leaves: MADE[kind](leaves[position]))
            if isinstance(changed, Exception):
                return ""
            leaves[position] = changed
        unsafe = kind in UNSAFE
    else:
        kind, name = chance.choice(list(CHANGES)), chance.choice(NAMES)
        said += [kind, name]
        for model in models:
            if isinstance(attempt(lambda model=model: CHANGES[kind](model, name)), Exception):
                break  # torch refuses it half way: so did it for the twin
        unsafe = any(
            word == kind.removeprefix("assigned ").removeprefix("data ") for word in UNSAFE
        )
    if before:
        made = attempt(lambda: fc.load(path, models[0], via=via))
    results = []
    for _ in range(2):
        found = made if isinstance(made, Exception) else attempt(lambda: made(*inputs[0]))
        results.append(found)
        if isinstance(found, Exception):
            if isinstance(found, fc.errors.FastCompileError):
                return ""
            return f"{said}: {type(found).__name__}: {str(found)[:200]}"
        if unsafe:
            return f"{said}: no error on memory that is not there"
        with torch.no_grad():
            expected = attempt(lambda: models[1](*inputs[1]))
        if isinstance(expected, Exception) and "inference" in kind:
            return "="  # eager does not write to an inference tensor, and kernels may
        if isinstance(expected, Exception):
            return f"{said}: eager raises {str(expected)[:100]}, and ours does not"
        if found.dtype != expected.dtype or not torch.allclose(
            found, expected.as_subclass(Tensor), atol=1e-4, rtol=1e-4, equal_nan=True
        ):
            return f"{said}: {found.dtype} {(found - expected).abs().max().item():.3g} off"
    return "="


def main(first: int, last: int, path: str) -> None:
    import ipy_fastcompile as fc

    for number in range(first, last):
        print(json.dumps([number, "begun"]), flush=True)
        print(json.dumps([number, draw(number, path, fc)]), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
