"""Kernels' C++ in one library: linked when there is a linker, else one library for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import torch
from torch import nn

import ipy_fastcompile as fc
from ipy_fastcompile import errors
from ipy_fastcompile.artifact import open_artifact, save_artifact
from ipy_fastcompile.engine import pack
from ipy_fastcompile.engine.kernels import link
from ipy_fastcompile.engine.kernels.native import Built
from ipy_fastcompile.engine.kernels.table import table_of
from ipy_fastcompile.runtime.elf import needed_libraries
from ipy_fastcompile.runtime.kernels import (
    digest_of,
    function_of,
    load_libraries,
    name_in_library,
)
from ipy_fastcompile.torch_compat import binaries, objects
from tests.unit.engine.test_programs import Call

# Both have a template of one name, which the compiler may not inline, and bodies that differ.
SOURCE = """
// {unique}
template <typename T> __attribute__((noinline)) T changed(T number) {{ return number {change}; }}
extern "C" void kernel(float* numbers) {{ numbers[0] = changed(numbers[0]); }}
"""


def built(change: str) -> Built:
    """A kernel that Inductor has never built before, so that it keeps the object file."""
    source = SOURCE.format(unique=uuid4(), change=change)
    path = binaries.cpp_kernel_library(["float*"], source)
    return Built("cpp_0", Path(path).read_bytes(), objects.object_of(path))


def kernel(digest: str, *libraries: Built) -> Any:
    return SimpleNamespace(digest=digest, native=SimpleNamespace(libraries=libraries))


def result(library: bytes, name: str) -> float:
    module = load_libraries({digest_of(library): library})[digest_of(library)]
    numbers = torch.tensor([3.0])
    function_of(module, name)(numbers)
    return float(numbers)


@pytest.fixture(scope="module")
def pair() -> tuple[Built, Built]:
    return built("+ 1"), built("* 10")


# --- libraries -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_templates_of_one_name_stay_what_they_are(pair: tuple[Built, Built]) -> None:
    kernels = [kernel("a", pair[0]), kernel("b:größe1", pair[1])]
    linked = link.link_kernels(kernels)
    assert set(linked) == {"a:cpp_0", "b:größe1:cpp_0"}
    (library,) = {*linked.values()}
    assert [result(library, name) for name in linked] == [4.0, 30.0]
    assert [result(each.library, "") for each in pair] == [4.0, 30.0]
    for each, one in zip(kernels, pair, strict=True):
        assert link.library_of(each, one, linked) == library


@pytest.mark.slow
def test_a_linked_library_has_no_names_and_no_lines(pair: tuple[Built, Built]) -> None:
    linked = link.link_kernels([kernel("a", pair[0]), kernel("b", pair[1])])
    (library,) = {*linked.values()}
    for part in (b".debug_line", b".symtab", b"PyInit_kernel_0"):
        assert part in pair[0].library + pair[0].compiled + b"PyInit_kernel_0"
        assert part not in library
    assert len(library) < len(pair[0].library)
    assert not [name for name in needed_libraries(library) if "torch" in name]


@pytest.mark.slow
def test_without_a_linker_or_with_what_it_refuses_each_has_its_own(
    pair: tuple[Built, Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert link.link_kernels([kernel("a", replace(pair[0], compiled=b"no object file"))]) == {}
    monkeypatch.setenv("PATH", "")
    kernels = [kernel("a", pair[0]), kernel("b", pair[1])]
    assert link.link_kernels(kernels) == {}
    assert link.library_of(kernels[0], pair[0], {}) == pair[0].library


@pytest.mark.slow
def test_a_linked_library_that_does_not_load_is_not_used(
    pair: tuple[Built, Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "table_of", lambda positions: table_of(dict.fromkeys("x", 0)))
    assert link.link_kernels([kernel("a", pair[0])]) == {}


@pytest.mark.slow
def test_what_has_no_object_file_or_another_one_under_its_name_has_its_own_library(
    pair: tuple[Built, Built],
) -> None:
    unknown = replace(pair[1], compiled=b"")
    kernels = [kernel("a", pair[0]), kernel("b", unknown)]
    assert list(link.link_kernels(kernels)) == ["a:cpp_0"]
    assert link.link_kernels([kernel("b", unknown)]) == {}
    for other in (pair[1], unknown):
        assert link.link_kernels([kernel("a", pair[0]), kernel("a", other)]) == {}
    assert list(link.link_kernels([kernel("a", pair[0]), kernel("a", pair[0])])) == ["a:cpp_0"]


@pytest.mark.slow
def test_a_function_that_a_library_lacks_is_named(pair: tuple[Built, Built]) -> None:
    linked = link.link_kernels([kernel("a", pair[0])])
    with pytest.raises(errors.KernelError, match=r"has no function 'b:cpp_0'"):
        result(linked["a:cpp_0"], "b:cpp_0")


# --- artifacts -----------------------------------------------------------------------------------


class Halves(nn.Module):
    """Its programs have kernels of their own."""

    def forward(self, x: torch.Tensor, flag: bool = False) -> torch.Tensor:
        return torch.tanh(x) * 3 if flag else torch.sigmoid(x).sum(-1)


CALLS = [
    Call("sum", (torch.ones(3, 8),), {}, {"x": {0: ("rows", 2, 64)}}),
    Call("all", (torch.ones(3, 8),), {"flag": True}, {"x": {0: ("rows", 2, 64)}}),
]


@pytest.fixture(scope="module")
def compiled() -> Iterator[Any]:
    """Compiled where Inductor has built nothing yet."""
    from torch._inductor.utils import fresh_cache

    with fresh_cache():
        yield fc.compile(Halves(), calls=CALLS, sizes={"rows": [7]})


def libraries_of(path: Path) -> list[str]:
    """The members of the libraries of all kernels, those for sizes of their own included."""
    kernels = [
        k for program in open_artifact(path).manifest["programs"] for k in program["kernels"]
    ]
    every = [each for k in kernels for each in (k, *k["sizes"])]
    return [member for each in every for _, member in each["libraries"]]


def check_numbers(path: Path) -> None:
    function = fc.load(path, Halves())
    for rows in (3, 7, 20):
        x = torch.randn(rows, 8)
        for flag in (False, True):
            torch.testing.assert_close(function(x, flag=flag), Halves()(x, flag=flag))
    ways = {way for program in function.programs.values() for way in program.kernel_ways}
    assert ways == {"native"}


@pytest.mark.slow
def test_an_artifact_has_one_library_for_all_of_its_programs(compiled: Any, tmp_path: Path) -> None:
    path = tmp_path / "halves.fastcompile"
    compiled.save(path)
    members = libraries_of(path)
    assert len(members) >= 4
    assert len({*members}) == 1
    check_numbers(path)


@pytest.mark.slow
def test_a_kernel_counts_what_is_stored_for_it_alone(compiled: Any) -> None:
    for report in compiled.report.programs:
        (record,) = report.kernels
        (binary,) = record.binaries
        assert binary.size == len(compiled.parts.members[f"blobs/{binary.sha256}"])
        (entry,) = [
            k
            for program in compiled.parts.manifest["programs"]
            for k in program["kernels"]
            if k["digest"] == record.digest
        ]
        assert record.size == len(compiled.parts.members[entry["torch"]])


@pytest.mark.slow
def test_an_artifact_with_a_library_for_each_kernel_loads(
    compiled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were saved before, and are where there is no linker."""
    monkeypatch.setattr(pack, "link_kernels", lambda _: {})
    packed = pack.pack(compiled.programs)
    path = tmp_path / "each.fastcompile"
    save_artifact(path, packed.manifest, packed.members)
    members = libraries_of(path)
    assert len({*members}) == len(members) >= 4
    check_numbers(path)


@pytest.mark.slow
def test_a_kernel_that_is_another_than_its_library_has_is_refused(
    compiled: Any, tmp_path: Path
) -> None:
    path = tmp_path / "another.fastcompile"
    manifest = {**compiled.parts.manifest}
    first, second = manifest["programs"]
    (entry,) = first["kernels"]
    manifest["programs"] = [{**first, "kernels": [{**entry, "digest": "0" * 64}]}, second]
    save_artifact(path, manifest, compiled.parts.members)
    with pytest.raises(errors.KernelError, match="has no function") as caught:
        fc.load(path, Halves())
    assert name_in_library("0" * 64, entry["libraries"][0][0])[:80] in str(caught.value)


# --- what Inductor keeps -------------------------------------------------------------------------


@pytest.mark.slow
def test_inductor_builds_as_before_once_nothing_is_kept(tmp_path: Path) -> None:
    from torch._inductor.cpp_builder import CppBuilder

    before = CppBuilder.build
    with objects.kept_objects():
        assert CppBuilder.build is not before
    assert CppBuilder.build is before
    assert objects.object_of(str(tmp_path / "nothing.main.so")) == b""


@pytest.mark.slow
def test_the_library_of_a_kernel_is_what_inductor_links(pair: tuple[Built, Built]) -> None:
    """Its own loader goes on to find it by the same key."""
    assert pair[0].compiled[:4] == pair[0].library[:4] == b"\x7fELF"
    assert pair[0].compiled[16] == 1  # an object file
    assert pair[0].library[16] == 3  # a shared library
