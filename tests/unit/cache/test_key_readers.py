"""What a forward reads outside: another key, or none that matches; never a wrong hit."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ipy_fastcompile.cache.key.call import make_key
from tests.architectures.covered import MODELS, ask
from tests.unit.cache import key_metadata  # noqa: F401 - its readers are found in READERS
from tests.unit.cache.key_readers import READERS, reset, restore_max
from tests.unit.cache.key_sets import ORDERED, UNORDERED


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the readers change is put back."""
    reset()
    yield
    reset()


def numbers(model: Any) -> torch.Tensor:
    return torch.as_tensor(model(inputs()))


def inputs() -> torch.Tensor:
    return torch.linspace(0.5, 2, 4)


_ASK = """
import sys, torch
from ipy_fastcompile.cache.key.call import make_key
from tests.architectures.covered import MODELS, ask
import tests.unit.cache.key_metadata
from tests.unit.cache.key_readers import READERS
from tests.unit.cache.test_key_readers import inputs, numbers, judged
for name in sys.argv[1:]:
    print(name, judged(name), flush=True)
"""


def judged(name: str) -> str:
    """ "missed" or "uncovered" for what is right; else what is wrong."""
    reader = READERS[name]
    reset()
    torch.manual_seed(0)
    model = reader.make()
    before = make_key(model, (inputs(),))
    if reader.change is None:
        return "uncovered" if before.uncovered else "covered"
    first = numbers(model)
    if torch.equal(first, numbers(model)) and make_key(model, (inputs(),)).key != before.key:
        if not before.uncovered:
            return "another key for the same"
    try:
        reader.change()
        if torch.equal(first, numbers(model)):
            return "the change changes nothing"
        after = make_key(model, (inputs(),))
    finally:
        restore_max()
    if before.uncovered:
        return "uncovered"
    return "hit" if after.key == before.key else "missed"


def test_nothing_that_reads_the_outside_is_a_wrong_hit() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ASK, *READERS],
        env={**os.environ},
        capture_output=True,
        text=True,
    )
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert set(found) == set(READERS), done.stderr
    assert {n: v for n, v in found.items() if v not in ("missed", "uncovered")} == {}


def test_the_hunt_is_long_enough() -> None:
    assert len(READERS) >= 150


# --- sets ----------------------------------------------------------------------------------------

_SETS = """
import json, torch
from torch import nn
from ipy_fastcompile.cache.key.call import make_key
import tests.unit.cache.key_sets as sets
found = {}
for name, model in sets.MODELS.items():
    key = make_key(model, (torch.ones(2),))
    found[name] = [key.key.digest, list(key.uncovered), model(torch.ones(2)).tolist()]
print(json.dumps(found))
"""


def _in_process(seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SETS],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_sets_whose_order_is_used_are_no_hits_in_another_process() -> None:
    children = [_in_process(seed) for seed in (1, 2, 3)]
    for name in ORDERED:
        digests = {child[name][0] for child in children if not child[name][1]}
        uncovered = [child for child in children if child[name][1]]
        assert len(digests) + len(uncovered) == 3, name
    for name in UNORDERED:
        assert len({child[name][0] for child in children}) == 1, name
        assert not any(child[name][1] for child in children), name


# --- what is not imported, and what is harmless --------------------------------------------------

_LAZY = """
def forward(x, late=False):
    if late:
        from {module} import amount
        return x * amount
    return x
"""


def _lazy(tmp_path: Path, patch: pytest.MonkeyPatch, text: str, name: str = "readers_late") -> Any:
    """A function that would import a module with this text, in a branch that does not run."""
    patch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "readers_forward.py").write_text(_LAZY.format(module=name))
    sys.modules.pop("readers_forward", None)
    importlib.invalidate_caches()
    return importlib.import_module("readers_forward").forward


def test_a_key_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "readers_later.py").write_text("amount = 2.0\n")
    text = "import readers_later\nimport math\namount = math.pi * readers_later.amount\n"
    forward = _lazy(tmp_path, monkeypatch, text)
    before = make_key(forward, (inputs(),))
    assert before.uncovered == ()
    assert not {"readers_late", "readers_later"} & set(sys.modules)
    (tmp_path / "readers_later.py").write_text("amount = 3.0\n")
    after = make_key(forward, (inputs(),))
    assert after.key != before.key
    (tmp_path / "readers_late.py").unlink()
    assert make_key(forward, (inputs(),)).key != after.key


@pytest.mark.parametrize(
    "text",
    [
        "import os\namount = len(os.listdir())\n",
        "import os\namount = float(os.environ['A'])\n",
        "from time import time\namount = time()\n",
        "import random\namount = random.random()\n",
        "amount = float(open('a').read())\n",
        "import numpy as np\namount = np.load('a.npy')\n",
        "import torch\namount = torch.initial_seed()\n",
        "def",
    ],
)
def test_what_an_import_would_read_is_not_covered(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = _lazy(tmp_path, monkeypatch, text)
    assert make_key(forward, (inputs(),)).uncovered
    assert "readers_late" not in sys.modules


@pytest.mark.parametrize("name", [n for n in MODELS if n.startswith("shape ")])
def test_modules_as_people_write_them_are_covered(name: str) -> None:
    ((_, uncovered, _),) = ask((name,))
    assert uncovered == ()
