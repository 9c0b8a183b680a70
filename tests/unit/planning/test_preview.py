"""A preview says what a compile would make of a call, and compiles nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.artifact.inspect import REPORT
from ipy_fastcompile.artifact.squeeze import squeeze
from ipy_fastcompile.errors import CallError, SplitError
from ipy_fastcompile.planning.prices import Paid, Prices, read_prices
from tests.tiny import TinyTransformer

IDS = torch.arange(8).reshape(1, 8)


def by_gelu(node: Any) -> fc.SplitReason | None:
    return fc.SplitReason("mlp") if "gelu" in node.name else None


@pytest.fixture(scope="module")
def model() -> TinyTransformer:
    torch.manual_seed(0)
    return TinyTransformer().eval()


@pytest.fixture(scope="module")
def found(model: TinyTransformer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = fc.Store(tmp_path_factory.mktemp("empty"))
    ways = [None, "aten::linear", lambda _: None]
    return fc.preview(model, (IDS,), dynamic={"ids": {1: "seq"}}, split_at=ways, store=store)


def test_it_counts_the_pieces_and_kernels_that_a_compile_makes(
    model: TinyTransformer, found: Any
) -> None:
    compiled = fc.compile(model, (IDS,), dynamic={"ids": {1: "seq"}})
    report, split = compiled.report, found.splits[0]
    assert [kernel.digest for kernel in split.kernels] == [k.digest for k in report.kernels]
    assert [kernel.pieces for kernel in split.kernels] == [k.submodules for k in report.kernels]
    assert [piece.reason for piece in split.pieces] == [s.reason for s in report.submodules]
    assert [piece.kernel for piece in split.pieces] == [s.kernel for s in report.submodules]
    assert split.twins == len([s for s in report.submodules if s.kernel is not None]) - len(
        report.kernels
    )


def test_several_ways_are_split_from_one_capture(found: Any) -> None:
    assert [split.label for split in found.splits] == ["the default", "aten::linear", "<lambda>()"]
    default, linear, whole = found.splits
    assert len(whole.pieces) == len(whole.kernels) == 1
    assert len(linear.pieces) > len(default.pieces) > 1
    assert all(split.pieces[0].crossing == 0 for split in found.splits)


def test_the_bytes_across_a_boundary_are_those_that_something_behind_it_reads() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        y = x.sin()
        z = torch.ops.aten.gelu.default(y)
        return z.cos() + y

    seen = fc.preview(forward, (torch.ones(4, 8),), split_at=by_gelu).splits[0]
    size = 4 * 8 * 4
    # y is read by the piece of gelu and by the last one, z by the last one.
    assert [piece.crossing for piece in seen.pieces] == [0, size, 2 * size]


def test_views_of_one_memory_are_all_of_it_once() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        q, k, v = (x * 2).chunk(3, -1)
        return torch.nn.functional.scaled_dot_product_attention(q, k, v).cos()

    seen = fc.preview(forward, (torch.ones(1, 1, 12, 192),)).splits[0]
    size = 12 * 64 * 4
    assert [piece.crossing for piece in seen.pieces] == [0, 3 * size, size]


def test_near_twins_say_which_node_keeps_them_apart() -> None:
    def forward(x: torch.Tensor) -> torch.Tensor:
        y = torch.ops.aten.gelu.default((x + 1.0).sin())
        return torch.ops.aten.gelu.default((y + 2.0).sin())

    seen = fc.preview(forward, (torch.ones(4, 8),), split_at=by_gelu).splits[0]
    assert len(seen.kernels) == 2
    near = seen.kernels[1].near_twin
    assert near is not None
    assert (near.node, near.submodule) == ("add_1", 0)
    assert "1.0" in near.other
    assert "2.0" in near.own


def test_a_list_of_names_is_one_way(model: TinyTransformer, tmp_path: Path) -> None:
    names = ["aten::linear", "aten::embedding"]
    seen = fc.preview(model, (IDS,), split_at=names, store=fc.Store(tmp_path))
    assert [split.label for split in seen.splits] == ["aten::linear, aten::embedding"]


def test_what_cannot_be_split_at_is_refused(model: TinyTransformer) -> None:
    with pytest.raises(SplitError, match="no such op"):
        fc.preview(model, (IDS,), split_at=[None, "aten::nothing"])
    with pytest.raises(SplitError, match="neither names of ops nor a function"):
        fc.preview(model, (IDS,), split_at=[None, 3])
    with pytest.raises(CallError, match="no Store"):
        fc.preview(model, (IDS,), store="here")  # type: ignore[arg-type]


def test_without_kernels_of_this_machine_no_price_is_told(found: Any) -> None:
    assert found.priced_from == 0
    assert all(split.cold is None for split in found.splits)
    assert "the cache has no kernel that was compiled on this machine" in str(found)


def test_a_known_kernel_is_priced_by_itself_and_another_by_those_of_its_size() -> None:
    paid = [Paid("known", 10, 3.0), Paid("known", 10, 1.0)]
    paid += [Paid(f"k{n}", n, float(n)) for n in (20, 30, 40, 50, 60, 1_000)]
    prices = Prices(tuple(paid), (0.001, 0.003))
    assert prices.of_kernel("known", 10) == ((1.0, 3.0), True)
    assert prices.of_kernel("other", 40) == ((20.0, 60.0), False)
    assert prices.of_rest(1_000) == pytest.approx((1.0, 3.0))
    assert Prices().of_kernel("other", 40) == (None, False)


def test_prices_are_read_from_entries_of_this_machine_alone(
    model: TinyTransformer, tmp_path: Path
) -> None:
    store = fc.Store(tmp_path)
    compiled = fc.compile_cached(model, (IDS,), store=store).model
    prices = read_prices(tmp_path)
    kernels = compiled.report.kernels
    assert [(k.digest, k.seconds) for k in prices.kernels] == [
        (k.digest, k.seconds) for k in kernels
    ]
    seen = fc.preview(model, (IDS,), store=store)
    assert all(kernel.is_known for kernel in seen.splits[0].kernels)
    low, high = seen.splits[0].cold
    assert low == high > sum(kernel.seconds for kernel in kernels)

    (entry,) = store.entries()
    parts, other = compiled.parts, json.loads(compiled.report.to_json())
    members = {**parts.members, REPORT: squeeze(json.dumps({**other, "machine": "x"}).encode())}
    save_artifact(entry.path, parts.manifest, members)
    assert read_prices(tmp_path) == Prices()
