"""A view that a public object offers of itself -> the function that draws it, found by name.

Those who draw import the records; so a record that imported them would close a circle, and whoever
reads a record would load a renderer. A method that shows its object asks here, when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

# The method -> its function in this package; the object is the first argument.
VIEWS = {
    "Report.__repr__": "show.facts.summary_line",
    "Report.__str__": "show.text.render_text",
    "Report._repr_mimebundle_": "show.objects.show_report",
    "Report.explained": "explained.of_kernel",
    "Report.passes": "show.explained.passes_text",
    "Report.fusions": "show.explained.fusions_text",
    "Report.why_not_fused": "show.explained.pair_text",
    "Told._repr_mimebundle_": "show.card.text_bundle",
    "Report.to_html": "show.page.write_page",
    "ForeignArtifact.__str__": "foreign.text.render_text",
    "ForeignArtifact.to_folder": "foreign.export.export",
    "ForeignArtifact.to_html": "show.foreign.write_page",
    "ForeignArtifact.explore": "show.foreign_report.explore",
    "ForeignArtifact._repr_mimebundle_": "show.foreign.mime_bundle",
    "ForeignComparison.__str__": "foreign.comparison_text.render_text",
    "ForeignComparison.to_html": "show.foreign_comparison.write_page",
    "ForeignComparison._repr_mimebundle_": "show.foreign_comparison.mime_bundle",
    "CompileComparison.__str__": "show.comparison.render_text",
    "CompileComparison._repr_mimebundle_": "show.comparison.mime_bundle",
    "Preview.__str__": "show.preview.render_text",
    "Preview._repr_mimebundle_": "show.preview.mime_bundle",
    "ReloadableModel._repr_mimebundle_": "show.objects.show_compiled",
    "CachedResult._repr_mimebundle_": "show.objects.show_result",
    "LoadedFunction._repr_mimebundle_": "show.objects.show_loaded",
    "ArtifactInfo._repr_mimebundle_": "show.objects.show_artifact",
    "ArtifactComparison._repr_mimebundle_": "show.objects.show_text",
    "VerifyReport._repr_mimebundle_": "show.objects.show_text",
    "Explanation._repr_mimebundle_": "show.objects.show_text",
    "Calls._repr_mimebundle_": "show.objects.show_calls",
    "Store._repr_mimebundle_": "show.objects.show_store",
}


def view_of(method: str) -> Callable[..., Any]:
    """The function behind ``method``, one of `VIEWS`; its file is imported now."""
    home, _, name = VIEWS[method].rpartition(".")
    function: Callable[..., Any] = getattr(import_module(f".{home}", __package__), name)
    return function
