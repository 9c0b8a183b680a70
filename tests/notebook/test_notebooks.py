"""The notebooks of the repository, executed; and what is stored in them for a reader."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.timeout(7200)
FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
DYNAMIC = "--dynamic input_ids:1=seq(2,512)"


def outputs(notebook: Any, start: str) -> list[Any]:
    """The outputs of the code cell that starts with a text."""
    (cell,) = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.startswith(start)
    ]
    return list(cell.outputs)


def text_of(found: list[Any]) -> str:
    return "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in found)


def find(pattern: str, text: str) -> tuple[str, ...]:
    """The groups of the first match of a pattern; fails where there is none."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match is not None, pattern
    return match.groups()


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Execute a notebook in a folder of its own; raises when a cell does.

    A configuration file, as a user's own, asks for one fresh process for each reload path.
    """
    done: dict[str, Any] = {}
    ipython = tmp_path_factory.mktemp("ipython")
    (ipython / "profile_default").mkdir()
    configuration = ipython / "profile_default" / "ipython_config.py"
    configuration.write_text("c = get_config()\nc.FastCompileMagics.runs = 1\n", encoding="utf-8")

    def execute(name: str) -> Any:
        if name not in done:
            folder = tmp_path_factory.mktemp("notebook")
            shutil.copy(FOLDER / name, folder)
            notebook = nbformat.read(folder / name, as_version=4)
            client = NotebookClient(
                notebook,
                timeout=3600,
                startup_timeout=300,
                resources={"metadata": {"path": folder}},
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("IPYTHONDIR", str(ipython))
                done[name] = client.execute()
        return done[name]

    return execute


@pytest.fixture(params=["stored", pytest.param("executed", marks=pytest.mark.slow)])
def shown(request: pytest.FixtureRequest, executed: Any) -> Any:
    """A notebook with its outputs: those that a reader finds in it, and those of a run here."""
    if request.param == "executed":
        return executed
    return lambda name: nbformat.read(FOLDER / name, as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS])
def test_the_notebook_runs_and_says_nothing_unasked(executed: Any, name: str) -> None:
    notebook = executed(name)
    streams = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert streams == []
    assert outputs(notebook, "%load_ext ipy_fastcompile") == []


def test_see_inside_shows_what_it_says(shown: Any) -> None:
    notebook = shown("01_see_inside.ipynb")
    report, explorer = outputs(notebook, "%%fastcompile")
    assert "LlamaForCausalLM" in report.data["text/plain"]
    assert "Warm reload" in report.data["text/html"]
    (error,) = find(r"max error ([\d.e+-]+)", report.data["text/plain"])
    assert float(error) < 1e-4
    # Two outputs: the report does not depend on the widget.
    assert WIDGET not in report.data
    assert WIDGET in explorer.data
    assert WIDGET in outputs(notebook, "compiled.explore()")[0].data

    kernels = text_of(outputs(notebook, "report = compiled.report")).splitlines()
    shared = [find(r"^kernel \d: +(\d+) submodules", line) for line in kernels]
    assert shared == [("1",), ("15",), ("1",)]
    assert "def forward(input_ids" in text_of(outputs(notebook, "lines = compiled"))
    assert 'extern "C"' in text_of(outputs(notebook, "source = report"))
    assert "512" in text_of(outputs(notebook, "import ipy_fastcompile"))
    table = text_of(outputs(notebook, "for reload"))
    race = re.findall(r"^(\w+) +load +([\d.]+) ms", table, re.MULTILINE)
    assert [path for path, _ in race] == ["native", "torch", "fx"]
    assert float(race[0][1]) < float(race[1][1])


def test_warm_reload_shows_what_it_says(shown: Any) -> None:
    notebook = shown("02_warm_reload.ipynb")
    (report,) = outputs(notebook, "%%fastcompile")
    assert "Warm reload" in report.data["text/plain"]

    # The race: every path loads, the steps are named, and native is far ahead.
    race = text_of(outputs(notebook, "def show(reloads)"))
    loads = {
        path: float(ms) for path, ms in re.findall(r"^(\w+) +([\d.]+) ms$", race, re.MULTILINE)
    }
    assert list(loads) == ["native", "torch", "fx"]
    assert 10 * loads["native"] < min(loads["torch"], loads["fx"])
    assert race.count("    verify ") == race.count("    kernels ") == 3
    assert race.count("    graph ") == 1

    # As shipped: one path is left, and the others say what they lack.
    shipped = text_of(outputs(notebook, "show(compiled.time_reloads(shipped=True))"))
    assert re.findall(r"^(\w+) +(?:[\d.]+ (ms)|(failed))$", shipped, re.MULTILINE) == [
        *(("native", "ms", ""), ("torch", "", "failed"), ("fx", "", "failed"))
    ]
    assert shipped.count("No working C++ compiler found") == 2

    # By hand: no compiler of PyTorch is imported, nothing is written, the numbers are right.
    run = text_of(outputs(notebook, "import os"))
    imported = dict(
        re.findall(
            r"^(torch\.\w+|triton|transformers) +(\w.*imported|imported)$", run, re.MULTILINE
        )
    )
    assert imported == dict.fromkeys(
        ["torch._dynamo", "torch._inductor", "triton", "transformers"], "not imported"
    )
    (in_all,) = find(r"^in all +([\d.]+) ms$", run)
    assert float(in_all) < 1000
    assert "files in Inductor's cache: 0" in run
    assert "Traceback" not in run
    eager = text_of(outputs(notebook, "from safetensors.torch import load_file"))
    assert float(eager.split()[-1]) < 1e-4

    sizes = text_of(outputs(notebook, "import ipy_fastcompile as fc"))
    kinds = {
        kind: float(kb) for kb, kind in re.findall(r"^ *([\d.]+) kB  (.+)$", sizes, re.MULTILINE)
    }
    assert {"native binaries", "FX graph", "kernels for the torch path"} < kinds.keys()
    size = kinds.pop("in all")
    assert 0.9 * size < sum(kinds.values()) < size
    assert text_of(outputs(notebook, 'print("\\n".join')).rstrip().endswith("return forward")


def test_near_twins_shows_what_it_says(shown: Any) -> None:
    notebook = shown("03_near_twins.ipynb")
    before, after = (
        outputs(notebook, f"%%fastcompile {DYNAMIC} --save {name}.fastcompile")[0].data
        for name in ("baked", "shared")
    )
    assert "near-twin" in before["text/plain"]
    assert "near-twin" in before["text/html"]
    assert "near-twin" not in after["text/html"]

    # Named: the kernel that would do, the first node that differs, its line in the model.
    named = text_of(outputs(notebook, "near_twins = "))
    found = re.findall(r"kernel (\d): same ops as kernel 1 \(submod_2\), but node (\w+)", named)
    assert [kernel for kernel, _ in found] == ["2", "3", "4", "5"]
    for layer in range(2, 6):
        assert f"float {1 / layer**0.5!r:.6}" in named
    lines = text_of(outputs(notebook, "submodules, graphs = "))
    for layer in range(1, 5):
        norm = f"model.layers.{layer}.post_attention_layernorm"
        assert f"{norm}: return self.norm(x) * self.scale" in lines

    # Counted: what it costs.
    cost = text_of(outputs(notebook, "missed = "))
    seconds, kilobytes = find(r"4 kernels too many: ([\d.]+) s .*, ([\d,]+) kB", cost)
    assert float(seconds) > 0
    assert int(kilobytes.replace(",", "")) > 20

    # Mended: fewer kernels, less time, a smaller file, the same numbers (asserted in the cell).
    table = text_of(outputs(notebook, "def lowering"))
    rows = {
        name: (float(old), float(new))
        for name, old, new in re.findall(r"^(\w[\w ]+?) +([\d.]+) +([\d.]+)", table, re.MULTILINE)
    }
    assert rows["distinct kernels"] == (7.0, 3.0)
    for name in ("lowering", "cold compile", "artifact"):
        old, new = rows[name]
        assert new < old, name
    assert "near-twins left: 0" in text_of(outputs(notebook, "torch.testing.assert_close"))
    assert WIDGET in outputs(notebook, "baked.explore()")[0].data


def test_your_own_splitting_shows_what_it_says(shown: Any) -> None:
    notebook = shown("04_your_own_splitting.ipynb")
    default = text_of(outputs(notebook, "dynamic = "))
    cuts = [line for line in default.splitlines() if " inlined " in line]
    assert len(cuts) == 4
    assert all(line.endswith(" splitting op aten::scaled_dot_product_attention") for line in cuts)
    assert "mylib" not in default
    inside = text_of(outputs(notebook, "for kernel in at_attention"))
    assert inside.count("mylib::fake_quantize") == 2

    # By name: the op has submodules of its own, called in the open.
    report = outputs(notebook, "%%fastcompile")[0].data["text/plain"]
    assert "splitting op mylib::fake_quantize" in report
    code = text_of(outputs(notebook, "lines = at_both"))
    assert re.search(
        r"# submod_3: .*\(splitting op mylib::fake_quantize\)\n +\(fake_quantize,\) = ", code
    )
    wrong = text_of(outputs(notebook, "try:\n    fc.compile"))
    assert "'mylib::fake_quantise'" in wrong
    assert "Did you mean mylib::fake_quantize?" in wrong

    # By a function: its own words are the reasons.
    own = text_of(outputs(notebook, "from ipy_fastcompile.engine.graph.boundaries"))
    assert re.search(r"inlined +1 nodes +\S+gate_proj +large product 256x64", own)

    table = text_of(outputs(notebook, "def row"))
    counts = [
        [int(n) for n in numbers]
        for numbers in re.findall(
            r"^attention.*? (\d+) +(\d+) +(\d+) +[\d.]+ s +[\d.]+ s$", table, re.MULTILINE
        )
    ]
    assert [kernels for _, _, kernels in counts] == [3, 4, 7]
    assert counts == sorted(counts)
    errors = text_of(outputs(notebook, "eager = "))
    differences = re.findall(r"difference from eager: (\S+)", errors)
    assert len(differences) == 3
    assert all(float(difference) < 1e-4 for difference in differences)

    missing, loaded = text_of(outputs(notebook, "import subprocess")).splitlines()
    assert "own.fastcompile calls ops that are not registered here: mylib::fake_quantize" in missing
    assert "Import the modules that register them" in missing
    assert loaded == "<NextToken(input_ids int64[1, seq]), 4 kernels, native path>"


def test_ship_it_shows_what_it_says(shown: Any) -> None:
    notebook = shown("05_ship_it.ipynb")
    assert text_of(outputs(notebook, 'print(f"cache')).strip() == "cache hit"
    miss = text_of(outputs(notebook, "from ipy_fastcompile.cache.cached"))
    assert "model.llama.model.norm.variance_epsilon: 1e-06 -> 1e-05" in miss

    verdict = text_of(outputs(notebook, "%fastcompile_verify"))
    assert "kernels 3 native; no compiler imported" in verdict
    assert len(re.findall(r"^  pass seq=\d+: largest error", verdict, re.MULTILINE)) == 3
    assert verdict.splitlines()[-1] == "pass"
    assert "FAIL" not in verdict

    # A plain script, then on another account, then with the digest pinned.
    served, eager = re.findall(
        r"(?:next token|in eager:) (\d+)", text_of(outputs(notebook, "import os"))
    )
    assert served == eager
    refused = text_of(outputs(notebook, "elsewhere = "))
    assert refused.startswith("ArtifactUntrusted: llama.fastcompile is not trusted")
    (digest,) = set(re.findall(r"sha256:[0-9a-f]{64}", refused))
    assert f"trust='{digest}'" in refused
    inspected = text_of(outputs(notebook, "command = "))
    assert digest in inspected
    assert re.search(r"^  trusted +no: ", inspected, re.MULTILINE)
    pinned = text_of(outputs(notebook, "digest = "))
    function = "<NextToken(input_ids int64[1, seq]), 3 kernels, native path>"
    assert pinned == f"{function}: next token {served}\n"

    # Damaged: the file and the member are named, and what to do; it is one line.
    (damaged,) = text_of(outputs(notebook, "from pathlib import Path")).splitlines()
    assert re.match(
        r"MemberCorrupt: Member \S+ of damaged.fastcompile is not what was saved", damaged
    )
    assert damaged.endswith("Copy the file again, or save the artifact again.")
    short, other = filter(None, text_of(outputs(notebook, 'Path("short')).splitlines())
    assert short.startswith("ContainerCorrupt: short.fastcompile is not a whole artifact")
    assert other.startswith("ArtifactUntrusted: damaged.fastcompile has the digest sha256:")
    assert f"not the pinned {digest}" in other


def test_generate_shows_what_it_says(shown: Any) -> None:
    notebook = shown("06_generate.ipynb")
    table = text_of(outputs(notebook, "prompt = "))
    assert re.search(r"^call_0 +1 +input_ids, position_ids", table, re.MULTILINE)
    assert re.search(r"^call_1 +31 +input_ids, position_ids", table, re.MULTILINE)
    assert "past: 9 to 39" in table

    programs = text_of(outputs(notebook, "compiled = ")).splitlines()
    assert [line.partition(":")[0] for line in programs[:-1]] == ["call_0", "call_1"]
    assert programs[-1].endswith(" kB")

    compared = text_of(outputs(notebook, "import json"))
    assert "prompts with eager's tokens: 6 of 6" in compared
    assert "compilers that it imported: none" in compared

    race = text_of(outputs(notebook, "print(f\"{'':8}"))
    rows = re.findall(r"^(\w+) +(\d+) ms +([\d.]+) ms +(\d+)$", race, re.MULTILINE)
    assert [way for way, *_ in rows] == ["eager", "torch", "native"]
    ready = {way: float(figures[0]) for way, *figures in rows}
    assert ready["native"] < ready["torch"]
    assert all(float(rate) > 0 for *_, rate in rows)


def test_why_is_this_not_fused_shows_what_it_says(shown: Any) -> None:
    notebook = shown("07_why_not_fused.ipynb")
    before = text_of(outputs(notebook, "print(apart.report.fusions(0))"))
    assert "op0 and op1: memory deps did not match" in before
    assert re.search(r"^  group 2  op1  pointwise", before, re.MULTILINE)

    why = text_of(outputs(notebook, "print(apart.report.why_not_fused(0"))
    assert find(r"^op0 .*: (gate = .*)$", why) == ("gate = torch.sigmoid(x)",)
    assert find(r"^op1 .*: (return .*)$", why) == ("return gate * x + before",)
    assert "each in loops of its own" in why
    assert "memory deps did not match" in why

    passes = text_of(outputs(notebook, "print(apart.report.passes(0))"))
    assert re.search(r"^reorder_for_locality \(post_grad_passes\)", passes, re.MULTILINE)

    after = text_of(outputs(notebook, "print(fused.report.fusions(0))"))
    assert "1 group after it" in after
    assert "Not fused" not in after

    compared = text_of(outputs(notebook, "fc.compare(apart, fused)"))
    assert "not fused because" in compared
    table = text_of(outputs(notebook, "import statistics"))
    assert find(r"^nests of loops +(\d+) +(\d+)$", table) == ("2", "1")
    bytes_before, bytes_after = map(float, find(r"^intermediates +([\d.]+) +([\d.]+) MB$", table))
    assert bytes_after < 0.6 * bytes_before
    assert all(float(ms) > 0 for ms in find(r"^a call +([\d.]+) +([\d.]+) ms$", table))


@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS])
def test_a_reader_who_runs_nothing_sees_the_results(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    # Run in order, in one go, and no cell failed.
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds <= {"display_data", "execute_result", "stream"}
    # The state of widgets would repeat their scripts in every notebook.
    assert "widgets" not in notebook.metadata
    assert len(text) < 1_000_000
    # Nothing of the machine it was run on.
    assert re.findall(r"(?:/root|/home|/Users|/work|/tmp)/[\w./-]*", text) == []


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        *("01_see_inside", "02_warm_reload", "03_near_twins"),
        *("04_your_own_splitting", "05_ship_it", "06_generate", "07_why_not_fused"),
    ]
