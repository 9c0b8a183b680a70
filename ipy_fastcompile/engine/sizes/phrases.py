"""condition on sizes -> words: what must be, and what to say of sizes for which it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from ...errors import CodegenError
from ...records import ConditionRecord
from .conditions import Condition
from .expressions import size_text
from .proofs import MIRRORED, divisibility

# Relation -> (what must be, what is wrong of one size, what is wrong of an expression).
_RELATIONS = {
    "==": ("is", "which is not", "is not"),
    "!=": ("is not", "which is", "is"),
    ">=": ("is at least", "which is less than", "is less than"),
    "<=": ("is at most", "which is more than", "is more than"),
    ">": ("is more than", "which is not more than", "is not more than"),
    "<": ("is less than", "which is not less than", "is not less than"),
}


def condition_records(
    conditions: Sequence[Condition], names: Mapping[Any, str]
) -> tuple[ConditionRecord, ...]:
    """Conditions as a report and a manifest have them."""
    return tuple(
        ConditionRecord(
            phrase(condition, names).words,
            tuple(sorted(names.get(s, str(s)) for s in condition.symbols)),
            condition.source,
        )
        for condition in conditions
    )


@dataclass(frozen=True)
class Phrase:
    """A condition in words.

    ``words`` say what must be: "seq is a multiple of 4". ``refusal`` goes on a sentence that names
    the sizes: "which is not a multiple of 4"; ``indirect`` on one whose size only tells the other:
    "and seq is not a multiple of 4" of a dimension that is 2*seq long.
    """

    words: str
    refusal: str
    indirect: str


def phrase(condition: Condition, names: Mapping[Any, str]) -> Phrase:
    """A condition in words, with these names of its symbols."""
    expression = condition.expression
    found = divisibility(expression)
    if found is not None:
        base, number = found
        return _phrase(base, "is", f"a multiple of {number}", "which is not", "is not", names)
    if isinstance(expression, sympy.core.relational.Relational):
        left, right, sign = expression.lhs, expression.rhs, expression.rel_op
        if (right.is_Symbol and not left.is_Symbol) or left.is_Integer:
            left, right, sign = right, left, MIRRORED[sign]
        must, wrong_one, wrong = _RELATIONS[sign]
        return _phrase(left, must, _text(right, names), wrong_one, wrong, names)
    text = _text(expression, names)
    refusal = f"for which {text} does not hold"
    return Phrase(f"{text} holds", refusal, refusal)


def _phrase(
    base: Any, must: str, rest: str, wrong_one: str, wrong: str, names: Mapping[Any, str]
) -> Phrase:
    text = _text(base, names)
    alone = base.is_Symbol and rest.replace("a multiple of ", "").lstrip("-").isdigit()
    indirect = f"and {text} {wrong} {rest}"
    return Phrase(f"{text} {must} {rest}", f"{wrong_one} {rest}" if alone else indirect, indirect)


def _text(expression: Any, names: Mapping[Any, str]) -> str:
    """Python where there is any, else sympy's own way to write it."""
    try:
        return size_text(expression, names)
    except CodegenError:
        renamed = {s: sympy.Symbol(n) for s, n in names.items()}
        return str(expression.xreplace(renamed))
