"""model -> the tensors an artifact needs, by name, each checked.

The names are those of `torch.export`: paths such as ``model.layers.0.mlp.up_proj.weight``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import torch

from ..artifact.schema import TensorSpec, TensorSpecs
from ..errors import ParameterError
from ..frozen import NamedTuple
from . import plain
from .places import Place, Places
from .whole import Guard, guard_whole
from .wrappers import by_plain_name

Source = torch.nn.Module | Mapping[str, torch.Tensor] | Any


class Found(NamedTuple):
    """The tensors that an artifact is bound to, in order, and where those of a module are kept.

    ``places`` has None for what the artifact itself holds, and for all that a mapping gave.
    ``guard`` is over the tensors at these places, where nothing about them is unusual.
    """

    tensors: list[torch.Tensor]
    places: list[Place | None]
    guard: Guard | None = None


def find_parameters(
    source: Source | Lookup, specs: TensorSpecs, stored: Mapping[str, torch.Tensor]
) -> Found:
    """The tensor for every specification, in order: plain, without autograd, on the same memory.

    Parameters
    ----------
    source:
        A module, a bound method of one, or a mapping of names to tensors.
    specs:
        What each of them must be.
    stored:
        Constants and non-persistent buffers that the artifact holds; used for constants, and for
        what a mapping (a state dict, say) does not have.

    Raises ParameterError naming the tensor that is missing or does not fit, and both sides.
    """
    lookup = source if isinstance(source, Lookup) else Lookup(source, stored)
    names: Sequence[str] = specs.names
    own: list[int] = []
    if "constant" in specs.kinds:  # those are the artifact's
        own = [n for n, kind in enumerate(specs.kinds) if kind == "constant"]
        names = [spec.name for spec in specs if spec.kind != "constant"]
    tensors, places, _ = lookup.find_all(names)
    for position in own:
        spec = specs[position]
        tensor = stored[spec.name].to(torch.device(spec.device))
        tensors.insert(position, _laid_out(tensor, spec.strides))
        places.insert(position, None)
    guard = guard_whole(tensors, specs)
    if guard is not None:
        return Found(list(map(torch.Tensor.detach, tensors)), places, guard)
    for spec, tensor in zip(specs, tensors, strict=True):
        wanted = (getattr(torch, spec.dtype), spec.shape, torch.device(spec.device))
        _check(spec, tensor, wanted)
    return Found(list(map(plain.alias, tensors)), places)


_metadata = attrgetter("dtype", "shape", "device")


def _check(spec: TensorSpec, tensor: torch.Tensor, wanted: tuple[Any, ...]) -> None:
    """One tensor beside its specification; raises ParameterError."""
    if not plain.is_plain(tensor):
        _refuse_flaw(spec, tensor)
    if _metadata(tensor) != wanted or not _has_strides(tensor, spec.strides):
        raise _misfit(spec, tensor)
    if not plain.has_memory(tensor):
        _refuse_flaw(spec, tensor)


def _refuse_flaw(spec: TensorSpec, tensor: torch.Tensor) -> None:
    """Raise ParameterError for a tensor that kernels cannot read; subclasses with memory pass."""
    flaw = plain.find_flaw(tensor)
    if flaw is not None:
        raise ParameterError(
            f"The {spec.kind} {spec.name} {flaw.what}, and compiled kernels read memory.",
            flaw.hint,
            name=spec.name,
            expected="a plain tensor",
            found=flaw.what,
        )


def _laid_out(tensor: torch.Tensor, stride: Sequence[int] | None) -> torch.Tensor:
    """A tensor that was stored contiguous, with the strides it had in the graph."""
    if stride is None or _has_strides(tensor, stride):
        return tensor
    shape = tuple(tensor.shape)
    copy = torch.empty_strided(shape, tuple(stride), dtype=tensor.dtype, device=tensor.device)
    # What was expanded is in memory once, and is written once.
    firsts = tuple(slice(1) if step == 0 else slice(None) for step in stride)
    copy[firsts].copy_(tensor[firsts])
    return copy


def _has_strides(tensor: torch.Tensor, stride: Sequence[int] | None) -> bool:
    """Whether a tensor has these strides; None stands for contiguous."""
    if stride is None:
        return tensor.is_contiguous()
    if tensor.stride() == tuple(stride) or not tensor.numel():
        return True
    entries = zip(tensor.stride(), stride, tensor.shape, strict=True)
    return all(found == wanted or size <= 1 for found, wanted, size in entries)


def _misfit(spec: TensorSpec, tensor: torch.Tensor) -> ParameterError:
    expected = f"{spec.dtype}{list(spec.shape)}, {_layout(spec.strides)}on {spec.device}"
    # Strides are told where they are what differs.
    same = tensor.dim() == len(spec.shape) and _has_strides(tensor, spec.strides)
    layout = _layout(spec.strides if same else tensor.stride())
    found = f"{str(tensor.dtype)[6:]}{list(tensor.shape)}, {layout}on {tensor.device}"
    return ParameterError(
        f"The {spec.kind} {spec.name} is {found}, and the artifact was compiled for {expected}.",
        "Load it for the model it was made from, or compile again.",
        name=spec.name,
        expected=expected,
        found=found,
    )


def _layout(strides: Sequence[int] | None) -> str:
    return "contiguous, " if strides is None else f"strides {list(strides)}, "


class Lookup:
    """Finds tensors by path.

    ``root`` is the module that they come from, None for a mapping; ``places`` what was looked at.
    """

    def __init__(self, source: Source, stored: Mapping[str, torch.Tensor]) -> None:
        self._mapping: Mapping[str, Any] | None = None
        self._plain: dict[str, str] | None = None
        self._stored = stored
        self.root = module_of(source)
        self.places = Places(self.root)
        if self.root is not None:
            return
        if isinstance(source, Mapping):
            self._mapping = source
        elif isinstance(source, type):
            raise ParameterError(
                f"model is the class {source.__name__}, which has no tensors of its own.",
                "Pass an instance of it, or a mapping of names to tensors.",
            )
        elif callable(source) or source is None:
            self._mapping = {}
        else:
            raise ParameterError(
                f"model is a {type(source).__name__}, which has no parameters.",
                "Pass a torch.nn.Module or a mapping of names to tensors.",
            )

    def find_all(self, names: Sequence[str]) -> Found:
        """The tensors of these names, and where a module keeps them; raises ParameterError."""
        places: list[Place | None] = []
        if self._mapping is None:
            places += self.places.find_all(names)
            tensors = [place.tensor for place in places if place is not None]
        else:
            places += [None] * len(names)
            tensors = [self._given(name) for name in names]
        if plain.PLAIN_TYPES.issuperset(map(type, tensors)):
            return Found(tensors, places)
        for position, tensor in enumerate(tensors):
            if isinstance(tensor, torch.Tensor):
                continue
            name = names[position]
            if tensor is None and self._mapping is not None and name in self._stored:
                tensors[position] = self._stored[name]
                continue
            raise self._missing(name) if tensor is None else _no_tensor(name, tensor)
        return Found(tensors, places)

    def get(self, name: str) -> tuple[torch.Tensor | None, Place | None]:
        """The same, or None where there is no such tensor."""
        if self._mapping is not None:
            return self._given(name), None
        place = self.places.find(name)
        return (place.tensor if isinstance(place.tensor, torch.Tensor) else None), place

    def _given(self, name: str) -> Any:
        """What a mapping has under a name, or under that of a wrapped model."""
        assert self._mapping is not None
        if name not in self._mapping:
            if self._plain is None:
                self._plain = by_plain_name(self._mapping)
            name = self._plain.get(name, name)
        return self._mapping.get(name)

    def _missing(self, name: str) -> ParameterError:
        near = difflib.get_close_matches(name, [*map(str, self._names())], 1)
        return ParameterError(
            f"The artifact needs {name!r}, which the model does not have.",
            f"The nearest name is {near[0]!r}."
            if near
            else "Load it for the model it was made from.",
            name=name,
        )

    def _names(self) -> Iterator[str]:
        if self._mapping is not None:
            yield from self._mapping
        else:
            assert self.root is not None
            yield from (n for n, _ in self.root.named_parameters())
            yield from (n for n, _ in self.root.named_buffers())


def module_of(source: Source) -> torch.nn.Module | None:
    """The module itself, the one a bound method is of, or None."""
    for candidate in (source, getattr(source, "__self__", None)):
        if isinstance(candidate, torch.nn.Module):
            return candidate
    return None


def _no_tensor(name: str, value: Any) -> ParameterError:
    kind = type(value)
    is_array = kind.__module__ == "numpy"
    return ParameterError(
        f"{name!r} is a {kind.__module__}.{kind.__qualname__}, not a torch.Tensor.",
        "Pass torch.from_numpy(...) of it." if is_array else "Pass the tensor itself.",
        name=name,
    )


def tensors_for(specs: TensorSpecs, seed: int = 0) -> dict[str, torch.Tensor]:
    """Made-up tensors that fit the specifications, for processes that have no weights.

    Floating-point values are small and random, integers zero; values are not the model's.
    """
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(_NOISE, generator=generator).mul_(0.04).sub_(0.02)
    tensors = {}
    for spec in specs:
        dtype, device = getattr(torch, spec.dtype), spec.device
        tensor = torch.empty(spec.shape, dtype=dtype, device=device)
        if spec.strides is not None:
            tensor = torch.empty_strided(spec.shape, spec.strides, dtype=dtype, device=device)
        if dtype.is_floating_point and dtype.itemsize >= 2:
            # Tiled, for a billion random numbers would take longer than all that is measured.
            tiles = -(-tensor.numel() // _NOISE)
            values = noise.to(device).repeat(tiles)[: tensor.numel()]
            tensor.copy_(values.view(tensor.shape))
        else:
            tensor.zero_()
        tensors[spec.name] = tensor
    return tensors


# Distinct random values in made-up tensors: prime, so that rows are not alike.
_NOISE = 65_537
