"""The views that public objects offer are there, take their object, and load only when asked."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from ipy_fastcompile.foreign.comparison import ForeignComparison
from ipy_fastcompile.foreign.records import ForeignArtifact
from ipy_fastcompile.records import Report
from ipy_fastcompile.views import VIEWS, view_of

OBJECTS = {kind.__name__: kind for kind in (Report, ForeignArtifact, ForeignComparison)}


@pytest.mark.parametrize("method", VIEWS)
def test_a_view_takes_the_object_whose_method_asks_for_it(method: str) -> None:
    kind, _, name = method.partition(".")
    assert f'view_of("{method}")(self' in inspect.getsource(getattr(OBJECTS[kind], name))
    first, *_ = inspect.signature(view_of(method)).parameters.values()
    assert first.annotation == kind


def test_records_load_no_renderer() -> None:
    child = """
import sys
import ipy_fastcompile.records, ipy_fastcompile.foreign.inspect
print([name for name in sys.modules if name.startswith("ipy_fastcompile.show")])
"""
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
