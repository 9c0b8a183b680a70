"""code object -> the dotted names it takes from globals and imports, and how it uses names.

``os.environ.get`` in a text is three instructions in a row. Reading them in a row tells which
attribute of which module is meant, where single names would only say that some object has it.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType

from .words import word_set

# A dotted name; of what a local import brought in, the first part is "@<level>:<module>".
Chain = tuple[str, ...]

_MODERN = sys.version_info >= (3, 11)


def _codes(names: str) -> frozenset[int]:
    return frozenset(dis.opmap[name] for name in names.split() if name in dis.opmap)


_IGNORED = _codes("CACHE RESUME NOP PRECALL PUSH_NULL NOT_TAKEN")
_EXTENDED = _codes("EXTENDED_ARG")
# Opcode -> how far its argument is shifted before it is an index into co_names.
GLOBALS = dict.fromkeys(_codes("LOAD_GLOBAL"), 1 if _MODERN else 0) | dict.fromkeys(
    _codes("LOAD_NAME LOAD_FROM_DICT_OR_GLOBALS"), 0
)
_ATTRIBUTES = (
    dict.fromkeys(_codes("LOAD_ATTR"), 1 if sys.version_info >= (3, 12) else 0)
    | dict.fromkeys(_codes("LOAD_METHOD"), 0)
    | dict.fromkeys(_codes("LOAD_SUPER_ATTR"), 2)
)
_FAST = _codes("LOAD_FAST LOAD_FAST_BORROW LOAD_FAST_CHECK STORE_FAST")
_CELL = _codes("LOAD_DEREF LOAD_CLASSDEREF LOAD_FROM_DICT_OR_DEREF STORE_DEREF")
_NAME = _codes("STORE_NAME STORE_GLOBAL")
_STORE = _codes("STORE_FAST STORE_DEREF STORE_NAME STORE_GLOBAL")
_CONST, _SMALL = _codes("LOAD_CONST RETURN_CONST"), _codes("LOAD_SMALL_INT")
_IMPORT, _FROM, _POP = _codes("IMPORT_NAME"), _codes("IMPORT_FROM"), _codes("POP_TOP SWAP ROT_TWO")
_IN, _CALL = _codes("CONTAINS_OP"), _codes("CALL CALL_FUNCTION CALL_KW")
_BUILD_SET, _ADD, _UPDATE = _codes("BUILD_SET"), _codes("SET_ADD"), _codes("SET_UPDATE")
_TUPLE = _codes("BUILD_TUPLE")
_BUILD = _codes("BUILD_TUPLE BUILD_LIST BUILD_SET BUILD_MAP BUILD_CONST_KEY_MAP")
_TEXTS = word_set("str repr format")
_TEXT = _codes("FORMAT_VALUE FORMAT_SIMPLE FORMAT_WITH_SPEC CONVERT_VALUE")
_OPERATOR, _REMAINDER = _codes("BINARY_OP BINARY_MODULO"), 6
_ITEM, _CALL_KW = _codes("BINARY_SUBSCR"), _codes("CALL_KW CALL_FUNCTION_KW")
_ANY_CALL = _codes("CALL CALL_FUNCTION CALL_METHOD CALL_KW CALL_FUNCTION_KW")
# ``a.keys() & b.keys()`` is a set.
_UNIONS = {(op, number) for op in _codes("BINARY_OP") for number in (1, 7, 12)}
_OLD_UNIONS, _VIEWS = _codes("BINARY_AND BINARY_OR BINARY_XOR"), word_set("keys items")
_KEYWORDS = _codes("KW_NAMES")
_SUBSCRIPT = 26  # since 3.14 an operator like others

# Functions for which the order of a set makes no difference, and methods for which it does.
_UNORDERED = word_set("sorted len bool isinstance")
_SET_MAKERS = word_set("union intersection difference symmetric_difference")
_ORDERED = word_set("copy pop __iter__") | _SET_MAKERS


@dataclass
class Uses:
    """What a function's code does with names, nested functions included.

    ``chains`` are dotted names from globals and imports, ``loose`` all other attributes,
    ``ordered`` names whose value is used for more than ``in``, ``texted`` names whose value is
    turned into text. ``makes_sets``: it makes a set, and does more than ask what is in it.
    ``words`` are the strings that a dotted name is called with, subscripted with or asked for;
    None where that is not a string of the text. ``imports`` are (module, level).
    """

    chains: set[Chain] = field(default_factory=set)
    loose: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)
    texted: set[str] = field(default_factory=set)
    makes_sets: bool = False
    words: dict[Chain, set[str | None]] = field(default_factory=dict)
    imports: set[tuple[str, int]] = field(default_factory=set)


def read_uses(code: CodeType) -> Uses:
    """All of it."""
    uses = Uses()
    imported: dict[str, Chain] = {}
    for part in nested(code):
        _Reader(part, uses, imported).read()
    return uses


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it, the outer ones first."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def instructions(code: bytes) -> Iterator[tuple[int, int]]:
    """(opcode, argument) of everything that matters to a reader of names."""
    extended = 0
    for position in range(0, len(code), 2):
        opcode = code[position]
        if opcode in _IGNORED:
            continue
        argument = code[position + 1] | extended
        if opcode in _EXTENDED:
            extended = argument << 8
        else:
            extended = 0
            yield opcode, argument


class _Reader:
    """One pass over one code object.

    ``chain`` and ``last`` are the dotted name and the name that the instruction before loaded,
    ``before`` is the dotted name that was loaded right before these.
    """

    def __init__(self, code: CodeType, uses: Uses, imported: dict[str, Chain]) -> None:
        self.code, self.uses, self.imported = code, uses, imported
        self.chain: Chain | None = None
        self.before: Chain | None = None
        self.last = ""
        self.module: Chain | None = None  # what is being imported
        self.bound: Chain = ()  # what a plain import binds
        self.from_list = False
        self.tupled = ""
        self.constants: list[object] = [0, None]
        self.set_is_on_top = False
        variables, closed = code.co_varnames, code.co_cellvars + code.co_freevars
        # Since 3.11, the numbers of cells go on from those of variables; a name has one of them.
        self.cells = variables + tuple(c for c in closed if c not in variables)
        self.cells = self.cells if _MODERN else closed

    def read(self) -> None:
        """Note everything in ``uses``."""
        names = self.code.co_names
        self.steps = list(instructions(self.code.co_code))
        self.asks_text = not _TEXTS.isdisjoint(names) or any(op in _TEXT for op, _ in self.steps)
        for position, (op, argument) in enumerate(self.steps):
            self.position = position
            was_set, self.set_is_on_top = self.set_is_on_top, False
            if was_set and op not in _IN and op not in _UPDATE:
                self.uses.makes_sets = True
            if op in _ATTRIBUTES:
                if names[argument >> _ATTRIBUTES[op]] in _ORDERED or self.chain is None:
                    self._use_last(names[argument >> _ATTRIBUTES[op]])
                self._attribute(names[argument >> _ATTRIBUTES[op]])
                continue
            if self.module and (op in _FROM or op in _STORE):
                self._bind(op, argument)
                continue
            self._end(op, argument)
            if op in GLOBALS:
                self._global(names[argument >> GLOBALS[op]], argument)
            elif op in _FAST or op in _CELL:
                name = self._local(op, argument)
                self.chain = self.imported.get(name) if op not in _STORE else None
                self.last = name if op in _CELL else ""
                if op in _STORE:
                    self.imported.pop(name, None)
            elif op in _CONST or op in _SMALL:
                self._constant(self.code.co_consts[argument] if op in _CONST else argument)
            elif op in _IMPORT:
                self._import(names[argument])
            elif op in _ADD:
                self.uses.makes_sets = True
            elif op in _UPDATE:
                self.set_is_on_top = was_set or not self._is_numeric(self.constants[-1])
            elif op in _BUILD_SET:
                self.set_is_on_top = argument > 0
            elif (op, argument) in _UNIONS or op in _OLD_UNIONS:
                has_views = not _VIEWS.isdisjoint(names)
                self.uses.makes_sets = self.uses.makes_sets or has_views
            elif op in _POP and self.from_list:
                self.module = None
        self.position = len(self.steps)
        self._end(-1, 0)

    def _global(self, name: str, argument: int) -> None:
        self.chain, self.last = self.imported.get(name, (name,)), name
        is_called = argument & 1 or not _MODERN
        if name in ("set", "frozenset") and is_called:
            if not (self.before and self.before[0] in _UNORDERED):
                self.uses.makes_sets = True

    def _attribute(self, name: str) -> None:
        if self.chain is None:
            self.uses.loose.add(name)
            self.uses.makes_sets |= name in _SET_MAKERS
        else:
            self.chain = (*self.chain, name)
        self.last = name

    def _use_last(self, attribute: str) -> None:
        if self.last and attribute in _ORDERED:
            self.uses.ordered.add(self.last)

    def _end(self, op: int, argument: int) -> None:
        """``op`` uses what was loaded."""
        is_argument = op in _CALL and argument == 1 and self.before is not None
        wrapper = self.before[0] if is_argument and self.before else ""
        if self.last and op not in _IN and wrapper not in _UNORDERED:
            self.uses.ordered.add(self.last)
        is_text = op in _TEXT or (op in _OPERATOR and argument == _REMAINDER)
        is_text = is_text or "format" in self.code.co_names
        if op in _TUPLE:
            self.tupled = self.last
        elif self.tupled and op in _OPERATOR and argument == _REMAINDER:
            self.uses.texted.add(self.tupled)
        # A value that is kept, or put into something, may be in the text that is asked for.
        is_text = is_text or (self.asks_text and (op in _STORE or op in _BUILD))
        if self.last and (is_text or wrapper in ("str", "format")):
            self.uses.texted.add(self.last)
        if self.chain is not None:
            self.uses.chains.add(self.chain)
            self.uses.words.setdefault(self.chain, set()).add(self._word(op))
        self.before, self.chain, self.last = self.chain, None, ""

    def _word(self, op: int) -> str | None:
        """The string that is the first argument, the subscript, or asked for."""
        if op in _IN:
            length = len(self.chain or ())
            # The string was loaded right before the dotted name.
            start = self.position - length - 1
            asked = self.steps[start] if start >= 0 else (-1, 0)
            word = self.code.co_consts[asked[1]] if asked[0] in _CONST else None
            return word if isinstance(word, str) else None
        if op not in _CONST:
            return None
        word = self.code.co_consts[self.steps[self.position][1]]
        depth = 1
        for following, argument in self.steps[self.position + 1 :]:
            if following in _ANY_CALL:
                wanted = argument + (following in _CALL_KW)
                return word if depth == wanted and isinstance(word, str) else None
            if following in _ITEM or (following in _OPERATOR and argument == _SUBSCRIPT):
                return word if depth == 1 and isinstance(word, str) else None
            if (
                following in _CONST
                or following in _FAST
                or following in _CELL
                or following in GLOBALS
            ):
                depth += 1
            elif not (following in _ATTRIBUTES and depth > 1) and following not in _KEYWORDS:
                return None
        return None

    def _local(self, op: int, argument: int) -> str:
        table = self.code.co_varnames if op in _FAST else self.cells
        table = self.code.co_names if op in _NAME else table
        return table[argument] if argument < len(table) else ""

    def _constant(self, constant: object) -> None:
        self.constants = [self.constants[-1], constant]
        if isinstance(constant, frozenset) and len(constant) > 1:
            self.set_is_on_top = not self._is_numeric(constant)

    @staticmethod
    def _is_numeric(constant: object) -> bool:
        return isinstance(constant, frozenset) and all(type(c) in (int, bool) for c in constant)

    # --- imports -----------------------------------------------------------------------------

    def _import(self, module: str) -> None:
        level, names = self.constants
        level = level if isinstance(level, int) else 0
        self.module = (f"@{level}:{module}",)
        self.from_list = bool(names)
        self.uses.imports.add((module, level))
        self.bound = (f"@{level}:{module.partition('.')[0]}",)

    def _bind(self, op: int, argument: int) -> None:
        assert self.module is not None
        if op in _FROM:
            name = self.code.co_names[argument]
            if self.from_list:
                self.bound = (*self.module, name)
                self.uses.chains.add(self.bound)
            else:  # import a.b as c
                self.bound = self.module
            return
        self.imported[self._local(op, argument)] = self.bound
        if not self.from_list:
            self.module = None
