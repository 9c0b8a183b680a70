"""value -> lines of canonical text: equal for equal values, in this process and the next.

Nothing here calls code of the value's own class, so a ``__repr__`` can neither lie nor leak an
address. What has no canonical text is said to be uncovered, and its key then matches nothing.
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import datetime as dt
import decimal
import enum
import fractions
import functools
import logging
import operator
import os
import pathlib
import re
import threading
import types
import uuid
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
import torch

from ...torch_compat import ops, tensor_kinds
from .home import LIBRARY, USER, home_of_class
from .judge import identity, is_judged

Value = Any

# What libraries leave on objects that is of this process alone: addresses, and hashes of them.
VOLATILE = frozenset({"__dynamo_disable", "_original_object_hash", "_torchdynamo_wrapper_id"})
_LONG = 1000
_DEEP = 60
_LEAF_TYPES = (type(None), bool, int, float, complex, type(Ellipsis), type(NotImplemented))
_TORCH_LEAVES = (torch.dtype, torch.layout, torch.memory_format, torch.device)
_WITH_ADDRESS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial)
_TEXTS = ("__repr__", "__str__", "__format__")
# Types whose repr says everything, and nothing else.
_BY_REPR: tuple[type, ...] = (
    range,
    bytearray,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    dt.date,
    dt.datetime,
    dt.time,
    dt.timedelta,
    dt.timezone,
    types.GenericAlias,
    types.UnionType,
    torch.finfo,
    torch.iinfo,
)
_LOCKS = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Condition,
    threading.Event,
    threading.Semaphore,
)
_PICKERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_TUPLE_GETTER = type(collections.namedtuple("_Pair", "a").a)  # type: ignore[attr-defined]
_GENERATOR_CONTEXT = type(contextlib.contextmanager(lambda: iter(()))())
_CONTAINERS = (dict, list, tuple, set, frozenset, collections.deque)
_NUMBERS: dict[type, Any] = {
    int: int.__int__,
    float: float.__float__,
    complex: lambda z: complex.__add__(z, 0j),
    str: str.__str__,
    bytes: lambda b: bytes(memoryview(b)),
}


class Walker(Protocol):
    """What describing needs of the walk it is part of."""

    def line(self, path: str, text: str) -> None:
        """Add ``path = text`` to the component that is being written."""

    def miss(self, path: str, why: str) -> None:
        """Say that the value at ``path`` is not covered."""

    def attribute(self, name: str) -> AbstractContextManager[None]:
        """What is described inside can only be got at by code that mentions this attribute."""

    def known(self, value: Value, path: str) -> str | None:
        """Where a mutable value was described before; if nowhere, ``path`` is where it is now."""

    def label(self, function: types.FunctionType) -> str:
        """The name of a function, with a number if another one has the same name."""

    def reach_function(self, function: types.FunctionType, path: str) -> None:
        """A function was found at ``path``."""

    def reach_class(self, cls: type, *, is_made: bool = False) -> None:
        """A class was found by itself (``is_made``: objects may be made of it), or an instance."""

    def reach_module(self, module: types.ModuleType) -> None:
        """A module was found."""

    def reach_tree(self, module: torch.nn.Module, path: str, depth: int) -> None:
        """A module was found that is not part of the model."""

    def reach_op(self, packet: Any, path: str) -> None:
        """A registered op was found."""

    def judge(self, path: str, value: Any) -> None:
        """A function or class was found, and may be called."""

    def count(self, module: types.ModuleType) -> None:
        """Put the version of the package of a module into the key."""

    def deny(self, path: str, cls: type) -> None:
        """An object was found, or a class, some of whose members may read what no key holds."""

    def if_used(self, use: str, text: str, name: str = "") -> None:
        """``text`` counts if the user's code may see it: the order of a set, for instance."""

    def binding(self, name: str) -> AbstractContextManager[None]:
        """What is described inside is the value of this name."""

    def remember(self, path: str, cached: Any) -> None:
        """A function was found that keeps what it returned."""

    @property
    def in_package(self) -> bool:
        """Whether what is described is a package's own."""


def describe(walker: Walker, path: str, value: Value, depth: int = 0) -> None:
    """Write ``value`` as lines, the first of which starts with ``path``."""
    text = inline_text(value, walker)
    if text is not None:
        walker.line(path, _shortened(text))
        return
    if depth > _DEEP:
        walker.miss(path, f"it is nested more than {_DEEP} levels deep")
        return
    if isinstance(value, types.FunctionType) and not _carries(value):
        walker.line(path, f"function {walker.label(value)}")
        walker.reach_function(value, path)
        return
    earlier = walker.known(value, path)
    if earlier is not None:
        walker.line(path, f"same as {earlier}")
        return
    if not _describe_code(walker, path, value, depth) and not _describe_data(
        walker, path, value, depth
    ):
        _describe_object(walker, path, value, depth)


def inline_text(value: Value, walker: Walker, depth: int = 0) -> str | None:
    """The text of a value that fits one line: numbers, names, and containers of them; or None."""
    kind = type(value)
    if kind in _LEAF_TYPES or kind is str or kind is bytes:
        return repr(value)
    if kind in _TORCH_LEAVES or kind in _BY_REPR:
        if isinstance(value, dt.date):
            walker.deny(class_name(kind), kind)
        return repr(value)
    if isinstance(value, type):
        walker.reach_class(value, is_made=True)
        return f"class {class_name(value)}"
    if isinstance(value, enum.Enum):
        walker.reach_class(kind)
        content = inline_text(value.value, walker, depth + 1)
        return None if content is None else f"{class_name(kind)}.{value.name} ({content})"
    if isinstance(value, np.generic) and kind is not np.void:
        return f"{kind.__name__}({value.item()!r})"
    if isinstance(value, np.dtype):
        return f"numpy.dtype({value.str!r})"
    if isinstance(value, pathlib.PurePath):
        walker.deny(class_name(kind), kind)
        return f"{kind.__name__}({str(value)!r})"
    if kind is torch.Size:
        return f"Size({list(value)})"
    if kind is slice:
        return _joined("slice", (value.start, value.stop, value.step), walker, depth)
    if kind in (list, tuple, set, frozenset, collections.deque) and depth < 4:
        items = value
        if kind in (set, frozenset):
            texts = [inline_text(item, walker, depth + 1) for item in _stable(items)]
            _note_order(items, walker, depth)
            return (
                None if None in texts else f"{kind.__name__}({', '.join(sorted(map(str, texts)))})"
            )
        extra = f", maxlen={value.maxlen}" if kind is collections.deque else ""
        joined = _joined(kind.__name__, items, walker, depth)
        return None if joined is None else joined + extra
    if kind is dict and depth < 4 and len(value) <= 16:
        parts = []
        for key, item in value.items():
            a, b = inline_text(key, walker, depth + 1), inline_text(item, walker, depth + 1)
            if a is None or b is None:
                return None
            parts.append(f"{a}: {b}")
        return f"{{{', '.join(parts)}}}"
    return None


def class_name(cls: type) -> str:
    """``helpers.Model``."""
    return f"{cls.__module__}.{cls.__qualname__}"


def function_name(function: types.FunctionType) -> str:
    """``helpers.Model.forward``."""
    module = function.__globals__.get("__name__", "?")
    return f"{module}.{function.__qualname__}"


def functions_of(value: Value) -> list[types.FunctionType]:
    """The functions that a class attribute holds: methods of every kind, and properties."""
    if isinstance(value, property):
        found = [value.fget, value.fset, value.fdel]
    elif isinstance(value, functools.cached_property):
        found = [value.func]
    else:
        found = [getattr(value, "__func__", value)]
    return [function for function in found if isinstance(function, types.FunctionType)]


def tensor_text(tensor: torch.Tensor) -> str:
    """dtype, shape, strides and device: everything but the values."""
    if tensor.layout is not torch.strided:
        return f"{tensor.dtype}{list(tensor.shape)} {tensor.layout} {tensor.device}"
    return f"{tensor.dtype}{list(tensor.shape)} strides {list(tensor.stride())} {tensor.device}"


def _joined(name: str, items: Any, walker: Walker, depth: int) -> str | None:
    texts = []
    for item in items:
        text = inline_text(item, walker, depth + 1)
        if text is None:
            return None
        texts.append(text)
    return f"{name}({', '.join(texts)})"


def _note_order(items: Any, walker: Walker, depth: int) -> None:
    """The order in which a set gives its items, where that is not the same in every process.

    Sets that are made of it have an order of their own, which hangs on how strings are hashed.
    """
    if len(items) > 1 and not all(type(item) in (int, bool) for item in items):
        texts = [str(inline_text(item, walker, depth + 1)) for item in items]
        seed = hash("how this process hashes strings") % 10**8
        walker.if_used("ordered", _shortened(f"{', '.join(texts)}; strings are hashed by {seed}"))


def _stable(items: Any) -> list[Any]:
    """The items of a set, in an order that does not depend on addresses where they have names."""
    return sorted(items, key=lambda item: getattr(item, "__qualname__", None) or repr(type(item)))


def _shortened(text: str) -> str:
    if len(text) <= _LONG:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:80]}... ({len(text)} characters, sha256 {digest})"


# --- code ----------------------------------------------------------------------------------------


def _describe_code(walker: Walker, path: str, value: Value, depth: int) -> bool:
    """Functions and whatever wraps them."""
    if isinstance(value, _WITH_ADDRESS):
        walker.if_used("texted", "its text, which some code asks for, holds an address")
    if isinstance(value, types.FunctionType):
        walker.line(path, f"function {walker.label(value)}")
        walker.reach_function(value, path)
    elif isinstance(value, types.MethodType):
        walker.line(path, "method")
        describe(walker, f"{path}.__func__", value.__func__, depth + 1)
        describe(walker, f"{path}.__self__", value.__self__, depth + 1)
    elif isinstance(value, types.BuiltinFunctionType):
        _describe_builtin(walker, path, value, depth)
    elif isinstance(
        value,
        (types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
    ):
        walker.line(path, f"builtin {class_name(value.__objclass__)}.{value.__name__}")
    elif isinstance(value, types.MethodWrapperType):
        walker.line(path, f"builtin method {value.__name__}")
        describe(walker, f"{path}.__self__", value.__self__, depth + 1)
    elif isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType)):
        walker.line(path, f"slot {value.__name__}")
    elif isinstance(value, _TUPLE_GETTER):
        walker.line(path, f"field {value.__reduce__()[1][0]}")
    elif isinstance(value, property):
        walker.line(path, "property")
        for name in ("fget", "fset", "fdel"):
            describe(walker, f"{path}.{name}", getattr(value, name), depth + 1)
    elif isinstance(value, (staticmethod, classmethod)):
        walker.line(path, type(value).__name__)
        describe(walker, f"{path}.__func__", value.__func__, depth + 1)
    elif isinstance(value, functools.partial):
        walker.line(path, "partial")
        for name in ("func", "args", "keywords", "__dict__"):
            describe(walker, f"{path}.{name}", getattr(value, name), depth + 1)
    elif isinstance(value, functools.cached_property):
        walker.line(path, "cached_property")
        describe(walker, f"{path}.func", value.func, depth + 1)
    elif isinstance(value, type(functools.lru_cache(lambda: None))):
        # What it has cached is what the function returned.
        walker.line(path, "lru_cache")
        walker.remember(path, value)
        describe(walker, f"{path}.__wrapped__", value.__wrapped__, depth + 1)
    elif isinstance(value, types.ModuleType):
        walker.line(path, f"module {value.__name__}")
        walker.reach_module(value)
    elif isinstance(value, types.CodeType):
        from .code import code_digest

        walker.line(path, f"code {code_digest(value)}")
    elif ops.op_name(value):
        walker.line(path, f"op {ops.op_name(value)}")
        walker.reach_op(value, path)
    elif isinstance(value, torch.jit.ScriptFunction):
        walker.line(path, _shortened(f"script {value.inlined_graph}"))
    else:
        return False
    return True


def _carries(function: types.FunctionType) -> bool:
    """Whether there is more to a function than its code and its module."""
    extras = (function.__closure__, function.__defaults__, function.__kwdefaults__)
    return any(extras) or bool(function.__dict__)


def _describe_builtin(walker: Walker, path: str, value: Any, depth: int) -> None:
    owner = value.__self__
    if owner is None or isinstance(owner, (types.ModuleType, type)):
        where = value.__module__ or getattr(owner, "__name__", "")
        walker.line(path, f"builtin {where}.{value.__qualname__}")
        if isinstance(owner, types.ModuleType):
            walker.count(owner)
        if value.__name__ != "__new__":  # what it makes is the object's class
            walker.judge(path, value)
    else:
        walker.line(path, f"builtin method {value.__name__}")
        describe(walker, f"{path}.__self__", owner, depth + 1)


# --- data ----------------------------------------------------------------------------------------


def _describe_data(walker: Walker, path: str, value: Value, depth: int) -> bool:
    """Tensors, arrays, containers, and the few types of libraries that have a text of their own."""
    if isinstance(value, torch.Tensor):
        _describe_tensor(walker, path, value)
    elif isinstance(value, np.ndarray) and type(value) is np.ndarray and not value.dtype.hasobject:
        digest = sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        walker.line(path, f"array {value.dtype.str}{list(value.shape)} sha256 {digest}")
    elif isinstance(value, np.ufunc):
        walker.line(path, f"ufunc {value.__name__}")
        walker.judge(path, value)
    elif isinstance(value, re.Pattern):
        walker.line(path, f"pattern {value.pattern!r} {value.flags}")
    elif isinstance(value, (logging.Logger, logging.LoggerAdapter, logging.Handler)):
        _describe_logger(walker, path, value)
    elif isinstance(value, type(os.environ)):
        walker.miss(path, "it is the environment, and which variables are read is not known")
    elif isinstance(value, contextvars.ContextVar):
        walker.line(path, f"context variable {value.name}")
        describe(walker, f"{path}.get()", value.get(None), depth + 1)
    elif isinstance(value, _GENERATOR_CONTEXT):
        walker.line(path, "context manager")  # its generator starts anew at every use
        for name in ("func", "args", "kwds"):
            describe(walker, f"{path}.{name}", getattr(value, name), depth + 1)
    elif isinstance(value, _LOCKS):
        walker.line(path, "lock")
    elif isinstance(value, weakref.ReferenceType) and type(value) is weakref.ReferenceType:
        walker.line(path, "weak reference")
        describe(walker, f"{path}()", value(), depth + 1)
    elif isinstance(value, _PICKERS):
        walker.line(path, "picker")
        for position, part in enumerate(value.__reduce__()[:2]):
            describe(walker, f"{path}.{position}", part, depth + 1)
    elif isinstance(value, torch.export.Dim) and type(value) is torch.export.Dim:
        walker.line(path, f"Dim {value.__name__} {value.min} {value.max}")
    elif any(base.__module__ == "sympy.core.basic" for base in type(value).__mro__):
        walker.line(path, f"sympy {value!r}")
    elif type(value).__module__ == "torch.distributed.tensor.placement_types":
        walker.line(path, f"placement {value!r}")
    elif type(value).__module__ == "typing":
        walker.line(path, f"typing {value!r}")
    elif isinstance(value, torch.fx.Graph):
        walker.line(path, f"graph {value}")
        for node in value.nodes:
            if node.op == "call_function":
                describe(walker, f"{path}.{node.name}", node.target, depth + 1)
    elif isinstance(value, types.MappingProxyType):
        walker.line(path, "mappingproxy")
        _describe_items(walker, path, dict(value), depth)
    elif type(value) in _CONTAINERS:
        walker.line(path, f"{type(value).__name__} of {len(value)}")
        _describe_items(walker, path, value, depth)
    elif type(value) is collections.defaultdict:
        walker.line(path, f"defaultdict of {len(value)}")
        describe(walker, f"{path}.default_factory", value.default_factory, depth + 1)
        _describe_items(walker, path, dict(value), depth)
    else:
        return False
    return True


def _describe_logger(walker: Walker, path: str, value: Any) -> None:
    """It shows, and changes nothing; the user's code may ask it how much it shows, though."""
    walker.line(path, f"{type(value).__name__} {value.name}")
    if not walker.in_package and isinstance(value, logging.Logger):
        flags = (value.level, value.getEffectiveLevel(), value.disabled, value.propagate)
        walker.line(f"{path}, level", f"{flags} {len(value.handlers)} {value.manager.disable}")


def _describe_tensor(walker: Walker, path: str, tensor: torch.Tensor) -> None:
    """With its values: it is none of the model's parameters, so a compile freezes them."""
    kind = type(tensor)
    walker.if_used("loose", f"of {path}: {tensor.requires_grad}", "requires_grad")
    if kind not in (torch.Tensor, torch.nn.Parameter) or tensor_kinds.is_fake(tensor):
        walker.miss(path, f"it is a tensor of class {class_name(kind)}")
    elif tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        walker.miss(path, f"it is a tensor without plain memory, {tensor_text(tensor)}")
    else:
        walker.line(path, f"tensor {tensor_text(tensor)} sha256 {_tensor_digest(tensor)}")


def _tensor_digest(tensor: torch.Tensor) -> str:
    plain = tensor.detach().resolve_conj().resolve_neg().cpu().contiguous()
    return sha256(plain.reshape(-1).view(torch.uint8).numpy().data).hexdigest()


def _describe_items(walker: Walker, path: str, value: Any, depth: int) -> None:
    """The items of a container, each below ``path``."""
    if isinstance(value, (set, frozenset)):
        walker.miss(path, "it is a set of objects that have no order")
        return
    if not isinstance(value, Mapping):
        for position, item in enumerate(value):
            describe(walker, f"{path}[{position}]", item, depth + 1)
        return
    items = list(value.items())
    if walker.in_package and all(type(k) is str and isinstance(v, str | None) for k, v in items):
        # Packages fill tables of names from sets, in another order in each process.
        names = _shortened(", ".join(k for k, _ in items))
        items.sort(key=operator.itemgetter(0))
        walker.if_used("ordered", names)
    for position, (key, item) in enumerate(items):
        text = inline_text(key, walker)
        if text is None:
            text = f"key {position}"
            describe(walker, f"{path}.{text}", key, depth + 1)
        describe(walker, f"{path}[{_shortened(text)}]", item, depth + 1)


# --- objects -------------------------------------------------------------------------------------


def _describe_object(walker: Walker, path: str, value: Value, depth: int) -> None:
    """An instance of a Python class: its class, attributes, and content if it is a container."""
    if isinstance(value, torch.nn.Module):
        walker.reach_tree(value, path, depth)
        return
    cls = type(value)
    hidden = hidden_state(cls)
    if hidden and _is_compiled_function(value):
        walker.line(path, f"compiled {value.__module__}.{value.__name__}")
        if identity(value) is None:
            walker.miss(path, f"it is a {class_name(cls)}, and what its code does is not known")
        walker.judge(path, value)
        return
    if hidden:
        walker.miss(path, f"it is a {class_name(cls)}, and what {hidden} keeps cannot be seen")
        return
    walker.reach_class(cls)
    walker.deny(path, cls)
    walker.line(path, class_name(cls))
    if all(vars(base).keys().isdisjoint(_TEXTS) for base in cls.__mro__[:-1]):
        walker.if_used("texted", "its text, which some code asks for, holds an address")
    content = _content(value)
    if content is not None:
        describe(walker, f"{path}.content", content, depth + 1)
    owner = home_of_class(cls).owner
    for name, item in object_state(value):
        if name not in VOLATILE or owner == USER:
            # A library's own methods are not read, so nobody knows which attributes they use.
            is_read = owner != LIBRARY and not is_judged(cls.__module__)
            with walker.attribute(name) if is_read else walker.binding(name):
                describe(walker, f"{path}.{name}", item, depth + 1)


def _content(value: Value) -> Any:
    """What an instance of a subclass of a builtin holds, past whatever the subclass overrides."""
    if isinstance(value, collections.OrderedDict):
        return dict(collections.OrderedDict.items(value))
    if isinstance(value, dict):
        return dict(dict.items(value))
    for base in (list, tuple, set, frozenset, collections.deque):
        if isinstance(value, base):
            plain: Any = base
            return plain(plain.__iter__(value))
    if isinstance(value, BaseException):
        return value.args
    for number, convert in _NUMBERS.items():
        if isinstance(value, number):
            return convert(value)
    return None


def _is_compiled_function(value: Any) -> bool:
    """Whether it is a function of an extension module, which the module's version covers."""
    named = all(isinstance(getattr(value, n, None), str) for n in ("__name__", "__module__"))
    return named and callable(value) and home_of_class(type(value)).owner != USER


def object_state(value: Value) -> list[tuple[str, Any]]:
    """Attributes in ``__dict__`` and in slots, by name."""
    state = dict(getattr(value, "__dict__", None) or {})
    for cls in type(value).__mro__:
        for name, slot in vars(cls).items():
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    state.setdefault(name, slot.__get__(value))
                except AttributeError:  # never assigned
                    continue
    return sorted(((name, item) for name, item in state.items() if isinstance(name, str)))


_PLAIN_BASES = (object, BaseException, Exception, *_CONTAINERS, *_NUMBERS, collections.OrderedDict)
_HEAP_TYPE = 1 << 9


def hidden_state(cls: type) -> str:
    """The class in the MRO whose instances keep more than Python can see, "" when there is none.

    The same test as pickle's (`object_getstate_default` in CPython's Objects/typeobject.c): an
    instance that is larger than its dict, weak references and slots account for has C state.
    """
    word = object.__basicsize__ // 2
    for base in cls.__mro__:
        if base in _PLAIN_BASES or base is types.SimpleNamespace:
            continue
        if not base.__flags__ & _HEAP_TYPE:
            if base.__basicsize__ > object.__basicsize__:
                return class_name(base)
            continue
        plain = max(parent.__basicsize__ for parent in base.__mro__ if parent in _PLAIN_BASES)
        slots = sum(
            isinstance(item, types.MemberDescriptorType)
            for parent in base.__mro__
            for item in vars(parent).values()
        )
        expected = plain + word * (slots + 2)
        if base.__basicsize__ > expected:
            return class_name(base)
    return ""
