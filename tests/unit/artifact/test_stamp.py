from __future__ import annotations

import pytest

from ipy_fastcompile.artifact.stamp import Difference, compare_stamps, explain

STAMP = {
    "torch": "2.13.0",
    "python": "3.11",
    "cpu_flags": ["avx2", "fma"],
    "gpu": None,
    "vector_bits": 256,
    "sizes": [1, 16],
    "info.host": "builder",
}


def test_the_same_machine_fits() -> None:
    assert compare_stamps(STAMP, dict(STAMP)) == ()
    assert explain(()) == ""


def test_a_machine_with_more_flags_fits() -> None:
    assert compare_stamps(STAMP, {**STAMP, "cpu_flags": ["fma", "avx512f", "avx2"]}) == ()


def test_information_is_never_compared() -> None:
    assert compare_stamps(STAMP, {**STAMP, "info.host": "other"}) == ()
    assert compare_stamps(STAMP, {k: v for k, v in STAMP.items() if k != "info.host"}) == ()


def test_what_only_the_machine_has_is_not_needed() -> None:
    assert compare_stamps(STAMP, {**STAMP, "triton": "3.7"}) == ()


def test_a_wider_vector_is_not_more_of_the_same_where_cpp_is_compiled_again() -> None:
    needed = {"vector_isa": "avx2"}
    assert compare_stamps(needed, {}) == ()  # a load that compiles nothing
    assert compare_stamps(needed, {"vector_isa": "avx2"}) == ()
    (found,) = compare_stamps(needed, {"vector_isa": "avx512"})
    assert explain((found,)) == "vector_isa: made with avx2, here avx512"


def test_every_difference_is_listed_at_once() -> None:
    current = {"torch": "2.11.0", "cpu_flags": ["sse4_2", "fma"], "gpu": "H100", "sizes": (1, 16)}
    differences = compare_stamps(STAMP, current)
    assert differences == (
        Difference("torch", "2.13.0", "2.11.0"),
        Difference("python", "3.11", None),
        Difference("cpu_flags", ["avx2"], ["fma", "sse4_2"]),
        Difference("gpu", None, "H100"),
        Difference("vector_bits", 256, None),
    )
    assert explain(differences).splitlines() == [
        "torch: made with 2.13.0, here 2.11.0",
        "python: made with 3.11, here nothing",
        "cpu_flags: needs avx2, which this CPU does not have (it has fma, sse4_2)",
        "gpu: made with nothing, here H100",
        "vector_bits: made with 256, here nothing",
    ]


@pytest.mark.parametrize(
    ("needed", "present"),
    [(True, 1), (1, 1.0), ("1", 1), (None, ""), ([1], [1, 2]), ({"a": 1}, {"a": 2}), (None, 0)],
)
def test_values_that_only_look_alike_differ(needed: object, present: object) -> None:
    assert compare_stamps({"x": needed}, {"x": present}) == (Difference("x", needed, present),)


def test_an_entry_that_is_missing_differs_from_none() -> None:
    assert compare_stamps({"gpu": None}, {}) == (Difference("gpu", None, None),)


@pytest.mark.parametrize("present", [None, "avx2 fma", ["avx2"], ()])
def test_flags_as_text_or_missing(present: object) -> None:
    missing = [] if present == "avx2 fma" else ["fma"] if present == ["avx2"] else ["avx2", "fma"]
    differences = compare_stamps({"cpu_flags": ["avx2", "fma"]}, {"cpu_flags": present})
    assert [d.artifact for d in differences] == ([missing] if missing else [])
