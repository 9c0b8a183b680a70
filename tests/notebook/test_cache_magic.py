"""The cache as the magics show it: options of %fastcompile, and %fastcompile_cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile import errors
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Store


@pytest.mark.parametrize(
    ("options", "asked"),
    [("", (False, False)), ("-f", (True, False)), ("--force", (True, False)),
     ("--assert-warm", (False, True))],
)  # fmt: skip
def test_how_the_cache_is_asked(
    api: Any, model: Any, run: Any, options: str, asked: tuple[bool, bool]
) -> None:
    assert run(f"%%fastcompile {options} -q\nmodel(4)").value == 40
    assert api.cache == [asked]


@pytest.mark.parametrize(("options", "asked"), [("", False), ("--explain", True)])
def test_records_of_every_kernel_are_asked_for(
    api: Any, model: Any, run: Any, options: str, asked: bool
) -> None:
    assert run(f"%%fastcompile {options} -q\nmodel(4)").value == 40
    assert api.explained == [asked]


@pytest.mark.parametrize("option", ["--force", "--explain"])
def test_a_compile_cannot_be_asked_for_and_forbidden(
    api: Any, model: Any, run: Any, option: str
) -> None:
    cell = run(f"%%fastcompile {option} --assert-warm\nmodel(4)")
    assert isinstance(cell.error, UsageError)
    assert api.cache == []


def test_a_cold_cache_is_one_sentence(api: Any, model: Any, run: Any) -> None:
    api.error = errors.CacheMiss("cache miss: no entry 3f2a can be used", "Compile it once.")
    cell = run("%%fastcompile --assert-warm\nmodel(4)")
    assert isinstance(cell.error, UsageError)
    assert "cache miss: no entry 3f2a" in str(cell.error)


# --- %fastcompile_cache --------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, magics: Any, monkeypatch: pytest.MonkeyPatch) -> Store:
    """This user's cache, with two entries that differ in one line."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = Store()
    assert store.directory.is_relative_to(tmp_path)
    for number in (1, 2):
        key = Key({"code": f"@@ helper.py:1\nx = {number}\n", "sizes": "seq=8"})

        def save(path: str, key: Key = key) -> None:
            manifest = {"model": {"name": "Net"}, "key": key.manifest_entry}
            save_artifact(path, manifest, key.members)

        store.put(key, save)
    return store


def test_listing_is_what_it_does_when_not_told(store: Store, run: Any) -> None:
    for line in ("%fastcompile_cache", "%fastcompile_cache ls"):
        (text,) = run(line).plain
        assert "2 entries" in text
        assert text.count("Net") == 2


def test_where_it_is(store: Store, run: Any) -> None:
    assert run("%fastcompile_cache path").plain == [str(store.directory)]


def test_why_and_diff_name_the_line(store: Store, run: Any) -> None:
    newest, oldest = (entry.digest[:10] for entry in store.entries())
    for line in ("why", f"why {newest}", f"diff {oldest} {newest}"):
        (text,) = run(f"%fastcompile_cache {line}").plain
        assert "code: helper.py:1: x = 1 -> x = 2" in text


def test_an_entry_is_shown(store: Store, run: Any) -> None:
    (text,) = run(f"%fastcompile_cache show {store.entries()[0].digest[:10]}").plain
    assert "Net" in text
    assert "key.json.z" in text or "text" in text


def test_pruning_and_clearing(store: Store, run: Any) -> None:
    size = store.entries()[0].size
    assert "removed 1 files" in run(f"%fastcompile_cache prune --cap {size + 1}B").plain[0]
    assert "removed 1 files" in run("%fastcompile_cache clear").plain[0]
    assert store.entries() == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "The cache has no command 'nonsense'. It knows ls, "),
        ("lss", "Did you mean ls? It knows ls, "),
        ("show", "does not understand this: the following arguments are required: key. It"),
        ("show zz", "No entry starts with 'zz'"),
        ("prune --cap many", "is no size"),
        ("--nonsense", "has no option --nonsense"),
    ],
)
def test_mistakes_are_one_sentence(store: Store, run: Any, line: str, said: str) -> None:
    cell = run(f"%fastcompile_cache {line}")
    assert isinstance(cell.error, UsageError)
    assert said in str(cell.error)


def test_help(store: Store, run: Any) -> None:
    (text,) = run("%fastcompile_cache -h").plain
    assert "%fastcompile_cache diff" in text


# --- without stand-ins ---------------------------------------------------------------------------


@pytest.fixture
def real(magics: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


CELL = """\
import torch

class Scaled(torch.nn.Module):
    def forward(self, x):
        return (x * {}).exp()

net = Scaled().eval()
"""


@pytest.mark.slow
def test_a_cell_run_again_is_a_hit_and_a_redefined_one_a_miss(
    real: None, shell: InteractiveShell, run: Any
) -> None:
    run(CELL.format(2))
    call = "%%fastcompile --no-warm {}\nnet(torch.ones(3))"
    first = run(call.format(""))
    assert first.error is None
    assert "cache miss" in first.plain[-1]

    run(CELL.format(2))  # the same cell again, as after a restart
    again = run(call.format("--assert-warm"))
    assert again.error is None
    assert "cache hit" in again.plain[-1]
    assert again.value.tolist() == first.value.tolist()

    run(CELL.format(3))
    missed = run(call.format("--assert-warm"))
    assert isinstance(missed.error, UsageError)
    assert "cell, Scaled.forward:5: return (x * 2).exp() -> " in str(missed.error)
    value = run(call.format("")).value
    assert value.tolist() == shell.user_ns["net"](shell.user_ns["torch"].ones(3)).tolist()
    assert value.tolist() != first.value.tolist()
