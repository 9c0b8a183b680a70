"""A run's document -> its tables, their text, and whether something of ours failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.benchmarks import decode, growth, models, native, peers, profiling
from tests.benchmarks.answers import first_error
from tests.benchmarks.table import Table, render_document


def tables(document: Mapping[str, Any]) -> list[Table]:
    """The tables of everything that a document has results of."""
    results = document["results"]
    makers: dict[str, Callable[[Any], list[Table]]] = {
        "models": lambda found: models.tables(found, document.get("imports", {})),
        "peers": peers.tables,
        "decode": decode.tables,
        "native": native.tables,
        "growth": growth.tables,
        "profile": profiling.tables,
    }
    return [t for name, make in makers.items() if results.get(name) for t in make(results[name])]


def render(document: Mapping[str, Any], *, markdown: bool) -> str:
    """The document as text: its heading, then its tables."""
    return render_document(document, tables(document), markdown=markdown)


def ours_failed(results: Mapping[str, Any]) -> bool:
    """Whether a compile or a native load of ours failed; a peer that fails is a result."""
    cold = [result["cold"] for result in results.get("models", {}).values()]
    cold += [result["cold"] for result in results.get("growth", {}).values()]
    loads = [
        result.get(mode, {}).get("native", ())
        for result in results.get("models", {}).values()
        for mode in ("kept", "shipped")
    ]
    ours = results.get("peers", {}).get("peers", {}).get("native", {})
    cold += [ours["cold"]] if ours else []
    loads += [ours.get(mode, ()) for mode in ("kept", "empty", "shipped")]
    step = results.get("decode", {}).get("ways", {}).get("native", {})
    cold += [step["cold"]] if step else []
    loads += [step.get("kept", ())]
    native = results.get("native", {})
    cold += [native["cold"]] if native else []
    loads += [
        native.get("reload", {}).get(mode, {}).get("native", ()) for mode in ("kept", "shipped")
    ]
    loads += [result.get("native", ()) for result in results.get("growth", {}).values()]
    failed_profile = "error" in results.get("profile", {})
    return failed_profile or any("error" in c for c in cold) or any(map(first_error, loads))
