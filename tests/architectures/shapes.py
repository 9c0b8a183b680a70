"""Modules as people write them, in the shapes of torchvision, timm and papers' code.

They use what forwards commonly use of Python and its library: configuration objects, caches,
loggers, warnings, sets that are only asked, imports inside functions, names looked up in modules.
"""

from __future__ import annotations

import collections
import copy
import enum
import functools
import itertools
import logging
import math
import operator
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
import torch.utils.checkpoint as checkpoints
from torch import Tensor, einsum, nn
from torch.nn import init

logger = logging.getLogger(__name__)
SHAPES: dict[str, Callable[[], tuple[nn.Module, tuple[Any, ...]]]] = {}
POOLINGS = {"avg", "max"}


def shape(function: Callable[[], tuple[nn.Module, tuple[Any, ...]]]) -> Any:
    """Register a builder of a module and its example call under its name."""
    SHAPES[function.__name__] = function
    return function


def images(channels: int = 3, side: int = 16) -> Tensor:
    """A batch of one."""
    return torch.linspace(-1, 1, channels * side * side).reshape(1, channels, side, side)


# --- convolutions --------------------------------------------------------------------------------


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    new_v = max(min_value or divisor, int(v + divisor / 2) // divisor * divisor)
    return new_v + divisor if new_v < 0.9 * v else new_v


class SqueezeExcite(nn.Module):
    def __init__(self, chs: int, ratio: float = 0.25, act: Any = nn.ReLU) -> None:
        super().__init__()
        reduced = _make_divisible(chs * ratio, 4)
        self.fc1, self.fc2 = nn.Conv2d(chs, reduced, 1), nn.Conv2d(reduced, chs, 1)
        self.act, self.scale_activation = act(), nn.Hardsigmoid()

    def _scale(self, x: Tensor) -> Tensor:
        return self.scale_activation(self.fc2(self.act(self.fc1(F.adaptive_avg_pool2d(x, 1)))))

    def forward(self, x: Tensor) -> Tensor:
        return self._scale(x) * x


class Bottleneck(nn.Module):
    expansion: int = 4

    def __init__(self, inplanes: int, planes: int, stride: int = 1, drop: float = 0.1) -> None:
        super().__init__()
        norm = functools.partial(nn.BatchNorm2d, eps=1e-3)
        self.conv1, self.bn1 = nn.Conv2d(inplanes, planes, 1, bias=False), norm(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2, self.relu = norm(planes), nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3, self.se = norm(planes * self.expansion), SqueezeExcite(planes * self.expansion)
        self.downsample = nn.Sequential(
            OrderedDict(conv=nn.Conv2d(inplanes, planes * 4, 1, stride), norm=norm(planes * 4))
        )
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.se(self.bn3(self.conv3(self.relu(self.bn2(self.conv2(out))))))
        if self.drop and self.training:
            out = F.dropout(out, p=self.drop, training=self.training)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, pool: str = "avg") -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU())
        self.layers = nn.ModuleList([Bottleneck(8, 2), Bottleneck(8, 2, 2)])
        self.head, self.pool = nn.Linear(8, 5), pool
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def _forward_impl(self, x: Tensor) -> Tensor:
        if self.pool not in POOLINGS:
            raise ValueError(f"pool must be one of {sorted(POOLINGS)}, not {self.pool!r}")
        x = self.stem(x)
        for i, layer in enumerate(self.layers):
            logger.debug("layer %d: %s", i, tuple(x.shape))
            x = layer(x)
        x = x.mean((2, 3)) if self.pool == "avg" else x.amax((2, 3))
        return self.head(torch.flatten(x, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


@shape
def resnet() -> Any:
    return ResNet(), (images(),)


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, growth, 3, padding=1)
        self.memory_efficient = False

    def any_requires_grad(self, features: list[Tensor]) -> bool:
        return any(torch.is_grad_enabled() and t.dtype.is_complex for t in features)

    def forward(self, features: Tensor | list[Tensor]) -> Tensor:
        found = [features] if isinstance(features, Tensor) else features
        if self.memory_efficient and self.any_requires_grad(found):
            if torch.jit.is_scripting():
                raise RuntimeError("Memory Efficient not supported in JIT")
            return cast(Tensor, checkpoints.checkpoint(self.conv, *found, use_reentrant=False))
        return self.conv(F.relu(self.norm(torch.cat(found, 1))))


class DenseBlock(nn.ModuleDict):
    def __init__(self) -> None:
        super().__init__()
        for i in range(3):
            self.add_module(f"denselayer{i + 1}", DenseLayer(4 + 2 * i, 2))

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


@shape
def densenet() -> Any:
    return DenseBlock(), (images(4),)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 3, 1)])
        self.mode = "bilinear"

    def forward(self, x: Tensor, *, return_features: bool = False) -> Any:
        skips = collections.deque[Tensor]()
        for conv in self.down:
            x = F.relu(conv(x))
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = F.interpolate(x, scale_factor=2.0, mode=self.mode, align_corners=False)
        x = self.up[0](x)
        skips.pop()
        other = skips.pop()
        dy, dx = (a - b for a, b in zip(other.shape[-2:], x.shape[-2:], strict=True))
        x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        out = self.up[1](torch.cat([other, x], dim=1))
        return {"out": out, "aux": list(skips)} if return_features else out


@shape
def unet() -> Any:
    return UNet(), (images(),)


class FPN(nn.Module):
    """Features by name, as detection backbones have them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleList([nn.Conv2d(c, 4, 1) for c in (3, 6)])

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        names, values = list(x.keys()), list(x.values())
        last = self.inner[-1](values[-1])
        results = [last]
        for i in range(len(values) - 2, -1, -1):
            last = self.inner[i](values[i]) + F.interpolate(last, size=values[i].shape[-2:])
            results.insert(0, last)
        return OrderedDict(list(zip(names, results, strict=True)))


@shape
def fpn() -> Any:
    return FPN(), ({"0": images(3, 16), "1": images(6, 8)},)


# --- attention -----------------------------------------------------------------------------------


def _pair(x: Any) -> tuple[int, int]:
    return tuple(x) if isinstance(x, collections.abc.Iterable) else tuple(itertools.repeat(x, 2))  # type: ignore[return-value]


class WindowAttention(nn.Module):
    index: Tensor

    def __init__(self, dim: int = 8, window: int = 4, heads: int = 2) -> None:
        super().__init__()
        self.window, self.heads, self.shift = _pair(window), heads, window // 2
        self.qkv, self.proj = nn.Linear(dim, dim * 3), nn.Linear(dim, dim)
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        grid = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij"))
        flat = grid.reshape(2, -1)
        relative = (flat[:, :, None] - flat[:, None, :]).transpose(1, 2, 0) + window - 1
        self.register_buffer("index", torch.as_tensor(relative @ np.array([2 * window - 1, 1])))
        self.scale: float = math.pow(dim // heads, -0.5)

    def _bias(self) -> Tensor:
        area = math.prod(self.window)
        return self.table[self.index.view(-1)].view(area, area, -1).permute(2, 0, 1).contiguous()

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, c = x.shape
        if h % self.window[0] or w % self.window[1]:
            raise AssertionError(f"a window of {self.window} does not divide {h}x{w}")
        x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        wh, ww = self.window
        x = x.view(b, h // wh, wh, w // ww, ww, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, wh * ww, c)
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attn = ((q * self.scale) @ k.transpose(-2, -1) + self._bias()).softmax(-1)
        x = (attn @ v).transpose(1, 2).reshape(-1, wh, ww, c)
        x = x.view(b, h // wh, w // ww, wh, ww, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return self.proj(torch.roll(x, shifts=(self.shift, self.shift), dims=(1, 2)))


@shape
def swin() -> Any:
    return WindowAttention(), (torch.linspace(0, 1, 512).reshape(1, 8, 8, 8),)


@dataclass
class Config:
    dim: int = 8
    heads: int = 2
    act: str = "gelu"
    drop: float = 0.0
    rope: dict[str, Any] = field(default_factory=lambda: {"theta": 10000.0, "type": "default"})


class Norm(enum.Enum):
    LAYER = "layer"
    RMS = "rms"


class Output(NamedTuple):
    hidden: Tensor
    states: tuple[Tensor, ...]


@functools.lru_cache(maxsize=8)
def frequencies(dim: int, theta: float) -> tuple[float, ...]:
    return tuple(1.0 / theta ** (i / dim) for i in range(0, dim, 2))


def rotate_half(x: Tensor) -> Tensor:
    x1, x2 = x.chunk(2, dim=-1)
    return torch.cat((-x2, x1), dim=-1)


class Block(nn.Module):
    def __init__(self, config: Config, norm: Norm) -> None:
        super().__init__()
        self.config, self.kind = copy.deepcopy(config), norm
        self.q, self.k, self.v, self.o = (nn.Linear(config.dim, config.dim) for _ in range(4))
        self.norm = nn.LayerNorm(config.dim) if norm is Norm.LAYER else nn.RMSNorm(config.dim)
        self.mlp = nn.Sequential(nn.Linear(config.dim, 16), nn.GELU(), nn.Linear(16, config.dim))

    @property
    def head_dim(self) -> int:
        return self.config.dim // self.config.heads

    def rope(self, x: Tensor) -> Tensor:
        steps = torch.arange(x.shape[-2], device=x.device, dtype=torch.float32)
        inverse = torch.tensor(frequencies(self.head_dim, self.config.rope["theta"]))
        angle = torch.cat([einsum("i,j->ij", steps, inverse.to(x.device))] * 2, dim=-1)
        return (x * angle.cos() + rotate_half(x) * angle.sin()).type_as(x)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        residual = x
        x = self.norm(x)
        parts = [m(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
                 for m in (self.q, self.k, self.v)]  # fmt: skip
        q, k = map(self.rope, parts[:2])
        with torch.autocast(device_type=x.device.type, enabled=False):
            if hasattr(F, "scaled_dot_product_attention"):
                out = F.scaled_dot_product_attention(q.float(), k.float(), parts[2], mask)
            else:
                warnings.warn("slow attention", UserWarning, stacklevel=2)
                out = torch.softmax(q @ k.mT / math.sqrt(self.head_dim), -1) @ parts[2]
        x = residual + self.o(out.transpose(1, 2).flatten(2))
        return x + F.dropout(self.mlp(x), self.config.drop, self.training)


class Transformer(nn.Module):
    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = replace(config or Config(), drop=0.0)
        self.blocks = nn.ModuleList(Block(self.config, kind) for kind in Norm)
        self.act = getattr(F, self.config.act)
        self.gradient_checkpointing = False

    def forward(self, x: Tensor, output_hidden_states: bool | None = None) -> Output:
        states: tuple[Tensor, ...] = ()
        if torch.compiler.is_compiling() and self.training:
            raise RuntimeError("evaluate first")
        for block in self.blocks:
            states += (x,)
            if self.gradient_checkpointing and self.training:
                x = checkpoints.checkpoint(block.__call__, x)
            else:
                x = block(x)
        x = functools.reduce(operator.add, (self.act(s) for s in states), x)
        assert not isinstance(x, (list, dict)), type(x).__name__
        return Output(x, states if output_hidden_states else ())


@shape
def transformer() -> Any:
    return Transformer().eval(), (torch.linspace(0, 1, 48).reshape(1, 6, 8),)


@shape
def torch_transformer() -> Any:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2).eval(), (torch.linspace(0, 1, 48).reshape(1, 6, 8),)


# --- odds and ends -------------------------------------------------------------------------------


class Mixed(nn.Module):
    """Late imports, a variable of the environment, a table of functions, old-style formatting."""

    ACTIVATIONS: ClassVar = {"relu": F.relu, "tanh": torch.tanh, "swish": lambda x: x * x.sigmoid()}

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)
        self.mha = nn.MultiheadAttention(4, 2, batch_first=True)
        self.names = ["tanh", "swish"]
        self.weights = np.array([0.5, 0.25])
        self.allowed = frozenset(("tanh", "swish", "relu"))

    def forward(self, x: Tensor) -> Tensor:
        from math import pi

        scale = float(os.environ.get("SHAPES_SCALE", "1.0"))
        x, (h, _) = self.lstm(x)
        x, _ = self.mha(x, x, x, need_weights=False)
        for name, weight in zip(self.names, self.weights.tolist(), strict=True):
            if name in self.allowed:
                x = self.ACTIVATIONS[name](x) * weight + np.sqrt(2.0) * pi
            else:
                logger.warning(f"no activation {name} of {', '.join(sorted(self.allowed))}")  # noqa: G004
        return torch.where(x > 0, x, x.neg()) * scale + h.transpose(0, 1).sum()


@shape
def mixed() -> Any:
    return Mixed().eval(), (torch.linspace(0, 1, 12).reshape(1, 3, 4),)
