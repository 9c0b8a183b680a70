"""A kernel's passes and fusions as text, and why two of its nodes are not fused."""

from __future__ import annotations

import dataclasses
import unicodedata

import pytest

from ipy_fastcompile.records import Report
from tests.unit.show.golden import check_golden
from tests.unit.show.small_explained import DEPS, EXTERN, SMALL, with_small


@pytest.fixture(scope="module")
def small(report: Report) -> Report:
    return with_small(report)


def test_golden(small: Report) -> None:
    check_golden("passes.txt", small.passes(0) + "\n")
    check_golden("fusions.txt", small.fusions(0) + "\n")
    pairs = [("op1", "op2"), ("sum_1", "div"), ("op3", "relu"), ("op0", "buf4"), ("op1", "op1")]
    answers = [str(small.why_not_fused(0, *pair)) for pair in pairs]
    check_golden("why_not_fused.txt", "\n\n".join(answers) + "\n")


def test_passes_that_changed_nothing_are_one_line(small: Report) -> None:
    (folded,) = [line for line in small.passes(0).splitlines() if "changed nothing" in line]
    assert folded.startswith("4 changed nothing. ")
    assert "remove_noop_ops (2 times)" in folded


def test_a_reason_is_there_with_both_lines_of_the_model(small: Report) -> None:
    answer = str(small.why_not_fused(0, "div", "add"))
    assert "rows.py:8: share = x / total" in answer
    assert "rows.py:9: turned = share.t() + 1" in answer
    assert f'Inductor: "{DEPS}".' in answer


def test_the_order_of_the_two_names_is_free(small: Report) -> None:
    for pair in (("op3", "op4"), ("op4", "op3")):
        assert f'Inductor: "{EXTERN}".' in small.why_not_fused(0, *pair)


def test_what_was_not_recorded_is_not_guessed(small: Report) -> None:
    answer = small.why_not_fused(0, "op0", "op4")
    assert answer.endswith("Inductor recorded no reason.")


def test_a_kernel_without_records_says_so(small: Report) -> None:
    bare = dataclasses.replace(
        small, kernels=(dataclasses.replace(small.kernels[0], explained=""),)
    )
    for text in (bare.passes(0), bare.fusions(0), bare.why_not_fused(0, "a", "b")):
        assert "recorded none of this" in text


def test_a_name_of_none_is_refused_with_those_that_there_are(small: Report) -> None:
    with pytest.raises(LookupError, match="no node 'softmax' in this kernel; there are op0, sum_1"):
        small.why_not_fused(0, "softmax", "op1")
    with pytest.raises(LookupError, match="There is no kernel 9; there are 0 to 2"):
        small.fusions(9)


def test_an_answer_shows_itself_as_it_prints(small: Report) -> None:
    answer = small.fusions(0)
    assert repr(answer) == str(answer)
    assert answer._repr_mimebundle_()["text/plain"] == str(answer)


def test_hostile_records_are_inert(small: Report) -> None:
    strange = "\x1b[31m\u202e</pre>"
    kernel = small.kernels[0]
    nodes = tuple(dataclasses.replace(n, value=strange + n.value) for n in SMALL.nodes)
    passes = tuple(dataclasses.replace(p, name=strange + p.name) for p in SMALL.passes)
    poisoned = dataclasses.replace(SMALL, nodes=nodes, passes=passes)
    report = dataclasses.replace(
        small, kernels=(dataclasses.replace(kernel, explained=poisoned.packed()),)
    )
    for text in (report.passes(0), report.fusions(0), report.why_not_fused(0, "op0", "op2")):
        kinds = {unicodedata.category(c) for c in text.replace("\n", "")}
        assert not kinds & {"Cc", "Cf", "Cs"}
