"""What a load imports: what it needs, of this package and beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from ipy_fastcompile.children.environment import child_environment

# In alphabetical order. Whoever adds a module here makes every load in every process wait for it:
# about a tenth of a millisecond, and what is in it.
NEEDED = """
artifact artifact.container artifact.files artifact.key artifact.limits artifact.open
artifact.ownership artifact.parse artifact.schema artifact.schema.check artifact.schema.fields
artifact.schema.read artifact.schema.records artifact.schema.values artifact.squeeze artifact.stamp
artifact.trust errors frozen grammar grammar.words runtime runtime.bind runtime.checks runtime.clock
runtime.fit runtime.flat runtime.follow runtime.functions runtime.handed runtime.kernels
runtime.load runtime.loaded runtime.machine runtime.modes runtime.parameters runtime.places
runtime.plain runtime.refusals runtime.request runtime.signature runtime.texts runtime.watch
runtime.ways runtime.whole runtime.wrappers torch_compat torch_compat.module_tables
torch_compat.output_code torch_compat.surroundings torch_compat.tensor_kinds version
"""
# What a result that is neither a tensor nor a tuple of tensors needs beside that.
FOR_NESTED_RESULTS = """
runtime.containers runtime.fixed runtime.nests runtime.objects runtime.results runtime.type_names
torch_compat.trees
"""

CHILD = """
import json, sys, torch
imported = set(sys.modules)

def new():
    global imported
    before, imported = imported, set(sys.modules)
    return sorted(imported - before)

import ipy_fastcompile as fc
fc.load
of_the_import = new()
weights, ids = torch.load(sys.argv[2])
new()  # what reading the weights took
function = fc.load(sys.argv[1], weights)
of_the_load = new()
function(ids)
print(json.dumps([of_the_import, of_the_load, new()]))
"""


def names(text: str) -> list[str]:
    return [f"ipy_fastcompile.{name}" for name in text.split()]


def test_a_load_imports_what_it_needs_and_nothing_else(
    tiny_artifact: Path, tiny_model: Any, tiny_ids: Any, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pt"
    torch.save((dict(tiny_model.state_dict()), tiny_ids), weights)
    told = subprocess.run(
        [sys.executable, "-c", CHILD, str(tiny_artifact), str(weights)],
        capture_output=True, text=True, check=True, env=child_environment(None),
    ).stdout  # fmt: skip
    of_the_import, of_the_load, of_the_call = json.loads(told)
    assert set(of_the_import) <= {*names(NEEDED), "ipy_fastcompile", "hmac"}
    own = [name for name in of_the_import if name.startswith("ipy_fastcompile.")]
    assert own == names(NEEDED)
    kernels = [name for name in of_the_load if name.endswith(".kernel")]
    assert [name for name in of_the_load if name not in kernels] == names(FOR_NESTED_RESULTS)
    assert of_the_call == []
