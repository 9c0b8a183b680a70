from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ipy_fastcompile.artifact.inert import inert_lines
from ipy_fastcompile.show.tokens import CLASSES, LONGEST_HIGHLIGHT, LONGEST_LINE, tokenise
from tests.unit.show.sample import sample_report

PYTHON = 'def f(x):  # why\n    return torch.add(x, 1.5, "s")\n'


def classes(line: tuple[str, tuple[int, ...]]) -> dict[str, str]:
    """Text of each coloured run -> its class."""
    text, runs = line
    found, at = {}, 0
    for length, kind in zip(runs[::2], runs[1::2], strict=True):
        if kind:
            found[text[at : at + length]] = CLASSES[kind]
        at += length
    return found


def test_python_is_coloured() -> None:
    first, second = tokenise(PYTHON, "python")
    assert classes(first) == {"def": "keyword", "f": "name", "# why": "comment"}
    assert classes(second) == {"return": "keyword", "1.5": "number", '"s"': "string"}


def test_a_kernel_inside_a_string_is_coloured_as_what_it_is() -> None:
    kernel = sample_report(1).kernels[0]
    lines = tokenise(kernel.output_code, "python")
    float_line = next(line for line in lines if "float tmp_acc0 = 0" in line[0])
    assert classes(float_line)["float"] == "keyword"
    plain_string = tokenise("x = '''\na\nb\nc\nd\n'''\n", "python")
    assert classes(plain_string[2]) == {"b": "string"}


@pytest.mark.parametrize("language", ["python", "cpp", "text"])
@given(code=st.text(max_size=200))
def test_no_character_is_lost_or_added(language: str, code: str) -> None:
    lines = tokenise(code, language)
    joined = "\n".join(text for text, _ in lines)
    assert joined.rstrip("\n") == inert_lines(code).rstrip("\n")
    for text, runs in lines:
        assert sum(runs[::2]) <= len(text)
        assert all(length > 0 for length in runs[::2])


def test_long_lines_are_cut_and_say_so() -> None:
    ((text, _),) = tokenise("x" * (LONGEST_LINE + 7), "python")
    assert text.endswith("… 7 more characters")
    assert len(text) < LONGEST_LINE + 40


def test_very_long_code_is_left_plain() -> None:
    lines = tokenise("import x\n" * (LONGEST_HIGHLIGHT // 9 + 2), "python")
    assert all(runs == () for _, runs in lines)
