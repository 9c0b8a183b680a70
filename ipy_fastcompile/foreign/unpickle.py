"""Bytes of a pickle -> what it would build, as inert values, and the globals it would import.

Nothing is imported, called or made: GLOBAL gives a name, REDUCE the record of a call. Pickles
inside of a pickle's bytes are followed. What stops the reading is a note; what was read is kept.
"""

from __future__ import annotations

from typing import Any

from . import limits
from .budget import Budget, Unpickled
from .opcodes import Unparsable, decode
from .pickle_heads import looks_like_pickle, marked_start
from .stack import Stack
from .stubs import Made, Name, Outside, Pairs, brief, name_of

_PUTTERS = {"APPEND": "append", "APPENDS": "extend", "ADDITEMS": "add"}
# Calls whose result is a module: a name that Python has already.
_IMPORTERS = ("import_module", "__import__", "_unpickle_module", "_python_module")
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg", "cPickle": "pickle"}
_EVERY = 2_048  # opcodes between two looks at the clock


def unpickle(data: bytes, budget: Budget, where: str = "", start: int = 0) -> Unpickled:
    """Read the pickle at ``start`` of ``data``; never raises for what is in it."""
    machine = _Machine(data, budget, where or "the pickle", 0)
    result = machine.run(start)
    if result.problem:
        budget.note(machine.where, result.problem)
    return result


class _Machine(Stack):
    """Reads one pickle."""

    def __init__(self, data: bytes, budget: Budget, where: str, level: int) -> None:
        super().__init__()
        self.data = data
        self.budget = budget
        self.where = where
        self.level = level
        self.buffers = 0

    def run(self, start: int) -> Unpickled:
        at, count, budget = start, 0, self.budget
        try:
            while True:
                name, argument, at = decode(self.data, at)
                count += 1
                budget.opcodes -= 1
                if name == "STOP":
                    return Unpickled(self.pop(), at)
                if budget.opcodes <= 0 or budget.values <= 0:
                    raise Unparsable("it has more opcodes or values than are read")
                if not count % _EVERY and budget.is_late:
                    raise Unparsable(f"reading took more than {limits.SECONDS:.0f} s")
                self.step(name, argument)
        except Unparsable as error:
            return Unpickled(self.stack[-1] if self.stack else None, at, str(error))

    def make(self, value: Any) -> None:
        self.budget.values -= 1
        self.push(value)

    # --- opcodes ---------------------------------------------------------------------------------

    def step(self, name: str, argument: Any) -> None:
        method = _STEPS.get(name)
        if method is not None:
            method(self, argument)
        elif name in _CONSTANTS:
            self.push(_CONSTANTS[name])
        else:  # a number or a string, decoded already
            self.make(argument)
            if isinstance(argument, bytes):
                self.follow(argument)

    def protocol(self, argument: int) -> None:
        if argument > 5:
            self.budget.note(self.where, f"protocol {argument} is newer than this reader")

    def nothing(self, argument: Any) -> None:
        del argument

    def empty(self, kind: Any) -> None:
        self.make(kind())

    def tuple_of(self, count: int) -> None:
        parts = [self.pop() for _ in range(count)]
        self.make(tuple(reversed(parts)))

    def tuple_group(self, argument: Any) -> None:
        del argument
        self.make(tuple(self.pop_mark()))

    def list_group(self, argument: Any) -> None:
        del argument
        self.make(self.pop_mark())

    def dict_group(self, argument: Any) -> None:
        del argument
        made = Pairs()
        made.pairs = _paired(self.pop_mark())
        self.make(made)

    def add(self, name: str) -> None:
        parts = [self.pop()] if name == "APPEND" else self.pop_mark()
        target = self.top()
        if isinstance(target, list):
            target.extend(parts)
        elif isinstance(target, Made):
            target.items.extend(parts)
        else:
            self.calls_method(target, _PUTTERS[name])

    def set_items(self, name: str) -> None:
        if name == "SETITEM":
            value = self.pop()
            pairs = [(self.pop(), value)]
        else:
            pairs = _paired(self.pop_mark())
        target = self.top()
        if isinstance(target, (Pairs, Made)):
            target.pairs.extend(pairs)
        else:
            self.calls_method(target, "__setitem__")

    def calls_method(self, target: Any, method: str) -> None:
        named = target.text if isinstance(target, Name) else brief(target, 60)
        self.budget.use(f"{named}.{method}", self.where, called=True, computed=True)

    # --- globals and calls -----------------------------------------------------------------------

    def push_global(self, argument: tuple[str, str]) -> None:
        module, name = argument
        self.make(self.named(module, name))

    def stack_global(self, argument: Any) -> None:
        del argument
        name, module = self.pop(), self.pop()
        if isinstance(name, str) and isinstance(module, str):
            self.make(self.named(module, name))
            return
        text = f"{_shown(module)}.{_shown(name)}"
        self.budget.use(text, self.where, computed=True)
        self.make(Name(text, is_computed=True))

    def named(self, module: str, name: str) -> Name:
        text = f"{_OLD_MODULES.get(module, module)}.{name}"[: limits.MAX_NAME_CHARACTERS]
        self.budget.use(text, self.where)
        return Name(text)

    def extension(self, code: Any) -> None:
        text = f"copyreg extension {code}"
        self.budget.use(text, self.where, computed=True)
        self.make(Name(text, is_computed=True))

    def persistent(self, argument: Any) -> None:
        self.make(Outside("persistent id", argument if argument is not None else self.pop()))

    def buffer(self, argument: Any) -> None:
        del argument
        self.make(Outside("out-of-band buffer", self.buffers))
        self.buffers += 1

    def instance(self, argument: tuple[str, str]) -> None:
        args = tuple(self.pop_mark())
        self.call(self.named(*argument), args, None)

    def object_group(self, argument: Any) -> None:
        del argument
        group = self.pop_mark()
        if not group:
            raise Unparsable("it makes an object of no class")
        self.call(group[0], tuple(group[1:]), None)

    def reduce(self, argument: Any) -> None:
        del argument
        args = self.pop()
        self.call(self.pop(), args, None)

    def new_with_keywords(self, argument: Any) -> None:
        del argument
        kwargs, args = self.pop(), self.pop()
        self.call(self.pop(), args, kwargs)

    def build(self, argument: Any) -> None:
        del argument
        state, target = self.pop(), self.top()
        if isinstance(target, Made):
            target.states.append(state)
        else:
            self.calls_method(target, "__setstate__")

    def call(self, func: Any, args: Any, kwargs: Any) -> None:
        name = name_of(func) if isinstance(func, Name) else ""
        if name:
            self.budget.use(name, self.where, called=True)
        else:
            self.budget.use(f"{_shown(func)}()", self.where, called=True, computed=True)
        first = args[0] if isinstance(args, tuple) and args else None
        if name.endswith(_IMPORTERS):
            text = _shown(first)
            self.budget.use(text, self.where, computed=True)
            self.make(Name(text, is_computed=True))
            return
        if name == "builtins.getattr" and isinstance(args, tuple) and len(args) > 1:
            text = f"{_shown(first)}.{_shown(args[1])}"[: limits.MAX_NAME_CHARACTERS]
            self.budget.use(text, self.where, computed=True)
            self.make(Name(text, is_computed=True))
            return
        if name == "_codecs.encode" and isinstance(first, str) and args[1:] == ("latin1",):
            # How protocol 2 writes bytes; the one call whose result is known without making it.
            data = first.encode("latin-1", "replace")
            self.make(data)
            self.follow(data)
            return
        if name == "builtins.bytes" and args == ():
            self.make(b"")  # and how it writes none of them
            return
        if name.endswith(".loads") and isinstance(first, bytes):
            self.follow(first, is_certain=True)
        self.make(Made(func, args, kwargs))

    # --- pickles inside --------------------------------------------------------------------------

    def follow(self, data: bytes, *, is_certain: bool = False) -> None:
        start = marked_start(data)
        is_marked = looks_like_pickle(data[start : start + 4])
        is_old = data[-1:] == b"." and data[:1] in (b"c", b"(", b"]", b"}") and len(data) > 4
        if id(data) in self.budget.inside or not (is_marked or is_old or is_certain):
            return
        if self.level >= limits.MAX_NESTED_PICKLES:
            deepest = limits.MAX_NESTED_PICKLES
            self.budget.note(self.where, f"pickles nested deeper than {deepest} are not read")
            return
        where = self.where if self.where.endswith(", inside") else f"{self.where}, inside"
        inner = self.budget.within()
        result = _Machine(data, inner, where, self.level + 1).run(start)
        self.budget.opcodes, self.budget.values = inner.opcodes, inner.values
        # Bytes that only begin like a pickle are none; one that is cut may still run what it has.
        if result.problem and not inner.uses and not is_certain:
            return
        if result.problem and not (is_marked or is_certain):
            return
        if result.problem:
            self.budget.note(where, result.problem)
        self.budget.take(inner)
        self.budget.inside[id(data)] = (data, result)


def _paired(group: list[Any]) -> list[tuple[Any, Any]]:
    if len(group) % 2:
        raise Unparsable("a key of it has no value")
    return list(zip(group[::2], group[1::2], strict=True))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and len(value) < 200 else brief(value, 80)


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


def _bound(method: Any, fixed: Any) -> Any:
    return lambda machine, _: method(machine, fixed)


_STEPS: dict[str, Any] = {
    "PROTO": _Machine.protocol,
    "FRAME": _Machine.nothing,
    "READONLY_BUFFER": _Machine.nothing,
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_group,
    "DUP": _Machine.again,
    "MEMOIZE": _Machine.put,
    "TUPLE": _Machine.tuple_group,
    "LIST": _Machine.list_group,
    "FROZENSET": _Machine.list_group,
    "DICT": _Machine.dict_group,
    "INST": _Machine.instance,
    "GLOBAL": _Machine.push_global,
    "STACK_GLOBAL": _Machine.stack_global,
    "PERSID": _Machine.persistent,
    "BINPERSID": _Machine.persistent,
    "NEXT_BUFFER": _Machine.buffer,
    "OBJ": _Machine.object_group,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.new_with_keywords,
    "BUILD": _Machine.build,
}
_STEPS |= dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put)
_STEPS |= dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get)
_STEPS |= dict.fromkeys(("EXT1", "EXT2", "EXT4"), _Machine.extension)
_STEPS |= {name: _bound(_Machine.add, name) for name in _PUTTERS}
_STEPS |= {name: _bound(_Machine.set_items, name) for name in ("SETITEM", "SETITEMS")}
_STEPS |= {
    "EMPTY_LIST": _bound(_Machine.empty, list),
    "EMPTY_SET": _bound(_Machine.empty, list),
    "EMPTY_DICT": _bound(_Machine.empty, Pairs),
    "EMPTY_TUPLE": _bound(_Machine.empty, tuple),
}
_STEPS |= {f"TUPLE{count}": _bound(_Machine.tuple_of, count) for count in (1, 2, 3)}
