"""program (+ what the user asks for) -> the sizes to call it at, and the shapes these mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..artifact.schema import Program
from ..errors import InputError, VerifyError
from ..records import Report, Size, Value
from ..runtime.size_values import size_value


def read_sizes(texts: Sequence[str]) -> dict[str, list[int]] | None:
    """``["seq=2,64"]`` -> ``{"seq": [2, 64]}``. Raises `InputError`."""
    sizes: dict[str, list[int]] = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        words = numbers.split(",")
        if not name.isidentifier() or not all(word.strip().isdigit() for word in words):
            raise InputError(f"{text!r} names no sizes.", "Write them as seq=2,64.", argument=text)
        sizes.setdefault(name, []).extend(int(word) for word in words)
    return sizes or None


def is_unasked(
    size: Mapping[str, int], wanted: Mapping[str, Sequence[int]] | None, said: str
) -> bool:
    """Whether a size was tried of our own accord, and the model need not take it.

    Many a model cannot be run with an empty dimension, and its conditions on sizes refuse others.
    """
    return wanted is None and (0 in size.values() or said.startswith("InputError: "))


def choose_calls(
    programs: Sequence[Program], wanted: Mapping[str, Sequence[int]] | None
) -> Iterator[tuple[int, dict[str, int]]]:
    """The calls to make: the position of a program, and a choice of its sizes.

    A size that is asked for is one of some program; the others are called at their example's.
    """
    known = {symbol.name for program in programs for symbol in program.symbols}
    for position, program in enumerate(programs):
        others = known - {symbol.name for symbol in program.symbols}
        own = None if wanted is None else {n: v for n, v in wanted.items() if n not in others}
        yield from ((position, choice) for choice in choose_sizes(program, own))


def choose_sizes(
    program: Program, wanted: Mapping[str, Sequence[int]] | None
) -> Iterator[dict[str, int]]:
    """The choices of sizes, each once; one empty choice where there are no symbolic sizes."""
    symbols = {name: (low, high, example) for name, low, high, example in program.symbols}

    def larger(example: int) -> int:
        # What divides the example divides its double; without conditions, an odd size tells more.
        return 2 * example if program.conditions else 2 * example + 1

    examples = {name: example for name, (_, _, example) in symbols.items()}
    if wanted is not None:
        for name, values in wanted.items():
            if name not in symbols:
                raise InputError(
                    f"{name!r} is no size of this artifact.",
                    f"Its sizes are {', '.join(symbols) or 'all fixed'}.",
                    argument=name,
                )
            low, high, _ = symbols[name]
            for value in values:
                if value < low or (high is not None and value > high):
                    raise InputError(
                        f"{name}={value} is outside of {low} <= {name}"
                        f"{'' if high is None else f' <= {high}'}.",
                        "Choose a size that the artifact was compiled for.",
                        argument=name,
                    )
        rounds = max((len(values) for values in wanted.values()), default=1)
        choices = [
            {**examples, **{n: v[min(i, len(v) - 1)] for n, v in wanted.items() if v}}
            for i in range(rounds)
        ]
    else:
        choices = [
            examples,
            {name: low for name, (low, _, _) in symbols.items()},
            {name: max(1, low) for name, (low, _, _) in symbols.items()},
            {
                name: larger(example) if high is None else min(high, larger(example))
                for name, (_, high, example) in symbols.items()
            },
            *(
                dict(zip(symbols, values, strict=True))
                for kernel in program.kernels
                for values, _ in kernel.sizes
            ),
        ]
    for position, choice in enumerate(choices):
        if choice not in choices[:position]:
            yield choice


def shapes_at(report: Report | None, sizes: Mapping[str, int]) -> list[list[int] | int | None]:
    """The shape of every input at these sizes, a number that counts as one, None for all else."""
    if report is None:
        raise VerifyError(
            "The artifact holds no report, which says how its inputs depend on the sizes.",
            "Save it with CompiledModel.save.",
        )
    return [_shape(value, sizes) for value in report.inputs]


def _shape(value: Value, sizes: Mapping[str, int]) -> list[int] | int | None:
    if value.kind == "tensor":
        return [_evaluate(size, sizes) for size in value.shape]
    is_size = value.kind == "int" and not value.text.lstrip("-").isdigit()
    return _evaluate(value.text, sizes) if is_size else None


def _evaluate(size: Size, sizes: Mapping[str, int]) -> int:
    """A size such as ``2*seq + 1``, at these values. Raises `VerifyError` for other expressions."""
    try:
        return size_value(size, sizes)
    except InputError as error:
        raise VerifyError(error.what, error.hint) from error
