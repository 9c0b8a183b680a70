"""What the last line of a cell, and `print`, show of the objects that people get."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
import torch

import ipy_fastcompile as fc
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.foreign.compare import compare
from ipy_fastcompile.show.card import Card, card_html, card_text
from tests.tiny import TinyTransformer, everything
from tests.unit.show.sample import sample_report


@pytest.fixture(scope="module")
def compiled() -> Any:
    ids = torch.arange(8).reshape(1, 8)
    return fc.compile(TinyTransformer().eval(), (ids,), split_at=everything)


@pytest.mark.parametrize(
    ("way", "shown"),
    [
        (
            "report",
            "<Report: TinyTransformer \u00b7 call not timed beside eager \u00b7 17 submodules ",
        ),
        ("captured", "<TinyTransformer as one graph, "),
        ("split_graph", "<TinyTransformer split, 17 submodules>"),
        ("lowered", "<TinyTransformer lowered, 0 kernels>"),
        ("code", "<execution code, "),
        ("parts", "<artifact of this compile, "),
    ],
)
def test_what_a_stage_made_is_one_short_line(compiled: Any, way: str, shown: str) -> None:
    text = repr(getattr(compiled, way))
    assert text.startswith(shown)
    assert len(text) < 200
    assert "\n" not in text


def test_what_a_stage_made_prints_as_text(compiled: Any) -> None:
    assert str(compiled.code) == compiled.execution_code
    assert "torch.ops.aten.embedding.default(" in str(compiled.captured)
    assert str(compiled.lowered).splitlines()[0] == "TinyTransformer: 0 kernels"
    (program,) = compiled.programs
    assert repr(program).startswith("<program '': <TinyTransformer lowered, 0 kernels>, <exec")


@pytest.fixture(scope="module")
def shown(compiled: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The objects that people get, by the name under which they would have them."""
    folder = tmp_path_factory.mktemp("shown")
    path, model, ids = (
        folder / "tiny.fastcompile",
        TinyTransformer().eval(),
        torch.ones(1, 8).long(),
    )
    compiled.save(path)
    store = fc.Store(folder / "cache")
    with fc.record(model) as calls:
        model(ids)
        model(ids[:, :3])
    line, alone = torch.nn.Linear(4, 4).eval(), {"split_at": "aten::linear", "store": store}
    result = fc.compile_cached(line, (torch.ones(2, 4),), **alone)
    key = store.key_of(result.key)
    near = Key({**key.components, "flags": "threads = 9"})
    found = fc.inspect(path)
    return {
        "compiled": compiled,
        "report": compiled.report,
        "fn": fc.load(path, model),
        "info": found,
        "calls": calls,
        "comparison": compare(path, store.path_of(result.key)),
        "result": result,
        "cached": fc.compile_cached(line, (torch.ones(2, 4),), **alone).model,
        "store": store,
        "why": store.why(near),
        "hit": store.lookup(key),
        "miss": store.lookup(near),
        "key": key,
        "kernel": sample_report(2).kernels[0],
        "graph": sample_report(2).graphs[0],
        "change": store.why(near).changes[0],
    }


def test_what_people_get_says_in_a_few_lines_what_it_is(shown: dict[str, Any]) -> None:
    for name, thing in shown.items():
        text = repr(thing)
        assert len(text) < 1_500, name
        assert len(text.splitlines()) < 10, name
        assert " at 0x" not in text, name


LONG = ("info", "comparison", "why", "calls", "store")


@pytest.mark.parametrize(
    ("name", "told", "on_a_page"),
    [
        (
            "compiled",
            "TinyTransformer \u00b7 call not timed beside eager \u00b7 17 submodules",
            "Execution code",
        ),
        ("cached", "cache hit", "Execution code"),
        (
            "report",
            "TinyTransformer \u00b7 call not timed beside eager \u00b7 17 submodules",
            "Execution code",
        ),
        ("fn", "TinyTransformer, loaded along the native path", "ids int64[1, 8]"),
        ("info", "model       TinyTransformer", "The report of the compile that it holds"),
        ("calls", "seq: 3, 8", "1 kind of calls of TinyTransformer"),
        ("comparison", "a  ", "tiny.fastcompile"),
        ("result", "cache miss", "first compile of Linear"),
        ("store", "1 entry", "Linear"),
        ("why", "1 of ", "threads"),
    ],
)
def test_the_last_line_of_a_cell_shows_it(
    shown: dict[str, Any], name: str, told: str, on_a_page: str
) -> None:
    bundle = shown[name]._repr_mimebundle_(include=None, exclude=None)
    assert sorted(bundle) == ["text/html", "text/plain"]
    assert told in bundle["text/plain"]
    assert on_a_page in html.unescape(bundle["text/html"])
    assert "<script" not in bundle["text/html"]
    assert name in LONG or len(bundle["text/plain"].splitlines()) < 10


def test_a_report_is_printed_in_full(compiled: Any) -> None:
    assert str(compiled.report) == str(compiled)
    assert "Execution code" in str(compiled.report)
    assert "print(report) shows all" in compiled.report._repr_mimebundle_()["text/plain"]


def test_a_card_is_inert() -> None:
    card = Card("a\x1b[31m<b>", [("<i>", "x\u202ey<script>")], hint="h", folded=[("t<u>", "<p>")])
    text, page = card_text(card), card_html(card)
    assert text == "a\\x1b[31m<b>\n  <i>  x\\u202ey<script>\nh"
    assert not {"b", "i", "script", "u", "p"} & set(re.findall(r"<(\w+)>", page.replace("</", "")))
