"""What is built is what is needed: the wheel holds the package whole, and works on its own."""

from __future__ import annotations

import configparser
import importlib
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    built = subprocess.run([*command, str(ROOT)], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_string(archive.read(name).decode())


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    package = ROOT / "ipy_fastcompile"
    files = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == files
    # The benches are for a clone, and so are the tests.
    assert {name.partition("/")[0] for name in packed} == {"ipy_fastcompile"}
    assert not any("bench" in name for name in packed)
    # What a browser gets is readable source, not something that a build step makes.
    kinds = {Path(name).suffix for name in packed if "/static/" in name}
    assert {".css", ".js"} <= kinds
    assert "ipy_fastcompile/py.typed" in packed


def test_the_metadata_says_what_it_is(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []
    assert metadata["Name"] == "ipy_fastcompile"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert {"Framework :: IPython", "Framework :: Jupyter"} <= set(classifiers)
    assert metadata["Requires-Python"] == ">=3.10"
    needed = {re.split(r"[^\w.-]", r)[0] for r in metadata.get_all("Requires-Dist") or []}
    assert {"torch", "ipython", "ipywidgets", "anywidget", "safetensors", "pygments"} <= needed


def test_torch_compile_finds_the_backend_by_its_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt")]
        points = configparser.ConfigParser()
        points.read_string(archive.read(name).decode())
    (backend,) = points["torch_dynamo_backends"].items()
    name, where = backend
    module, _, function = where.partition(":")
    assert name == "fastcompile"
    assert callable(getattr(importlib.import_module(module), function))


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    install = ["install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, capture_output=True)
    script = (
        "import ipy_fastcompile as fc, importlib.resources as resources\n"
        "print(fc.__file__)\n"
        "print(fc.__version__)\n"
        "static = resources.files('ipy_fastcompile.show') / 'static'\n"
        "print(*sorted(file.name for file in static.iterdir()))\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    file, version, static = child.stdout.splitlines()
    assert file == str(target / "ipy_fastcompile" / "__init__.py")
    assert version in wheel.name
    assert static.split() == sorted(
        path.name for path in (ROOT / "ipy_fastcompile" / "show" / "static").iterdir()
    )


def test_the_readme_s_test_command_is_the_one_that_is_run() -> None:
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command.endswith("-m pytest")
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_a_first_install_cannot_choose_its_own_torch() -> None:
    for file in (".ci/run", "README.md"):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        installs = [line for line in lines if "pip install" in line and "-e " in line]
        assert installs, file
        assert all("torch==" in line for line in installs), file


def test_the_changelog_has_the_version() -> None:
    import ipy_fastcompile

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{ipy_fastcompile.__version__}]" in text or "## [Unreleased]" in text
