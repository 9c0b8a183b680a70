from __future__ import annotations

from ipy_fastcompile.show.regions import Region, call_line, fold_around_call

# As torch 2.13 writes it: a docstring of code to tune with, imports, kernels, a class with `call`.
OUTPUT = '''r"""
Compile-time auto-tuning block:

def call(args):
    tune()
"""
# AOT ID: ['0_inference']
import torch

cpp_fused_add_0 = async_compile.cpp_pybinding(['float*'], r\'\'\'
extern "C" void kernel(float* out_ptr0) {}
\'\'\')

class Runner:
    def __init__(self, partitions):
        self.partitions = partitions

    def call(self, args):
        arg0_1, = args

        return (arg0_1,)

runner = Runner(partitions=[])

def get_args():
    return []
'''


def shown(code: str) -> str:
    """What is not folded."""
    lines = code.removesuffix("\n").split("\n")
    folded = {n for r in fold_around_call(code) for n in range(r.first, r.last + 1)}
    return "\n".join(line for n, line in enumerate(lines) if n not in folded)


def test_call_is_open_and_the_rest_is_folded() -> None:
    assert OUTPUT.split("\n")[call_line(OUTPUT)] == "    def call(self, args):"
    assert shown(OUTPUT) == (
        "    def call(self, args):\n        arg0_1, = args\n\n        return (arg0_1,)\n"
    )
    before, after = fold_around_call(OUTPUT)
    assert before.label == f"{call_line(OUTPUT)} lines: imports, 1 kernel, Runner"
    assert after.label == "4 lines: get_args"


def test_the_partitions_that_call_runs_are_open_too() -> None:
    code = (
        "import torch\nimport os\ndef partition_0(args):\n    pass\n\ndef call(args):\n    pass\n"
    )
    assert call_line(code) == 2
    assert fold_around_call(code) == (Region(0, 1, "2 lines: imports"),)


def test_a_text_without_call_is_not_folded() -> None:
    for code in ("", "void run() {}\n", "x = 1\n# def call(args)\n"):
        assert call_line(code) == 0
        assert fold_around_call(code) == ()


def test_a_call_at_the_very_beginning_has_nothing_before_it() -> None:
    assert fold_around_call("def call(args):\n    return args\n") == ()
