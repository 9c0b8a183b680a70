"""A manifest as JSON data -> its records, each field checked for its type.

A stranger may have written it. A load refuses what does not fit before anything is executed, with
the name of the field, so that it is never an accident further down; a summary shows what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...errors import ManifestCorrupt
from .check import check_programs
from .fields import Fields, Notes
from .records import (
    Example,
    ExampleOther,
    ExampleTensor,
    ExampleValue,
    Input,
    KernelEntry,
    KeyEntry,
    Launch,
    Library,
    Manifest,
    Model,
    Program,
    Shape,
    Signature,
    Symbol,
    TensorSpecs,
    Tie,
    View,
)
from .values import (
    COUNT,
    FLAG,
    LIST,
    LITERAL,
    NOT_FINITE,
    NUMBER,
    NUMBER_OR_NULL,
    NUMBERS,
    NUMBERS_OR_NULL,
    OBJECT,
    OUT_KIND,
    SIZES,
    TEXT,
    TEXTS,
    Kind,
)

_DIGITS = 8  # of the number of a kernel, at most
# The columns of rows.
_TENSOR = (TEXT, TEXT, TEXT, NUMBERS, NUMBERS_OR_NULL, TEXT)
_SYMBOL = (TEXT, NUMBER, NUMBER_OR_NULL, NUMBER)
_TIE = (TEXT, TEXT, NUMBER, NUMBERS_OR_NULL)
_VIEW = (NUMBERS, NUMBERS, NUMBERS)
_LIBRARY = (TEXT, TEXT)


def read_manifest(data: Mapping[str, Any], path: str) -> Manifest:
    """The manifest of the artifact at ``path``.

    Raises `ManifestCorrupt` naming the first field that is missing or of another type.
    """
    manifest, notes = read_leniently(data)
    if notes:
        more = f", and {len(notes) - 1} more" if len(notes) > 1 else ""
        raise ManifestCorrupt(
            f"The manifest of {path} is not one that this version writes: {notes[0]}{more}.",
            "Copy the file again, or save the artifact again with this version.",
            path=path,
            field=notes[0].partition(" ")[0],
            reasons=tuple(notes),
        )
    return manifest


def read_programs(data: Mapping[str, Any], path: str) -> tuple[Program, ...]:
    """The programs of the artifact at ``path``, one or more; raises as `read_manifest`."""
    return read_manifest(data, path).programs


def read_program(data: Mapping[str, Any], path: str) -> Program:
    """The first program of the artifact at ``path``, as a rule the only one."""
    return read_programs(data, path)[0]


def read_key(data: Mapping[str, Any]) -> KeyEntry | None:
    """The cache key that a manifest records; None where it records none, or not as we write it."""
    notes = Notes()
    key = _key(Fields(data, "", notes).inside("key"))
    return None if notes else key


def read_leniently(data: Mapping[str, Any]) -> tuple[Manifest, tuple[str, ...]]:
    """What there is of a manifest, and what is wrong with it: nothing where a load takes it."""
    notes = Notes()
    fields = Fields(data, "", notes)
    model = fields.inside("model")
    manifest = Manifest(
        model=Model(
            name=model.get("name", TEXT),
            parameters=model.get("parameters", COUNT),
            submodules=model.get("submodules", COUNT),
        ),
        stamp=fields.get("stamp", OBJECT),
        programs=tuple(map(_program, fields.each("programs"))),
        ops_called=fields.get("ops_called", TEXTS),
        key=_key(fields.inside("key")) if fields.has("key") else None,
    )
    if not notes:
        check_programs(manifest.programs, notes)
    return manifest, tuple(notes)


def _program(fields: Fields) -> Program:
    return Program(
        name=fields.get("name", TEXT),
        model=fields.get("model", TEXT),
        signature=_signature(fields.inside("signature")),
        symbols=fields.rows("symbols", Symbol, _SYMBOL),
        conditions=fields.get("conditions", TEXTS),
        parameters=TensorSpecs(*fields.columns("parameters", _TENSOR)),
        views=fields.rows("views", View, _VIEW),
        ties=fields.rows("ties", Tie, _TIE),
        written=fields.get("written", TEXTS),
        written_inputs=fields.get("written_inputs", NUMBERS),
        default_dtype=fields.get("default_dtype", TEXT),
        stored=fields.get("stored", TEXT),
        constants=TensorSpecs(*fields.columns("constants", _TENSOR)),
        kernels=tuple(_kernel(entry, _sizes(entry)) for entry in fields.each("kernels")),
        ops=fields.texts_by_name("ops"),
        execution=fields.get("execution", TEXT),
        code=fields.get("code", TEXT),
        python=fields.get("python", TEXT),
        fx=fields.get("fx", TEXT),
        example=tuple(_examples(fields)),
        stitched=_stitched(fields),
        hooks=fields.get("hooks", TEXTS),
        training=fields.get("training", FLAG),
        autocast=fields.get("autocast", TEXTS),
    )


def _signature(fields: Fields) -> Signature:
    return Signature(
        argument_names=fields.get("argument_names", TEXTS),
        n_positional=fields.get("n_positional", NUMBER),
        keywords=fields.get("keywords", TEXTS),
        defaults=fields.texts_by_name("defaults"),
        inputs=tuple(
            Input(entry.get("path", TEXT), entry.get("dims", SIZES) if entry.has("dims") else None)
            for entry in fields.each("inputs")
        ),
        flat=fields.get("flat", FLAG),
        in_tree=fields.get("in_tree", TEXT),
        out_kind=fields.get("out_kind", OUT_KIND),
        out_tree=fields.get("out_tree", TEXT),
        placeholders=fields.get("placeholders", TEXTS),
    )


def _kernel(fields: Fields, sizes: tuple[tuple[Shape, KernelEntry], ...] = ()) -> KernelEntry:
    return KernelEntry(
        name=fields.get("name", TEXT),
        digest=fields.get("digest", TEXT),
        native=fields.get("native", FLAG),
        why=fields.get("why", TEXT),
        text=fields.get("text", TEXT),
        libraries=fields.rows("libraries", Library, _LIBRARY),
        launches=tuple(map(_launch, fields.each("launches"))),
        torch=fields.get("torch", TEXT),
        submodule=fields.get("submodule", TEXT),
        views=fields.rows("views", View, _VIEW),
        sizes=sizes,
    )


def _sizes(fields: Fields) -> tuple[tuple[Shape, KernelEntry], ...]:
    return tuple((entry.get("at", NUMBERS), _kernel(entry)) for entry in fields.each("sizes"))


def _launch(fields: Fields) -> Launch:
    return Launch(
        name=fields.get("name", TEXT),
        symbol=fields.get("symbol", TEXT),
        cubin=fields.get("cubin", TEXT),
        parameters=fields.get("parameters", TEXTS),
        passed=fields.get("passed", TEXTS),
        argument_types=fields.get("argument_types", TEXT),
        scratch_arguments=fields.get("scratch_arguments", NUMBER),
        num_warps=fields.get("num_warps", NUMBER),
        shared=fields.get("shared", NUMBER),
        grid_setup=fields.get("grid_setup", TEXTS),
        grid=fields.get("grid", TEXTS),
        device=fields.get("device", NUMBER),
        chosen=fields.get("chosen", TEXT),
    )


# A leaf of the example call is a row that begins with one of these.
_EXAMPLES: Mapping[str, tuple[Callable[..., Example], tuple[Kind, ...]]] = {
    "tensor": (ExampleTensor, (TEXT, NUMBERS, NUMBERS, TEXT)),
    "value": (ExampleValue, (LITERAL,)),
    "float": (lambda text: ExampleValue(float(text)), (NOT_FINITE,)),
    "other": (ExampleOther, (TEXT,)),
}


def _examples(fields: Fields) -> Iterator[Example]:
    for position, row in enumerate(fields.get("example", LIST)):
        head, *rest = row if isinstance(row, list) and row else (None,)
        make, kinds = _EXAMPLES.get(head if isinstance(head, str) else "", (None, ()))
        if make is None or len(rest) != len(kinds) or not all(map(_fits, kinds, rest)):
            fields.wrong(f"example[{position}]", "is no leaf of a call")
            continue
        yield make(*(kind.plain((value,))[0] for kind, value in zip(kinds, rest, strict=True)))


def _fits(kind: Kind, value: Any) -> bool:
    return kind.fits((value,))


def _stitched(fields: Fields) -> dict[str, int]:
    """``submod_3 1`` is a submodule and the number of its kernel."""
    entries = fields.get("stitched", TEXTS)
    parts = [entry.rpartition(" ") for entry in entries]
    numbers = [number for _, _, number in parts]
    if not all(map(str.isdecimal, numbers)) or max(map(len, numbers), default=0) > _DIGITS:
        fields.wrong("stitched", "has an entry that is no submodule and number of a kernel")
        return {}
    stitched = {submodule: int(number) for submodule, _, number in parts}
    if len(stitched) != len(entries):
        fields.wrong("stitched", "has a submodule twice")
    return stitched


def _key(fields: Fields) -> KeyEntry:
    return KeyEntry(fields.get("digest", TEXT), fields.texts_by_name("components"))
