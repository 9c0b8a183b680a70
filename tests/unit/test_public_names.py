"""The package's public names: each leads to its object, whatever was imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ipy_fastcompile as fc

_CHILD = """
import importlib, sys
import ipy_fastcompile as fc
if sys.argv[1]:
    importlib.import_module(sys.argv[1])
names = sorted(set(fc.__all__) - {"__version__", "errors"})
assert names == sorted(set(dir(fc)) - {"__version__", "errors"}), dir(fc)
for name in names:
    assert callable(getattr(fc, name)), name
    assert getattr(fc, name).__module__.startswith("ipy_fastcompile."), name
"""


@pytest.mark.parametrize("before", ["", "ipy_fastcompile.verification.verify"])
def test_every_public_name_can_be_called(before: str) -> None:
    done = subprocess.run([sys.executable, "-c", _CHILD, before], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        fc.nonsense  # noqa: B018
