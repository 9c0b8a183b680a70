from __future__ import annotations

import subprocess
import sys

from IPython.core.interactiveshell import InteractiveShell

from ipy_fastcompile.notebook.compile_magic import FastCompileMagics

LOAD = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_cell("%load_ext ipy_fastcompile")
assert shell.find_magic("fastcompile", "cell") is not None
heavy = {"torch", "numpy", "ipywidgets", "anywidget", "pygraphviz", "safetensors", "transformers"}
sys.exit(" ".join(sorted(heavy & (set(sys.modules) - before))) or 0)
"""


def test_loading_is_silent_and_imports_nothing_heavy() -> None:
    child = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True)
    assert (child.returncode, child.stdout, child.stderr) == (0, "", "")


def test_unloading_leaves_the_shell_as_it_was(shell: InteractiveShell) -> None:
    def state() -> tuple[object, ...]:
        manager = shell.magics_manager
        return (
            set(manager.magics["line"]),
            set(manager.magics["cell"]),
            set(manager.registry),
            list(shell.Completer.custom_matchers),
            list(shell.configurables),
            set(shell.user_ns) - {"_i", "_ii", "_iii", "_i1", "_i2", "_ih", "_oh", "_dh"},
        )

    before = state()
    shell.extension_manager.load_extension("ipy_fastcompile")
    loaded = state()
    shell.extension_manager.unload_extension("ipy_fastcompile")
    assert loaded != before
    assert state() == before
    # Loading again after unloading, and twice in a row, is as good as once.
    shell.extension_manager.load_extension("ipy_fastcompile")
    shell.extension_manager.reload_extension("ipy_fastcompile")
    assert len(shell.Completer.custom_matchers) == 1
    assert [type(c) for c in shell.configurables].count(FastCompileMagics) == 1


def test_the_settings_are_traits(shell: InteractiveShell) -> None:
    shell.run_line_magic("load_ext", "ipy_fastcompile")
    magics = shell.magics_manager.registry["FastCompileMagics"]
    shell.run_line_magic("config", "FastCompileMagics.runs = 7")
    shell.run_line_magic("config", "FastCompileMagics.explorer = False")
    shell.run_line_magic("config", "FastCompileMagics.warm = False")
    assert (magics.runs, magics.explorer, magics.warm) == (7, False, False)
    shell.run_line_magic("unload_ext", "ipy_fastcompile")
