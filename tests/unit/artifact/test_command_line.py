from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ipy_fastcompile.__main__ import COMMANDS, main
from ipy_fastcompile.artifact import save_artifact
from ipy_fastcompile.cache.command import parse_bytes
from ipy_fastcompile.cache.key.components import Key, section
from ipy_fastcompile.cache.store import Store
from ipy_fastcompile.errors import CacheError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "cache")
    for number in (1, 2):
        key = Key({"code": section("helper.py", f"x = {number}\n"), "torch": "2.13.0"})

        def save(path: str, key: Key = key) -> None:
            save_artifact(path, {"model": {"name": "Net"}, "key": key.manifest_entry}, key.members)

        assert store.put(key, save) is not None
    return store


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_command_exists_and_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name, (_, purpose) in COMMANDS.items():
        assert f"{name}" in out
        assert purpose in out
        with pytest.raises(SystemExit) as left:
            main([name, "--help"])
        assert left.value.code == 0
        assert "usage: python -m ipy_fastcompile" in capsys.readouterr().out


def test_wrong_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (2, run(capsys, "-h")[1], "")
    code, _, err = run(capsys, "nonsense")
    assert code == 2
    assert err.startswith("'nonsense' is no sub-command.\nusage:")
    for arguments in (["inspect"], ["cache"], ["cache", "nonsense"]):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 2


def test_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    save_artifact(a, {"model": {"name": "A"}}, {"execution.py": b"return 1\n"})
    save_artifact(b, {"model": {"name": "B"}}, {"execution.py": b"return 2\n"})
    code, out, err = run(capsys, "inspect", a)
    assert (code, err) == (0, "")
    assert "model       A" in out
    assert run(capsys, "inspect", a, "--text", "execution.py") == (0, "return 1\n\n", "")
    code, out, _ = run(capsys, "inspect", a, b)
    assert code == 1
    assert "model.name: A -> B" in out
    assert run(capsys, "inspect", a, a)[0] == 0


def test_what_is_refused_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "inspect", tmp_path / "missing")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("ArtifactNotFound: There is no artifact at")


def test_cache(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    def cache(*arguments: object) -> tuple[int, str, str]:
        return run(capsys, "cache", "--directory", store.directory, *arguments)

    newest, oldest = [entry.digest for entry in store.entries()]
    assert cache("path") == (0, f"{store.directory}\n", "")
    code, out, _ = cache("ls")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [newest[:12], oldest[:12], "2"]
    assert "Net" in out
    assert "model       Net" in cache("show", newest[:10])[1]
    assert cache("diff", oldest, newest)[1] == "code: helper.py:1: x = 1 -> x = 2\n"
    assert cache("diff", oldest, oldest)[1] == "the two keys are equal\n"
    for arguments in (["why"], ["why", newest[:10]]):
        lines = cache(*arguments)[1].splitlines()
        assert lines[0] == f"nearest entry {oldest[:12]} (Net): 1 of 2 components differ"
        assert lines[1] == "code: helper.py:1: x = 1 -> x = 2"
    assert cache("show", "zz")[0] == 2
    assert cache("show", "")[2].startswith("CacheError: 2 entries start with ''")
    size = store.entries()[0].size
    assert "removed 1 files" in cache("prune", "--cap", f"{size + 1}B")[1]
    assert cache("prune", "--cap", "many")[0] == 2
    assert "removed 1 files" in cache("clear")[1]
    assert cache("ls")[1].startswith("0 entries, 0 B of 5 GB")
    assert cache("why")[0] == 2


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("12", 12), ("12B", 12), ("1kB", 1000), ("1.5MB", 1_500_000), (" 2 G ", 2 * 10**9)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1XB", "1e9", "nan", "1 2"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(CacheError, match="is no size"):
        parse_bytes(text)


def test_the_default_cache_is_this_users(capsys: pytest.CaptureFixture[str]) -> None:
    import platformdirs

    expected = platformdirs.user_cache_dir("ipy_fastcompile", appauthor=False)
    assert run(capsys, "cache", "path")[1] == f"{expected}\n"


def test_as_a_process_with_a_closed_pipe_and_without_unicode(store: Store) -> None:
    command = [sys.executable, "-m", "ipy_fastcompile", "cache", "--directory", store.directory]
    done = subprocess.run(
        ["sh", "-c", '"$@" show "" 2>&1; "$@" ls | head -c 1', "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.startswith("CacheError: 2 entries")
    shown = subprocess.run(
        [*command, "show", store.entries()[0].digest],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert "\\xb7" in shown.stdout  # the dot between the facts, written out
