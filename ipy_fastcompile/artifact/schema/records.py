"""What a manifest says, as plain data: the fields and their names are those of the JSON text.

Frozen dataclasses are objects there, and named tuples are rows: lists, since a deep model has
hundreds of them. FORMAT.md, in the folder above, says what each field means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

from ...frozen import NamedTuple, frozen

Shape = tuple[int, ...]


class TensorSpec(NamedTuple):
    """A tensor of the model that the program takes; ``strides`` is None where it is contiguous."""

    name: str
    kind: str  # "parameter", "buffer" or "constant"
    dtype: str
    shape: Shape
    strides: Shape | None
    device: str


@frozen
class TensorSpecs(Sequence[TensorSpec]):
    """The same for many tensors, by column: a load asks for all names or all shapes at once."""

    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    strides: tuple[Shape | None, ...] = ()
    devices: tuple[str, ...] = ()

    @staticmethod
    def of(specs: Iterable[TensorSpec]) -> TensorSpecs:
        """The columns of these rows."""
        return TensorSpecs(*zip(*specs, strict=True))

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, position: int) -> TensorSpec: ...

    @overload
    def __getitem__(self, position: slice) -> TensorSpecs: ...

    def __getitem__(self, position: int | slice) -> TensorSpec | TensorSpecs:
        columns = (self.names, self.kinds, self.dtypes, self.shapes, self.strides, self.devices)
        make: Any = TensorSpecs if isinstance(position, slice) else TensorSpec
        found: TensorSpec | TensorSpecs = make(*(column[position] for column in columns))
        return found


class Symbol(NamedTuple):
    """A dynamic size: its range, None without an upper end, and its value in the example."""

    name: str
    smallest: int
    largest: int | None
    example: int


class Tie(NamedTuple):
    """Another name of the model whose memory is part of ``name``'s; ``shape`` None for all of it.

    ``offset`` counts elements.
    """

    name: str
    other: str
    offset: int
    shape: Shape | None


class View(NamedTuple):
    """Sizes and strides in which native kernels take tensors of the model, whole; ``of`` which.

    Positions are those of a program's parameters, or of a kernel's arguments.
    """

    size: Shape
    stride: Shape
    of: tuple[int, ...]


class Input(NamedTuple):
    """A leaf of the call. ``dims`` are numbers and expressions over symbols, None for no tensor."""

    path: str
    dims: tuple[int | str, ...] | None = None


class ExampleTensor(NamedTuple):
    """A tensor of the example call, without its values."""

    dtype: str
    shape: Shape
    strides: Shape
    device: str


class ExampleValue(NamedTuple):
    """A leaf of the example call that is no tensor: None, a bool, a number or a string."""

    value: bool | int | float | str | None


class ExampleOther(NamedTuple):
    """Any other leaf of the example call, which cannot be made up; ``text`` is its repr."""

    text: str


Example = ExampleTensor | ExampleValue | ExampleOther


class Library(NamedTuple):
    """An extension module of a kernel: its name in the kernel's text, and its member."""

    name: str
    member: str


@frozen
class Launch:
    """How a Triton kernel is started; `torch_compat.launches.CudaLaunch`, its cubin a member."""

    name: str
    symbol: str
    cubin: str
    parameters: tuple[str, ...]
    passed: tuple[str, ...]
    argument_types: str
    scratch_arguments: int
    num_warps: int
    shared: int
    grid_setup: tuple[str, ...]
    grid: tuple[str, ...]
    device: int
    chosen: str


@frozen
class KernelEntry:
    """One kernel: how each path gets it. Members are names in the artifact.

    ``sizes`` are its variants for fixed sizes, each with the sizes it is for.
    """

    name: str
    digest: str
    native: bool
    why: str  # it is not native
    text: str
    libraries: tuple[Library, ...]
    launches: tuple[Launch, ...]
    torch: str
    submodule: str
    views: tuple[View, ...]
    sizes: tuple[tuple[Shape, KernelEntry], ...] = ()


@frozen
class Signature:
    """The calling convention; ``in_tree`` and ``out_tree`` are nests as JSON text."""

    argument_names: tuple[str, ...]
    n_positional: int
    keywords: tuple[str, ...]
    defaults: Mapping[str, str]
    inputs: tuple[Input, ...]
    flat: bool  # whether no argument is nested
    in_tree: str
    out_kind: str  # "leaf", "tuple", "list" or "tree"
    out_tree: str
    placeholders: tuple[str, ...] = ()  # "parameter", "unused" or "input" each


@frozen
class Program:
    """One captured graph: what it takes, what runs it, and on what conditions.

    ``name`` tells it from the other programs of its artifact, and is "" where it is the only one.
    """

    name: str
    model: str
    signature: Signature
    symbols: tuple[Symbol, ...]
    conditions: tuple[str, ...]  # on sizes, in words; `check_inputs` checks them
    parameters: TensorSpecs
    views: tuple[View, ...]
    ties: tuple[Tie, ...]
    written: tuple[str, ...]  # parameters and buffers that a call writes to
    written_inputs: tuple[int, ...]
    default_dtype: str  # "" where the default dtype changes nothing
    stored: str
    constants: TensorSpecs
    kernels: tuple[KernelEntry, ...]
    ops: Mapping[str, str]
    execution: str
    code: str
    python: str
    fx: str
    example: tuple[Example, ...]
    stitched: Mapping[str, int]  # submodule of the split graph -> the number of its kernel
    hooks: tuple[str, ...]  # that ran in the captured call
    training: bool  # whether the model was in training mode
    autocast: tuple[str, ...]  # that was on, "cpu:bfloat16"


@frozen
class Model:
    """What was compiled; the numbers are None in a manifest that does not say."""

    name: str
    parameters: int | None
    submodules: int | None


@frozen
class KeyEntry:
    """The cache key that an artifact was compiled for: its digest, and its components'."""

    digest: str
    components: Mapping[str, str]


class Member(NamedTuple):
    """The SHA-256 and the size in bytes of a member."""

    sha256: str
    size: int


@frozen
class Common:
    """What is in the manifest of any artifact, and says what file it is."""

    format: str
    package: str
    created: str
    members: Mapping[str, Member]


@frozen
class Manifest:
    """All that the engine and the cache write into a manifest."""

    model: Model
    stamp: Mapping[str, Any]
    programs: tuple[Program, ...]  # one or more; a call runs the one that it fits
    ops_called: tuple[str, ...]
    key: KeyEntry | None = None


class ManifestData(dict[str, Any]):
    """A manifest as it is in the file; ``["program"]`` is the first of its programs.

    Most artifacts have one program, and whoever reads a manifest asks for it by that name, which
    format 2 had for it. Nothing is written under it.
    """

    def __missing__(self, name: str) -> Any:
        programs = self.get("programs")
        if name == "program" and isinstance(programs, list) and programs:
            return programs[0]
        raise KeyError(name)
