"""The manifest as records: there and back, and every field refused where it is another thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ipy_fastcompile.artifact.schema import (
    ExampleValue,
    Manifest,
    View,
    read_key,
    read_leniently,
    read_manifest,
)
from ipy_fastcompile.artifact.schema.records import ManifestData
from ipy_fastcompile.artifact.schema.write import manifest_data
from ipy_fastcompile.errors import ManifestCorrupt

from .sample import MANIFEST, PROGRAM, SIGNATURE, kernel


def as_json(manifest: Manifest = MANIFEST) -> Any:
    return json.loads(json.dumps(manifest_data(manifest), allow_nan=False))


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in JSON data, those in lists included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for step, item in inner:
        yield (*way, step)
        if isinstance(item, (dict, list)):
            yield from places(item, (*way, step))


def change(data: Any, way: tuple[Any, ...], make: Callable[[Any, Any], None]) -> Any:
    inner = data
    for step in way[:-1]:
        inner = inner[step]
    make(inner, way[-1])
    return data


# A stamp holds what it likes, and so does an example value; these may be missing as well.
FREE = {("stamp", "torch"), ("stamp", "cpu_flags"), ("key",)}
EVERY = [way for way in places(as_json()) if way not in FREE and way[:2] != ("stamp", "cpu_flags")]
# The fields that must be there; those of an object of names may be any, and a number has no size.
REQUIRED = [
    way
    for way in EVERY
    if isinstance(way[-1], str)
    and way[-2:-1] not in (("ops",), ("defaults",), ("components",))
    and way[-1] != "dims"
]


def spelled(way: tuple[Any, ...]) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in way)[1:]


def test_a_manifest_is_the_same_after_it_was_json() -> None:
    assert read_manifest(as_json(), "here") == MANIFEST
    without = replace(MANIFEST, key=None)
    assert "key" not in as_json(without)
    assert read_manifest(as_json(without), "here") == without


def test_what_a_newer_writer_adds_is_left_alone() -> None:
    data = as_json()
    data["more"] = data["programs"][0]["more"] = data["programs"][0]["kernels"][0]["more"] = 1
    assert read_manifest(data, "here") == MANIFEST


@pytest.mark.parametrize("way", EVERY, ids=spelled)
def test_a_value_of_another_type_is_refused_by_its_place(way: tuple[Any, ...]) -> None:
    """Each value in turn becomes something that no field is."""

    def put(inner: Any, step: Any) -> None:
        inner[step] = 1.5

    with pytest.raises(ManifestCorrupt, match="The manifest of here is not one") as caught:
        read_manifest(change(as_json(), way, put), "here")
    # Of a list's entries the list is named, or the row.
    assert spelled(way).startswith(caught.value.field)
    assert len(caught.value.field) > len(spelled(way[:-3]))


@pytest.mark.parametrize("way", REQUIRED, ids=spelled)
def test_a_field_that_is_missing_is_named(way: tuple[Any, ...]) -> None:

    def drop(inner: Any, step: Any) -> None:
        del inner[step]

    with pytest.raises(ManifestCorrupt) as caught:
        read_manifest(change(as_json(), way, drop), "here")
    assert caught.value.reasons[0] == f"{spelled(way)} is missing"


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        (("programs",), None, "programs is null, not a list"),
        (("programs",), [], "programs has no entry"),
        (("programs", 0), None, "programs[0] is null, no object"),
        (("programs", 0, "kernels"), {}, "programs[0].kernels is an object, not a list"),
        (("programs", 0, "kernels", 1), [], "programs[0].kernels[1] is a list, no object"),
        (
            ("programs", 0, "signature", "n_positional"),
            True,
            "n_positional is true or false, not a wh",
        ),
        (
            ("programs", 0, "signature", "out_kind"),
            "set",
            "out_kind is not leaf, tuple, list or tree",
        ),
        (("programs", 0, "symbols", 0, 1), "2", "symbols[0][1] is a string, not a whole number"),
        (("programs", 0, "parameters", 1, 3, 0), "4", "parameters[1][3] is not a list of whole nu"),
        (("programs", 0, "parameters", 1), ["weight"], "parameters[1] is no list of 6"),
        (("programs", 0, "ops", "mine::attention"), None, "ops has a value that is no string"),
        (("programs", 0, "example", 0), ["tensor"], "example[0] is no leaf of a call"),
        (("programs", 0, "example", 1), ["float", "1e3"], "example[1] is no leaf of a call"),
        (("programs", 0, "example", 1), [[]], "example[1] is no leaf of a call"),
        (
            ("programs", 0, "stitched", 1),
            "submod_2",
            "stitched has an entry that is no submodule and",
        ),
        (
            ("programs", 0, "stitched", 1),
            "submod_2 -1",
            "stitched has an entry that is no submodule",
        ),
        (
            ("programs", 0, "stitched", 1),
            "submod_2 ²",
            "stitched has an entry that is no submodule",
        ),
        (
            ("programs", 0, "stitched", 1),
            "submod_2 " + "9" * 5000,
            "stitched has an entry that is no",
        ),
        (("programs", 0, "stitched", 1), "submod_0 1", "stitched has a submodule twice"),
    ],
)
def test_the_error_says_what_it_found(way: tuple[Any, ...], value: Any, said: str) -> None:
    def put(inner: Any, step: Any) -> None:
        inner[step] = value

    with pytest.raises(ManifestCorrupt) as caught:
        read_manifest(change(as_json(), way, put), "here")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": PROGRAM.parameters[:1]}, "placeholders does not mark 1 parameters"),
        (
            {"signature": replace(SIGNATURE, placeholders=("other",))},
            "has a mark that is none of parameter, unused and input",
        ),
        ({"signature": replace(SIGNATURE, inputs=SIGNATURE.inputs[:2])}, "mark 2 inputs"),
        ({"signature": replace(SIGNATURE, n_positional=-1)}, "n_positional is negative"),
        ({"example": PROGRAM.example[:2]}, "example has 2 leaves, and the signature 3 inputs"),
        ({"ties": (PROGRAM.ties[0]._replace(name="gone"),)}, "ties names what is no parameter"),
        ({"written": ("gone",)}, "written names what is no parameter"),
        *(
            ({"views": (View(*wrong),)}, "views has a view that is not of whole parameters")
            for wrong in [
                ((4, 4), (1, 4), (0, 2)),  # there are two
                ((4, 4), (1, 4), (-1,)),
                ((4, 5), (1, 4), (0,)),
                ((4, 3), (1, 4), (0,)),
                ((4, 4), (4,), (0,)),
                ((4, 4), (-1, 4), (0,)),
                ((1 << 40, 1 << 40), (1, 1 << 40), (0,)),
            ]
        ),
        ({"written_inputs": (3,)}, "written_inputs has the number of no input"),
        ({"stored": ""}, "stored is empty, and there are constants"),
        ({"stitched": {"submod_0": 2}}, "stitched has the number of no kernel"),
        ({"kernels": (kernel(0, text=""), kernel(1))}, "kernels[0].text is empty"),
        (
            {"kernels": (kernel(0, sizes=(((1, 2), kernel(0)),)), kernel(1))},
            "kernels[0].sizes[0].at has 2 sizes, and the program 1 symbols",
        ),
    ],
)
def test_fields_that_contradict_each_other_are_refused(changes: Any, said: str) -> None:
    manifest = replace(MANIFEST, programs=(replace(PROGRAM, **changes),))
    with pytest.raises(ManifestCorrupt) as caught:
        read_manifest(as_json(manifest), "here")
    assert said in str(caught.value)


def test_what_there_is_can_be_read_where_a_load_refuses() -> None:
    data = as_json()
    data["programs"][0]["signature"] = data["model"]["parameters"] = "x"
    manifest, problems = read_leniently(data)
    assert problems[:2] == (
        "model.parameters is a string, not a whole number",
        "programs[0].signature is a string, no object",
    )
    assert manifest.programs[0].kernels == PROGRAM.kernels
    assert manifest.model.parameters is None
    assert manifest.model.name == "LlamaForCausalLM"


def test_a_list_that_would_take_forever_is_cut() -> None:
    data = as_json()
    data["programs"][0]["kernels"] = [{}] * 300_000
    manifest, problems = read_leniently(data)
    assert len(manifest.programs[0].kernels) == 10_000
    assert problems[0] == "programs[0].kernels has 300000 entries, more than 10000"
    assert len(problems) == 100


def test_floats_that_json_lacks_are_read_back() -> None:
    example = (*PROGRAM.example[:1], ExampleValue(float("-inf")), ExampleValue(2.5))
    manifest = replace(MANIFEST, programs=(replace(PROGRAM, example=example),))
    assert read_manifest(as_json(manifest), "here").programs[0].example == example


def test_a_key_that_is_not_one_is_none() -> None:
    assert read_key(as_json()) == MANIFEST.key
    for entry in (
        None,
        {},
        {"digest": 1, "components": {}},
        {"digest": "", "components": {"a": 1}},
    ):
        assert read_key({"key": entry}) is None
    assert read_key({}) is None


def test_the_first_program_goes_by_its_short_name() -> None:
    data = ManifestData({"programs": [{"model": "A"}, {"model": "B"}]})
    assert data["program"] == {"model": "A"}
    assert "program" not in data
    for empty in (ManifestData(), ManifestData({"programs": []}), ManifestData({"programs": 3})):
        with pytest.raises(KeyError):
            empty["program"]
