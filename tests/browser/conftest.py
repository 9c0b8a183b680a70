"""A Chromium, pages that fail on console errors, and Jupyter servers with a home of their own.

Without Chromium the browser tests are skipped, saying so; where CI is set they fail instead.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ipy_fastcompile.records import Report
from ipy_fastcompile.show.page import write_page
from tests.unit.show.sample import sample_report

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


def missing(what: str) -> None:
    """Skip the test, saying why; where CI is set, fail."""
    message = f"{what} is missing, so nothing was tested in a browser"
    if os.environ.get("CI"):
        pytest.fail(f"{message}; CI must have it")
    pytest.skip(message)


# For a file, not for all: Playwright's event loop runs in this thread until it is stopped, and
# asyncio refuses to start another.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright (pip install playwright)")
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        missing("Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page and what it complained about."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Fail on console errors and uncaught exceptions."""
        # The favicon is the browser's own wish.
        assert [error for error in self.errors if "favicon" not in error] == []


OpenPage = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """Opens pages with options of a Playwright context; all are checked for errors at the end."""
    opened: list[Watched] = []

    def open_one(width: int = 1400, height: int = 900, **options: Any) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        watched = Watched(context.new_page())
        page = watched.page
        page.set_default_timeout(90_000)
        page.on("console", lambda m: m.type == "error" and watched.errors.append(m.text))
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("request", lambda request: watched.requests.append(request.url))
        opened.append(watched)
        return watched

    yield open_one
    for watched in opened:
        watched.page.context.close()
    for watched in opened:
        watched.check()


@pytest.fixture(scope="session")
def report_80() -> Report:
    return sample_report(80, near_twin=True)


@pytest.fixture(scope="session")
def page_80(report_80: Report, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The offline page of 80 layers, as a file:// address."""
    path = tmp_path_factory.mktemp("pages") / "report.html"
    write_page(report_80, path)
    return path.as_uri()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Report], str]:
    """Writes the offline page of a report; returns its file:// address."""

    def write_one(report: Report) -> str:
        path = tmp_path / "page.html"
        write_page(report, path)
        return path.as_uri()

    return write_one


def violations(page: Any, context: str = ".fc-root") -> list[str]:
    """What axe-core finds in a part of the page, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
    found = Axe().run(page, context, options).response["violations"]
    return [
        f"{v['id']}: {n['html'][:160]} {n['failureSummary']}" for v in found for n in v["nodes"]
    ]


# --- Jupyter -------------------------------------------------------------------------------------

# A made-up report, so that nothing has to be compiled; `rerun` stands for the measurement.
CELL = """
import dataclasses, threading, time
from ipy_fastcompile.records import Standing
from tests.unit.show.sample import sample_report
from ipy_fastcompile.show.explorer import Explorer

report = sample_report(80, near_twin=True)

def race(tell):
    tell(Standing("running", total=3, now="native"))
    time.sleep(0.5)
    again = tuple(dataclasses.replace(r, load=r.load / 2) for r in report.reloads if not r.shipped)
    tell(Standing("done", again, 3, 3))

def rerun(shipped, tell):
    if shipped:
        raise OSError("no process could be started")
    threading.Thread(target=race, args=[tell]).start()

explorer = Explorer(report, rerun)
display(report)
display(explorer)
"""


def write_notebook(path: Path, cells: list[str]) -> Any:
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
    )
    nbformat.write(notebook, path)
    return notebook


def list_of(page: Any) -> Any:
    return page.get_by_role("treegrid", name="Submodules")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab or Notebook: address, token, notebooks, settings, environment."""

    url: str
    token: str
    root: Path
    settings: Path
    environment: dict[str, str]

    def open(self, page: Any, notebook: str, theme: str = "JupyterLab Light") -> None:
        """Open a notebook in JupyterLab and wait for its kernel."""
        setting = json.dumps({"theme": theme})
        (self.settings / "themes.jupyterlab-settings").write_text(setting)
        page.goto(f"{self.url}/doc/tree/{notebook}?reset&token={self.token}")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=180_000)
        # Without this a dialog asks for a kernel.
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=180_000)

    def run_all(self, page: Any) -> None:
        """Run all cells."""
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


@contextlib.contextmanager
def serve(module: str, folder: Path) -> Iterator[Lab]:
    """Run ``python -m MODULE``, with notebooks, configuration and data in a folder of its own."""
    if importlib.util.find_spec(module) is None:
        missing(f"{module} (pip install {module})")
    root, config = folder / "notebooks", folder / "config"
    settings = config / "lab/user-settings/@jupyterlab/apputils-extension"
    for path in (root, settings):
        path.mkdir(parents=True)
    quiet = json.dumps({"fetchNews": "false", "checkForUpdates": False})
    (settings / "notification.jupyterlab-settings").write_text(quiet)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(config / "data"),
        "JUPYTER_RUNTIME_DIR": str(config / "run"),
        "IPYTHONDIR": str(config / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    port = free_port()
    token = secrets.token_hex(8)
    arguments = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    arguments += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    log = config / "server.log"
    command = [module, *arguments, f"--ServerApp.root_dir={root}"]
    address = f"http://127.0.0.1:{port}"
    with running(command, log, environment, f"{address}/api?token={token}"):
        yield Lab(address, token, root, settings, environment)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str], answers: str
) -> Iterator[None]:
    """While this lasts ``python -m`` runs a server, from when it answers at an address."""
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=stream, stderr=subprocess.STDOUT,
            env=environment,
        )  # fmt: skip
    try:
        wait_for(answers, server, log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="session")
def lab(own_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with serve("jupyterlab", tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers; raises what it said where it ended before that."""
    # A server that lives is given minutes, which it takes where others keep the cores busy.
    deadline = time.monotonic() + 600
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=20).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise RuntimeError(f"The server did not start: {log.read_text()}")
