from __future__ import annotations

import hashlib
import hmac
import json
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import ipy_fastcompile
from ipy_fastcompile.artifact import blob_name, open_artifact, save_artifact
from ipy_fastcompile.artifact.trust import Verdict
from tests.faults.parts import run_child

BLOB = b"\x7fELF" + bytes(range(256)) * 10
MANIFEST = {
    "model": "Net",
    "stamp": {"torch": "2.13.0"},
    "nested": {"a": [1, 2.5, None, True, "ü"]},
}
MEMBERS = {"execution.py": b"pass\n", "empty.txt": b"", blob_name(BLOB): BLOB}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    saved = save_artifact(path, MANIFEST, MEMBERS)
    content = path.read_bytes()
    assert saved.path == str(path)
    assert saved.size == len(content)
    assert saved.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert saved.signed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    artifact = open_artifact(str(path))
    assert {name: artifact.manifest[name] for name in MANIFEST} == MANIFEST
    assert artifact.manifest["format"] == "ipy_fastcompile/3"
    assert artifact.manifest["package"] == ipy_fastcompile.__version__
    assert artifact.names == tuple(MEMBERS)
    assert {name: artifact.read(name) for name in artifact.names} == MEMBERS
    assert bytes(artifact.view("execution.py")) == b"pass\n"
    assert artifact.size_of("execution.py") == 5
    assert artifact.size_of("nothing") == 0
    assert (artifact.path, artifact.size, artifact.digest) == (str(path), saved.size, saved.digest)
    assert artifact.contents == content
    assert artifact.verdict == Verdict("own", "it was signed by this user")


def test_the_file_is_a_zip_whose_texts_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    save_artifact(path, MANIFEST, MEMBERS)
    with zipfile.ZipFile(path) as archive:
        raw = archive.read("manifest.json")
        assert archive.namelist()[0] == "manifest.json"
    assert json.loads(raw)["members"]["execution.py"] == [
        hashlib.sha256(b"pass\n").hexdigest(),
        5,
    ]
    lines = raw.decode("ascii").splitlines()
    assert lines[1] == '"format":"ipy_fastcompile/3",'
    assert lines[-1] == "}"
    assert len(lines) == 2 + 4 + len(MANIFEST)


def test_a_reader_written_from_the_description_of_the_format(
    tmp_path: Path, data_home: Path
) -> None:
    path = tmp_path / "a.fastcompile"
    save_artifact(path, MANIFEST, MEMBERS)
    key = (data_home / "ipy_fastcompile" / "key").read_bytes()
    with zipfile.ZipFile(path) as archive:
        content = {info.filename: archive.read(info) for info in archive.infolist()}
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert (info.create_system, info.create_version, info.extract_version) == (3, 20, 20)
            assert (info.flag_bits, info.extra, info.comment) == (0, b"", b"")
            assert info.external_attr == 0o100644 << 16
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert list(content)[:2] == ["manifest.json", "manifest.sig"]
    raw = content.pop("manifest.json")
    key_id = hashlib.sha256(b"ipy_fastcompile key id" + b"\0" + key).hexdigest()[:16]
    mac = hmac.new(key, raw, "sha256").hexdigest()
    signature = content.pop("manifest.sig")
    assert signature == f"hmac-sha256 {key_id} {mac}\n".encode()
    assert len(signature) == 94
    assert json.loads(raw)["members"] == {
        name: [hashlib.sha256(data).hexdigest(), len(data)] for name, data in content.items()
    }


def test_saving_again_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    first = save_artifact(path, {"model": "1"}, {})
    second = save_artifact(path, {"model": "2"}, {})
    assert first.digest != second.digest
    assert open_artifact(path).manifest["model"] == "2"
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["a.fastcompile"]


def test_timings_count_every_hash_once(tmp_path: Path) -> None:
    path = tmp_path / "a.fastcompile"
    big = bytes(3_000_000)
    save_artifact(path, {}, {"big.txt": big})
    artifact = open_artifact(path)
    before = dict(artifact.timings)
    assert set(before) == {"read", "verify"}
    assert min(before.values()) > 0
    artifact.read("big.txt")
    after = artifact.timings["verify"]
    assert after > before["verify"]
    artifact.read("big.txt")
    artifact.verify()
    assert artifact.timings == {"read": before["read"], "verify": after}


def test_the_work_of_a_verification_grows_with_the_file_and_no_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of a native load; measured 1.0 ms, and 2.5 ms with reading, for the smaller file."""

    def work(scale: int) -> tuple[int, int]:
        """Calls of Python and C functions, and bytes hashed, for one open and a verification."""
        path = tmp_path / f"{scale}.fastcompile"
        blobs = [bytes([number % 251, number // 251]) * 18_000 for number in range(38 * scale)]
        members = {blob_name(blob): blob for blob in blobs}
        members |= {"execution.py": b"x" * 60_000 * scale, "graph.txt": b"y" * 20_000 * scale}
        inputs = [f"p_{j}" for j in range(12)]
        program = [{"digest": "0" * 32, "inputs": inputs} for _ in range(730 * scale)]
        save_artifact(path, {"programs": program}, members)
        calls, hashed = 0, 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in {"call", "c_call"}

        def sha256(data: Any = b"", **options: Any) -> Any:
            nonlocal hashed
            hashed += len(data)
            return real(data, **options)

        real, before = hashlib.sha256, sys.getprofile()
        with monkeypatch.context() as patch:
            patch.setattr("ipy_fastcompile.artifact.open.sha256", sha256)
            sys.setprofile(count)
            try:
                artifact = open_artifact(path)
                artifact.verify()
                artifact.verify()
            finally:
                sys.setprofile(before)
        assert hashed == sum(map(len, members.values()))  # once, however often it is asked for
        return calls, hashed

    work(1)  # what is imported and cached by the first
    small, large = work(1), work(4)
    assert 0 < large[0] < 5 * small[0]
    assert 3.5 * small[1] < large[1] < 4.5 * small[1]


def test_neither_torch_nor_anything_else_is_needed() -> None:
    done = run_child(
        "sys.modules['torch'] = sys.modules['IPython'] = sys.modules['platformdirs'] = None\n"
        "import ipy_fastcompile.artifact.inspect, ipy_fastcompile.cache.store\n"
        "import ipy_fastcompile.artifact.compare, ipy_fastcompile.artifact.stamp\n"
        "print(sorted(m for m in sys.modules if 'zip' in m or m in ('pickle', 'tempfile')))"
    )
    assert "zipfile" not in done.stdout


def test_importing_for_a_load_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import ipy_fastcompile.artifact, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "ipy_fastcompile.artifact.open" in loaded
    heavy = {"torch", "difflib", "pickletools", "argparse", "platformdirs"}
    assert not loaded & (heavy | {"ipy_fastcompile.records", "ipy_fastcompile.cache.store"})
