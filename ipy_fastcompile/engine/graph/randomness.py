"""graph -> the random numbers that it draws, and whether they are meant.

Every op counts that torch tags as nondeterministic under a seed, or that takes a generator: not
some names. One whose own arguments switch it off (``train=False``, ``p=0``) draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ...errors import CaptureError
from ...frozen import frozen
from ...torch_compat import ops
from ..calls.generators import numbers_near
from ..code.sources import place, read_source

_SWITCHES = frozenset({"train", "training"})
_CHANCES = frozenset({"p", "dropout", "dropout_p"})


@frozen
class Draw:
    """A call that draws random numbers: its op, the layer it is in, and the user's line."""

    op: str  # "aten::dropout"
    layer: str  # "encoder.drop", empty at the top
    line: str

    def __str__(self) -> str:
        return f"{self.layer or self.op} ({self.line})" if self.line else self.layer or self.op


def draws_of(graph_module: GraphModule) -> tuple[Draw, ...]:
    """Every call of a graph, of its branches and bodies too, whose numbers something uses."""
    return tuple(
        Draw(ops.op_and_overload(node.target)[0], _layer(node), _line(node))
        for node in all_nodes(graph_module)
        if _draws(node) and (node.users or ops.is_mutating(node.target))
    )


def _draws(node: Node) -> bool:
    """Whether a call draws random numbers, as far as its op and its arguments tell."""
    target: Any = node.target
    if node.op != "call_function" or not ops.is_op(target):
        return False
    arguments = ops.schema_arguments(target)
    generator = any("Generator" in str(argument.type) for argument in arguments)
    if not generator and torch.Tag.nondeterministic_seeded not in target.tags:
        return False
    for position, argument in enumerate(arguments):
        given = node.args[position] if position < len(node.args) else None
        if position >= len(node.args):
            given = node.kwargs.get(argument.name, argument.default_value)
        if argument.name in _SWITCHES and given is False:
            return False
        if argument.name in _CHANCES and isinstance(given, (int, float)) and given == 0:
            return False
    return True


def check_draws(found: tuple[Draw, ...], *, training: bool) -> None:
    """Refuse a model that draws because it is in training mode.

    In evaluation mode what draws is meant: a sampler, noise, layers of dropout that were put into
    training mode one by one.
    """
    if training and found:
        raise is_training([str(draw) for draw in found])


def is_training(moving: list[str]) -> CaptureError:
    """The refusal of training mode, naming what would change with every call."""
    moving = list(dict.fromkeys(moving))
    shown = ", ".join(moving[:3]) + (f" and {len(moving) - 3} more" if len(moving) > 3 else "")
    return CaptureError(
        f"The model is in training mode, so {shown} would change with every call.",
        "Call model.eval() first: dropout is then frozen to the identity and batch norm to "
        "its running statistics. Numbers that are meant to be random stay random: after "
        "model.eval(), call train() on the layers of dropout that are to go on drawing.",
        layers=tuple(moving),
    )


def describe_draws(found: tuple[Draw, ...]) -> tuple[str, ...]:
    """What the report says of them, a line; nothing where nothing is drawn."""
    if not found:
        return ()
    places = list(dict.fromkeys(map(str, found)))
    shown = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    return (f"Draws random numbers at every call: {shown}; they repeat under torch.manual_seed.",)


def check_seeds(found: tuple[Draw, ...], own: tuple[str, ...], *, is_seeded: bool) -> None:
    """Refuse numbers of a generator that the model holds, and those under a seed that it sets."""
    if own:
        raise _repeated(own)
    if found and is_seeded:
        raise CaptureError(
            f"The model sets torch's seed and then draws: {found[0]}; a compiled call would not "
            "set it.",
            "Set the seed before the call, or make the numbers a buffer of the model.",
        )


def _repeated(generators: tuple[str, ...]) -> CaptureError:
    return CaptureError(
        f"The model draws numbers from {' and '.join(generators)}, which a compiled call would "
        "repeat for ever.",
        "Draw them with torch (torch.rand), or pass them to the call as an argument.",
        generators=generators,
    )


def check_host_numbers(
    moved: tuple[str, ...],
    program: torch.export.ExportedProgram,
    again: Callable[[], torch.export.ExportedProgram],
) -> None:
    """Refuse numbers of Python's or NumPy's generator that ended up in the graph as constants.

    The model is captured again under numbers near 0 and near 1: graphs that agree do not depend on
    them, such as those of models that draw before they look whether they are being trained.
    """
    if not moved:
        return
    for wanted in (0.0, 1.0):
        with numbers_near(wanted):
            other = again()
        if not _are_equal(program, other):
            raise _repeated(moved)


def _line(node: Node) -> str:
    source = read_source(node.meta.get("stack_trace"))
    return (source.text or place(source)) if source else ""


def _layer(node: Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return path.removeprefix("L['self']").lstrip(".")


def all_nodes(graph_module: GraphModule) -> Iterator[Node]:
    """The nodes of a graph, and of those inside it: branches, bodies, regions."""
    for module in graph_module.modules():
        if isinstance(module, GraphModule):
            yield from module.graph.nodes


def _are_equal(one: torch.export.ExportedProgram, other: torch.export.ExportedProgram) -> bool:
    return (
        one.graph_module.code == other.graph_module.code
        and one.constants.keys() == other.constants.keys()
        and all(
            torch.equal(value, other.constants[name])
            for name, value in one.constants.items()
            if isinstance(value, torch.Tensor)
        )
    )
