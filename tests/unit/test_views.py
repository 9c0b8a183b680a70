"""The views that public objects offer are there, take their object, and load only when asked."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from ipy_fastcompile.artifact.compare import ArtifactComparison
from ipy_fastcompile.artifact.inspect import ArtifactInfo
from ipy_fastcompile.cache.cached import CachedResult
from ipy_fastcompile.cache.entries import Explanation
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.comparisons import CompileComparison
from ipy_fastcompile.engine.calls.calls import Calls
from ipy_fastcompile.engine.reloadable import ReloadableModel
from ipy_fastcompile.explains import Told
from ipy_fastcompile.foreign.comparison import ForeignComparison
from ipy_fastcompile.foreign.records import ForeignArtifact
from ipy_fastcompile.previews import Preview
from ipy_fastcompile.records import Report
from ipy_fastcompile.runtime.loaded import LoadedFunction
from ipy_fastcompile.verification.report import VerifyReport
from ipy_fastcompile.views import VIEWS, view_of

KINDS = (
    Report, ForeignArtifact, ForeignComparison, ArtifactInfo, ArtifactComparison, ReloadableModel,
    CachedResult, LoadedFunction, VerifyReport, Explanation, Calls, Store, Preview,
    CompileComparison, Told,
)  # fmt: skip
OBJECTS = {kind.__name__: kind for kind in KINDS}
# Those whose files who draws must not import, and what draws them knows them as.
KNOWN_AS = {
    "ReloadableModel": "Compiled",
    "CachedResult": "Result",
    "LoadedFunction": "Loaded",
    "Calls": "Recorded",
    "Store": "Cache",
    "ArtifactComparison": "Any",
    "VerifyReport": "Any",
    "Explanation": "Any",
    "Told": "str",
}


@pytest.mark.parametrize("method", VIEWS)
def test_a_view_takes_the_object_whose_method_asks_for_it(method: str) -> None:
    kind, _, name = method.partition(".")
    assert f'view_of("{method}")(self' in inspect.getsource(getattr(OBJECTS[kind], name))
    first, *_ = inspect.signature(view_of(method)).parameters.values()
    assert first.annotation == KNOWN_AS.get(kind, kind)


def test_records_load_no_renderer() -> None:
    child = """
import sys
import ipy_fastcompile.records, ipy_fastcompile.foreign.inspect, ipy_fastcompile.cache.cached
import ipy_fastcompile.runtime.load, ipy_fastcompile.engine.pipeline
print([name for name in sys.modules if name.startswith("ipy_fastcompile.show")])
"""
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
