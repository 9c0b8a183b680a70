"""Attack 35: names that would recolour, reorder, hide or overwrite what a terminal shows."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ipy_fastcompile.__main__ import main
from ipy_fastcompile.artifact import blob_name, limits, save_artifact
from ipy_fastcompile.artifact.compare import compare
from ipy_fastcompile.artifact.inert import inert, inert_lines
from ipy_fastcompile.artifact.inspect import inspect
from ipy_fastcompile.artifact.stamp import compare_stamps, explain
from ipy_fastcompile.cache.command import list_lines
from ipy_fastcompile.cache.key.components import Key
from ipy_fastcompile.cache.store import Miss, Store
from ipy_fastcompile.errors import FastCompileError
from tests.faults.parts import rehash, repack, unpack

HOSTILE = (
    "<script>alert(1)</script>\x1b[31mred\x1b]0;title\x07\r\x08\x9b2J\u202egnp.exe\u2066\u200b"
    "\u2028\U000e0041\udc80\n  trusted     yes: it was signed by this user"
)


def is_inert(text: str) -> bool:
    """Whether a terminal only shows it: no character that controls, formats or hides."""
    return all(
        unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for character in text.replace("\n", "").replace("\t", "")
    )


def hostile(path: Path, other: str = "") -> Path:
    pickled = f"c{HOSTILE.splitlines()[0]}\nname\n.".encode("utf-8", "replace") + b"."
    members = {"execution.py": f"# {HOSTILE}{other}\n".encode("utf-8", "replace")}
    save_artifact(
        path,
        {
            "model": {"name": HOSTILE + other, "parameters": 3},
            "stamp": {HOSTILE: HOSTILE + other, "list": [HOSTILE]},
            "programs": [{"kernels": [{"digest": HOSTILE + other, "why": HOSTILE}]}],
            HOSTILE: {HOSTILE: HOSTILE + other},
        },
        {**members, blob_name(pickled): pickled},
    )
    return path


def test_the_summary_is_inert(tmp_path: Path) -> None:
    text = str(inspect(hostile(tmp_path / "a.fastcompile")))
    assert is_inert(text)
    lines = text.splitlines()
    assert [line for line in lines if line.lstrip().startswith("trusted")] == [
        "  trusted     yes: it was signed by this user"
    ]
    assert lines[1] == (
        r"  model       <script>alert(1)</script>\x1b[31mred\x1b]0;title\x07\x0d\x08\x9b2J"
        r"\u202egnp.exe\u2066\u200b\u2028\U000e0041\udc80\n  trusted     yes: it was signed by "
        "this user"
    )


def test_a_forged_summary_line_stays_in_its_line(tmp_path: Path) -> None:
    path = hostile(tmp_path / "a.fastcompile")
    repack(path, rehash(unpack(path)))
    lines = str(inspect(path)).splitlines()
    trusted = [line for line in lines if line.lstrip().startswith("trusted")]
    assert trusted == ["  trusted     no: it is unsigned"]


def test_a_comparison_is_inert(tmp_path: Path) -> None:
    comparison = compare(hostile(tmp_path / "a"), hostile(tmp_path / "b", "!"))
    assert not comparison.is_equal
    assert is_inert(str(comparison))
    assert len(comparison.manifest) == 4


def test_a_miss_is_inert(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    key = Key({"code": f"@@ {HOSTILE}\nx\n{HOSTILE}\n", HOSTILE: HOSTILE, "a": "b=1\nc=2"})

    def save(path: str) -> None:
        save_artifact(path, {"model": {"name": HOSTILE}, "key": key.manifest_entry}, key.members)

    assert store.put(key, save) is not None
    other = Key({"code": f"@@ {HOSTILE}\ny\n{HOSTILE}!\n", HOSTILE: HOSTILE + "!", "a": "b=1\nc=3"})
    miss = store.lookup(other)
    assert isinstance(miss, Miss)
    assert is_inert(str(miss))
    assert all(is_inert(line) and "\n" not in line for line in miss.lines)
    assert "c: 2 -> 3" in str(miss)
    for line in list_lines(store.entries(), 10**9):
        assert is_inert(line)
        assert "\n" not in line


def test_stamps_are_inert() -> None:
    differences = compare_stamps(
        {HOSTILE: HOSTILE, "cpu_flags": [HOSTILE]}, {HOSTILE: 1, "cpu_flags": []}
    )
    assert len(differences) == 2
    assert is_inert(explain(differences))
    assert len(explain(differences).splitlines()) == 2


def test_the_command_line_is_inert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = tmp_path / "\x1b[31m\u202e"
    assert main(["inspect", str(strange)]) == 2
    assert main(["inspect", str(hostile(strange))]) == 0
    assert main(["inspect", str(strange), "--text", "execution.py"]) == 0
    assert main(["cache", "--directory", str(strange), "ls"]) == 2
    assert main([HOSTILE]) == 2
    captured = capsys.readouterr()
    assert is_inert(captured.out + captured.err)
    assert len(captured.err.splitlines()) >= 3


def plain_message(path: Path) -> str:
    with pytest.raises(FastCompileError) as caught:
        inspect(path)
    return str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"format": HOSTILE},
        {"format": "ipy_fastcompile/999", "package": HOSTILE},
        {"members": {HOSTILE: []}},
        {"members": {HOSTILE: ["0" * 64, 1]}},
    ],
)
def test_errors_show_hostile_values_escaped(tmp_path: Path, change: dict[str, Any]) -> None:
    path = hostile(tmp_path / "a.fastcompile")
    members = unpack(path)
    manifest = {**json.loads(members[limits.MANIFEST]), **change}
    repack(path, {**members, limits.MANIFEST: json.dumps(manifest).encode()})
    assert is_inert(plain_message(path))


@given(st.text())
def test_any_text_becomes_inert_and_plain_text_stays(text: str) -> None:
    assert is_inert(inert(text))
    assert "\n" not in inert(text)
    assert is_inert(inert_lines(text))
    if is_inert(text) and "\n" not in text and "\t" not in text:
        assert inert(text) == text or any(ord(c) > 0x7F for c in text)


def test_every_active_character_is_written_out() -> None:
    active = [chr(code) for code in range(sys.maxunicode + 1) if not is_inert(chr(code))]
    assert len(active) > 2000
    shown = inert("".join(active))
    assert shown.isascii()
    assert shown.count("\\") == len(active)


def test_ordinary_text_of_many_scripts_stays() -> None:
    text = "Größe λ 中文 العربية עברית हिन्दी 日本語 한국어 emoji 🎉 «quotes» → ∑"
    assert inert(text) == text
