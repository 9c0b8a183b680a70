"""Ways in which a forward may read what is outside of it, and what changes there.

Each reader takes a tensor. Its ``change`` makes it give something else while its code, its
attributes' names and its file stay as they are; a reader without one differs from process to
process, or from call to call.
"""

from __future__ import annotations

import collections
import contextvars
import copy
import ctypes
import datetime
import decimal
import functools
import gc
import glob
import hashlib
import importlib
import inspect
import io
import itertools
import json
import linecache
import locale
import logging
import math
import mmap
import multiprocessing
import operator
import os
import os.path as paths
import pathlib
import pickle
import platform
import random
import secrets
import shelve
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import uuid
import warnings
import weakref
import zipfile
from array import array
from dataclasses import dataclass
from os import environ as surroundings
from os import getenv as ask_for
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = Path(tempfile.mkdtemp())
FILE = HERE / "numbers.txt"
PREFIX = "READERS_"
log = logging.getLogger("readers")
context_variable = contextvars.ContextVar("readers", default=1.0)


@dataclass(frozen=True)
class Reader:
    make: Callable[[], Any]
    change: Callable[[], Any] | None


READERS: dict[str, Reader] = {}


def reads(change: Callable[[], Any] | None = None, *, name: str = "") -> Any:
    """Register a function of a tensor, or a class of modules."""

    def register(made: Any) -> Any:
        make = made if isinstance(made, type) else lambda: made
        assert made.__name__ not in READERS, made.__name__
        READERS[made.__name__] = Reader(make, change)
        return made

    return register


class Changing(nn.Module):
    """Its ``change`` is a method: `Changed` is what is changed."""


def variable(name: str) -> Callable[[], Any]:
    return lambda: operator.setitem(os.environ, name, "3")


def written() -> None:
    FILE.write_text("7\n")


def reset() -> None:
    """The outside as it was at first."""
    FILE.write_text("2\n")
    FILE.with_suffix(".more").unlink(missing_ok=True)
    os.environ.pop("TZ", None)
    time.tzset()
    np.array([2.0]).tofile(HERE / "raw")
    (HERE / "pickled").write_bytes(pickle.dumps(2.0))
    for name in ("readers_lower", "READERS_BUILT", "Readers.dotted", "READERS_WALKED"):
        os.environ[name] = "2"


reset()

# --- the environment -----------------------------------------------------------------------------


@reads(variable("readers_lower"))
def environment_lower(x):
    return x * float(os.environ["readers_lower"])


@reads(variable("READERS_BUILT"))
def environment_built(x):
    return x * float(os.getenv(PREFIX + "BUILT"))


@reads(variable("READERS_BUILT"))
def environment_formatted(x):
    return x * float(os.environ.get(f"{PREFIX}BUILT", "1"))


@reads(variable("Readers.dotted"))
class EnvironmentAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.name = "Readers.dotted"

    def forward(self, x):
        return x * float(os.environ[self.name])


@reads(variable("READERS_WALKED"))
def environment_walked(x):
    return x * sum(float(v) for k, v in os.environ.items() if k.startswith("READERS_WAL"))


@reads(variable("READERS_WALKED"))
def environment_copied(x):
    return x * float(os.environ.copy()["READERS_WALKED"])


@reads(variable("READERS_WALKED"))
def environment_bytes(x):
    return x * float(os.environb[b"READERS_WALKED"])


@reads(variable("READERS_WALKED"))
def environment_renamed(x):
    return x * float(surroundings["READERS_WALKED"]) + float(ask_for("READERS_WALKED"))


@reads(variable("READERS_WALKED"))
def environment_imported(x):
    import os as system

    return x * float(system.environ["READERS_" + "walked".upper()])


@reads(variable("READERS_WALKED"))
def environment_expanded(x):
    return x * float(os.path.expandvars("$READERS_WALKED"))


@reads(variable("HOME"))
def environment_home(x):
    return x * len(paths.expanduser("~"))


@reads(lambda: operator.setitem(os.environ, "HOME", "/elsewhere"))
def path_home(x):
    return x * len(str(Path.home()))


@reads(variable("READERS_WALKED"))
class EnvironmentHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.ask = os.environ.get

    def forward(self, x):
        return x * float(self.ask("READERS_" + "WALKED"))


@reads(variable("READERS_WALKED"))
def environment_by_getattr(x):
    return x * float(getattr(os, "env" + "iron")["READERS_WALKED"])


# --- files ---------------------------------------------------------------------------------------


@reads(written)
def numpy_fromregex(x):
    return x * float(np.fromregex(FILE, r"(\d)", [("n", np.int64)])["n"][0])


@reads(written)
def numpy_loadtxt(x):
    return x * float(np.loadtxt(FILE))


@reads(lambda: np.array([7.0]).tofile(HERE / "raw"))
def numpy_fromfile(x):
    return x * float(np.fromfile(HERE / "raw")[0])


@reads(lambda: np.array([7.0]).tofile(HERE / "raw"))
def numpy_memmap(x):
    return x * float(np.memmap(HERE / "raw")[6])


@reads(written)
def opened(x):
    with open(FILE) as file:
        return x * float(file.read())


@reads(written)
def opened_by_io(x):
    return x * float(io.open(FILE).read())


@reads(written)
def opened_by_os(x):
    number = os.open(FILE, os.O_RDONLY)
    text = os.read(number, 9)
    os.close(number)
    return x * float(text)


@reads(written)
def path_read_text(x):
    return x * float(FILE.read_text())


@reads(written)
class PathHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.file = Path(FILE)

    def forward(self, x):
        return x * float(self.file.read_text())


@reads(written)
def path_made_by_its_module(x):
    return x * float(pathlib.Path(str(FILE)).read_text())


@reads(written)
def path_made_and_kept(x):
    path = pathlib.PurePath(str(FILE))
    same = pathlib.Path(path)
    return x * float(same.read_text())


@reads(written)
def path_opened(x):
    with pathlib.Path(str(FILE)).open() as file:
        return x * float(file.read())


def _made_elsewhere():
    return pathlib.Path(str(FILE))


@reads(written)
def path_made_by_a_helper(x):
    return x * float(_made_elsewhere().with_suffix(FILE.suffix).read_bytes())


@reads(lambda: FILE.with_suffix(".more").touch())
def path_globbed(x):
    return x * len(list(pathlib.Path(str(FILE)).parent.glob("*")))


@reads(FILE.unlink)
def path_that_is_there(x):
    return x * (2 if pathlib.Path(str(FILE)).exists() else 3)


def _local_zone():
    os.environ["TZ"] = "AAA-13"
    time.tzset()


@reads(_local_zone)
def moment_in_local_time(x):
    return x * datetime.datetime(2020, 1, 2).timestamp()


@reads(_local_zone)
def moment_in_local_words(x):
    return x * datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc).astimezone().hour


@reads(lambda: FILE.write_text("22\n"))
def file_size(x):
    return x * FILE.stat().st_size


@reads(lambda: (HERE / "new").write_text(""))
def files_globbed(x):
    return x * len(glob.glob(str(HERE / "*")))


@reads(lambda: (HERE / "newer").write_text(""))
def files_listed(x):
    return x * len(os.listdir(HERE))


@reads(lambda: (HERE / "newest").write_text(""))
def files_iterated(x):
    return x * len(list(HERE.iterdir()))


@reads(written)
def json_loaded(x):
    return x * json.load(FILE.open())


@reads(lambda: (HERE / "pickled").write_bytes(pickle.dumps(7.0)))
def unpickled(x):
    return x * pickle.load((HERE / "pickled").open("rb"))


@reads(written)
def line_cached(x):
    linecache.checkcache(str(FILE))
    return x * float(linecache.getline(str(FILE), 1))


@reads(written)
def mapped(x):
    with FILE.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        return x * float(memory[:1])


@reads(written)
def torch_from_file(x):
    return x * float(torch.from_file(str(FILE), size=1, dtype=torch.uint8)[0])


@reads()
def torch_loaded(x):
    return x * torch.load(HERE / "weights.pt")


@reads()
def zipped(x):
    return x * float(zipfile.ZipFile(HERE / "a.zip").read("a"))


@reads()
def database(x):
    return x * sqlite3.connect(HERE / "a.db").execute("select 1").fetchone()[0]


@reads()
def shelved(x):
    return x * shelve.open(str(HERE / "shelf"))["a"]


@reads()
def resource(x):
    from importlib import resources

    return x * len(resources.files("torch").joinpath("version.py").read_text())


@reads()
def own_source(x):
    return x * len(inspect.getsource(own_source))


# --- the process and the machine -----------------------------------------------------------------


@reads(lambda: os.chdir(HERE))
def working_directory(x):
    return x * sum(map(ord, os.getcwd()))


@reads(lambda: sys.argv.append("more"))
def arguments(x):
    return x * len(sys.argv)


@reads(lambda: sys.path.append("/nowhere"))
def search_path(x):
    return x * len(sys.path)


@reads(lambda: sys.modules.setdefault("readers_extra", types.ModuleType("readers_extra")))
def modules_loaded(x):
    return x * len(sys.modules)


@reads(lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 7))
def recursion_limit(x):
    return x * sys.getrecursionlimit()


@reads()
def process_number(x):
    return x * os.getpid()


@reads()
def processors(x):
    return x * len(os.sched_getaffinity(0))


@reads()
def interpreter_flags(x):
    return x * sys.flags.optimize


@reads()
def references(x):
    return x * sys.getrefcount(x)


@reads()
def garbage(x):
    return x * len(gc.get_objects())


@reads()
def frame(x):
    return x * sys._getframe(1).f_lineno


@reads()
def stack(x):
    return x * len(inspect.stack())


@reads()
def stack_of_traceback(x):
    return x * len(traceback.extract_stack())


@reads(lambda: setattr(threading.current_thread(), "name", "longer name of a thread"))
def thread_name(x):
    return x * len(threading.current_thread().name)


@reads()
def thread_number(x):
    return x * threading.get_ident()


@reads()
def threads_alive(x):
    return x * threading.active_count()


@reads()
def host(x):
    return x * len(socket.gethostname())


@reads()
def host_of_platform(x):
    return x * len(platform.node())


@reads()
def child_process(x):
    return x * float(subprocess.check_output(["echo", "2"]))


@reads()
def clock(x):
    return x * time.perf_counter()


@reads()
def today(x):
    return x * datetime.datetime.now().microsecond


@reads()
class TodayHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.born = datetime.datetime(2020, 1, 1)

    def forward(self, x):
        return x * self.born.now().microsecond


@reads()
def dice(x):
    return x * random.random()


@reads()
def dice_of_numpy(x):
    return x * np.random.rand()


@reads()
def dice_made(x):
    return x * np.random.default_rng().random()


@reads()
def secret(x):
    return x * secrets.randbelow(9)


@reads()
def unique(x):
    return x * (uuid.uuid4().int % 7)


@reads(lambda: torch.manual_seed(7))
def seed_of_torch(x):
    return x * torch.initial_seed()


@reads()
def state_of_torch(x):
    return x * torch.get_rng_state().sum()


@reads()
class GeneratorHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, x):
        return x * self.generator.initial_seed()


@reads(lambda: torch.set_num_threads(max(1, torch.get_num_threads() - 1) + 2))
def threads_of_torch(x):
    return x * torch.get_num_threads()


@reads(lambda: torch.set_default_dtype(torch.float64))
def default_dtype(x):
    return x * (2.0 if torch.get_default_dtype() is torch.float32 else 3.0)


@reads(lambda: torch.set_grad_enabled(not torch.is_grad_enabled()))
def gradients_wanted(x):
    return x * (2.0 if torch.is_grad_enabled() else 3.0)


@reads(lambda: setattr(torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark))
def backend_flag(x):
    return x * (2.0 if torch.backends.cudnn.benchmark else 3.0)


@reads(lambda: np.seterr(over="raise"))
def numpy_errors(x):
    return x * (2.0 if np.geterr()["over"] == "warn" else 3.0)


@reads(lambda: np.set_printoptions(precision=2))
def numpy_print(x):
    return x * len(str(np.float64(1) / np.arange(1, 4)))


@reads(lambda: setattr(decimal.getcontext(), "prec", 3))
def decimal_context(x):
    return x * float(decimal.Decimal(1) / decimal.Decimal(3))


@reads(lambda: decimal.getcontext().__setattr__("prec", 4))
class DecimalHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = decimal.Decimal(1)

    def forward(self, x):
        return x * float(self.one / 3)


@reads()
def locale_of_numbers(x):
    return x * len(locale.localeconv())


@reads(lambda: log.setLevel(logging.DEBUG))
def level_of_logger(x):
    return x * log.level


@reads(lambda: log.setLevel(logging.CRITICAL))
def enabled_logger(x):
    return x * (2.0 if log.isEnabledFor(logging.INFO) else 3.0)


@reads(lambda: logging.getLogger("readers").setLevel(logging.ERROR))
def logger_by_name(x):
    return x * logging.getLogger("readers").getEffectiveLevel()


@reads(lambda: warnings.simplefilter("always"))
def filters_of_warnings(x):
    return x * len(warnings.filters)


@reads(lambda: context_variable.set(5.0))
def context(x):
    return x * context_variable.get()


# --- identity, hashes, order ---------------------------------------------------------------------


@reads()
def address(x):
    return x * (id(log) % 7)


@reads()
def hash_of_text(x):
    return x * (hash("a") % 7)


def shown(x):
    return x


@reads()
def text_of_a_function(x):
    return x * (int(f"{shown}"[-5:-1], 16) % 7)


@reads()
def text_with_address(x):
    return x * len(repr(log))


@reads()
class TextOfObject(nn.Module):
    def __init__(self):
        super().__init__()
        self.thing = Plain()

    def forward(self, x):
        return x * (int(f"{self.thing}"[-5:-1], 16) % 7)


class Plain:
    pass


PLAIN = Plain()


@reads()
class TextOfObjectWithTwoNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.thing = PLAIN

    def forward(self, x):
        return x * (int(f"{PLAIN}"[-5:-1], 16) % 7) * (self.thing is not None)


@reads()
class TextOfObjectByStr(nn.Module):
    def __init__(self):
        super().__init__()
        self.thing = Plain()

    def forward(self, x):
        return x * (int(str(self.thing)[-5:-1], 16) % 7)


@reads()
def set_made(x):
    return x * len(list({"a", "b", "c"})[0]) + ord(next(iter({"a", "b", "c"})))


@reads()
def set_of_list(x):
    return x * ord(list(set(["a", "b", "c"]))[0])


@reads()
def set_comprehended(x):
    return x * ord([c for c in {c.upper() for c in "abc"}][0])


@reads()
def keys_in_common(x):
    return x * ord([k for k in {"a": 1, "b": 2, "c": 3}.keys() & {"a": 1, "b": 1}.keys()][0])


@reads()
def memory_address(x):
    return x * (x.data_ptr() % 7)


@reads()
def version_of_tensor(x):
    return x * x._version


# --- what C keeps --------------------------------------------------------------------------------

twice = np.frompyfunc(lambda a: a * 2, 1, 1)


@reads()
def made_ufunc(x):
    return x * float(twice(2.0))


COMPARE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda a: a * 2)


@reads()
def callback(x):
    return x * COMPARE(2.0)


@reads()
def library_function(x):
    return x * ctypes.CDLL(None).getpid()


NUMBER = ctypes.c_double(2.0)


@reads(lambda: setattr(NUMBER, "value", 7.0))
def c_number(x):
    return x * NUMBER.value


SHARED = multiprocessing.Value("d", 2.0)


@reads(lambda: setattr(SHARED, "value", 7.0))
def shared_value(x):
    return x * SHARED.value


BYTES = bytearray(b"2")


@reads(lambda: BYTES.__setitem__(0, 55))
def viewed(x):
    return x * memoryview(BYTES)[0]


VIEW = memoryview(BYTES)


@reads(lambda: BYTES.__setitem__(0, 56))
def view_held(x):
    return x * VIEW[0]


NUMBERS = array("d", [2.0])


@reads(lambda: NUMBERS.__setitem__(0, 7.0))
def array_held(x):
    return x * NUMBERS[0]


COUNTER = itertools.count()


@reads()
def counter(x):
    return x * next(COUNTER)


SCALE = [2.0]


def mean(a):
    return a * SCALE[0]


# As numba's and Cython's: a compiled object, under the name of a Python function.
dispatched = type(np.mean)(lambda a: (a,), mean)


@reads(lambda: SCALE.__setitem__(0, 7.0))
def dispatcher(x):
    return x * dispatched(1.0)


# --- objects that change -------------------------------------------------------------------------


class Box:
    value = 2.0

    def __init__(self):
        self.inner = 2.0


BOX = Box()
REFERENCE = weakref.ref(BOX)
WEAK = weakref.WeakValueDictionary({"box": BOX})


@reads(lambda: setattr(BOX, "inner", 3.0))
def attribute_of_global(x):
    return x * BOX.inner


@reads(lambda: setattr(Box, "value", 3.0))
def attribute_of_class(x):
    return x * BOX.value


@reads(lambda: setattr(BOX, "inner", 4.0))
def weak_reference(x):
    return x * REFERENCE().inner


@reads(lambda: setattr(BOX, "inner", 5.0))
def weak_dictionary(x):
    return x * WEAK["box"].inner


@reads(lambda: STATE.update(a=7.0))
def state(x):
    return x * STATE["a"]


STATE = {"a": 2.0, "b": 3.0}


@reads(lambda: STATE.update(b=STATE.pop("b"), a=STATE.pop("a")))
def order_of_dict(x):
    for value in STATE.values():
        x = x * 2 + value
    return x


ATTRIBUTES = types.SimpleNamespace(a=2.0, b=3.0)


@reads(lambda: ATTRIBUTES.__dict__.update(a=ATTRIBUTES.__dict__.pop("a")))
def order_of_attributes(x):
    for value in vars(ATTRIBUTES).values():
        x = x * 2 + value
    return x


@functools.lru_cache
def remembered(n):
    return n * STATE["a"]


def forgotten() -> None:
    STATE["a"] += 1
    remembered.cache_clear()


remembered(2)


@reads()
def filled_cache(x):
    return x * remembered(2)


def counts(x, calls=[2.0]):
    return x * calls[0]


@reads(lambda: counts.__defaults__[0].__setitem__(0, 7.0))
def mutable_default(x):
    return counts(x)


def _cell():
    amount = 2.0

    def set_amount(value):
        nonlocal amount
        amount = value

    def scale(x):
        return x * amount

    return scale, set_amount


scale, set_amount = _cell()


@reads(lambda: set_amount(7.0))
def mutable_cell(x):
    return scale(x)


class Dynamic:
    def __getattr__(self, name):
        if name == "amount":
            return STATE["a"]
        raise AttributeError(name)


DYNAMIC = Dynamic()


@reads(lambda: STATE.update(a=STATE["a"] + 1))
def dynamic_attribute(x):
    return x * DYNAMIC.amount


class Descriptor:
    def __get__(self, owner, kind=None):
        return STATE["a"]


class Described:
    amount = Descriptor()


DESCRIBED = Described()


@reads(lambda: STATE.update(a=STATE["a"] + 1))
def descriptor(x):
    return x * DESCRIBED.amount


class Metaclass(type):
    def __call__(cls, *args):
        made = super().__call__(*args)
        made.amount = STATE["a"]
        return made


class Metamade(metaclass=Metaclass):
    pass


@reads(lambda: STATE.update(a=STATE["a"] + 1))
def metaclass(x):
    return x * Metamade().amount


MODULE = types.ModuleType("readers_module")
exec(
    """
amount = 2.0
def scaled(x):
    return x * amount
def __getattr__(name):
    if name == "anything":
        return amount
    raise AttributeError(name)
""",
    vars(MODULE),
)
sys.modules["readers_module"] = MODULE


@reads(lambda: setattr(MODULE, "amount", 3.0))
class ModuleHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.module = MODULE

    def forward(self, x):
        return self.module.scaled(x)


@reads(lambda: setattr(MODULE, "amount", 4.0))
def module_made_attribute(x):
    return x * MODULE.anything


@reads(lambda: setattr(MODULE, "amount", 5.0))
def imported_within(x):
    import readers_module

    return readers_module.scaled(x)


@reads(lambda: setattr(MODULE, "amount", 6.0))
def imported_by_name(x):
    return importlib.import_module("readers_" + "module").scaled(x)


@reads(lambda: setattr(Box, "value", 8.0))
def looked_up(x):
    return x * getattr(BOX, "val" + "ue")


@reads()
def evaluated(x):
    return x * eval("STATE")["a"]


@reads()
def from_all_globals(x):
    return x * globals()["STA" + "TE"]["a"]


@reads()
def clock_by_name(x):
    return x * getattr(time, "time")()


@reads()
def clock_by_made_up_name(x):
    return x * getattr(time, "ti" + "me")()


@reads()
def seed_by_made_up_name(x):
    return x * getattr(torch, "initial_" + "seed")()


@reads()
class ClockHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.clock = time.time

    def forward(self, x):
        return x * self.clock()


@reads()
class LibraryHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.library = time

    def forward(self, x):
        return x * self.library.time()


@reads()
class PartialHeld(nn.Module):
    def __init__(self):
        super().__init__()
        self.asks = {"clock": functools.partial(time.time)}

    def forward(self, x):
        return x * self.asks["clock"]()


@reads(lambda: setattr(F, "hardswish", F.relu))
def replaced_by_the_library(x):
    return F.hardswish(x)


@reads(lambda: setattr(math, "sinh", math.cosh))
def replaced_in_python(x):
    return x * math.sinh(1.0)


@reads(lambda: setattr(np, "log1p", lambda v: v))
def replaced_in_numpy(x):
    return x * float(np.log1p(2.0))


_builtin_max = max


@reads(lambda: setattr(torch.Tensor, "sinh", torch.Tensor.cosh))
def replaced_method(x):
    return x.sinh()


@reads(lambda: setattr(nn.Softsign, "forward", nn.Tanh.forward))
class ReplacedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.Softsign()

    def forward(self, x):
        return self.act(x)


@reads(lambda: setattr(F, "logsigmoid", torch.tanh))
class ReplacedInLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.LogSigmoid()

    def forward(self, x):
        return self.act(x)


class Counted:
    """Called, it is another one every time."""

    def __init__(self):
        self.calls = 2.0

    def __call__(self, module, args, out):
        return out * self.calls


HOOK = Counted()


@reads(lambda: setattr(HOOK, "calls", 7.0))
class Hooked(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_forward_hook(HOOK)

    def forward(self, x):
        return x * 1.0


class Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * STATE["a"]


@reads(lambda: STATE.update(a=STATE["a"] + 1))
def function_of_autograd(x):
    return Function.apply(x)


@reads(lambda: weighted.weight.requires_grad_(False))
def gradient_of_a_parameter(x):
    return x * (2.0 if weighted.weight.requires_grad else 3.0)


weighted = nn.Linear(2, 2)


@reads()
def gradient_kept(x):
    return x * (2.0 if weighted.weight.grad is None else 3.0)


@reads(lambda: setattr(collections, "readers_data", 7.0))
def data_of_a_library(x):
    return x * getattr(collections, "readers_data", 2.0)


# --- by other ways -------------------------------------------------------------------------------


@reads()
def terminal(x):
    return x * (2.0 if sys.stdout.isatty() else 3.0)


@reads()
def through_a_builtin(x):
    return x * len(print.__self__.__dict__)


@reads()
def warnings_counted(x):
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("once")
    return x * len(caught)


@reads()
class VectorizedClock(nn.Module):
    def __init__(self):
        super().__init__()
        self.clock = np.vectorize(time.monotonic)

    def forward(self, x):
        return x * float(self.clock())


@reads()
class TextOfFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.function = counts

    def forward(self, x):
        return x * (int(str(self.function)[-7:-1], 16) % 7)


@reads()
class TextByFormat(nn.Module):
    def __init__(self):
        super().__init__()
        self.thing = Plain()

    def forward(self, x):
        return x * (int("{}".format(self.thing)[-5:-1], 16) % 7)


@reads()
class TextByPercent(nn.Module):
    def __init__(self):
        super().__init__()
        self.thing = Plain()

    def forward(self, x):
        return x * (int(("%s%s" % (1, self.thing))[-5:-1], 16) % 7)


def _replace_max() -> None:
    import builtins

    original = max
    builtins.max = lambda *args: original(*args) + 1  # type: ignore[assignment]


def restore_max() -> None:
    """`max` as it was."""
    import builtins

    builtins.max = _builtin_max


@reads(_replace_max)
def replaced_builtin(x):
    return x * max(1.0, 2.0)


KEYS = STATE.keys()
ITERATOR = iter([1.0, 2.0, 3.0])


@reads()
def view_of_keys(x):
    return x * KEYS.mapping["a"]


@reads()
def iterator_held(x):
    return x * next(ITERATOR)


LOCAL = threading.local()
LOCAL.amount = 2.0


@reads(lambda: setattr(LOCAL, "amount", 7.0))
def thread_local(x):
    return x * LOCAL.amount


RANDOM = random.Random(0)


@reads()
def random_held(x):
    return x * RANDOM.random()


COUNTS = collections.Counter(a=2)


@reads(lambda: COUNTS.update(a=5))
def counter_of_things(x):
    return x * COUNTS["a"]


CHAIN = collections.ChainMap({"a": 2.0}, {"a": 3.0})


@reads(lambda: CHAIN.maps.reverse())
def chained_maps(x):
    return x * CHAIN["a"]


@reads()
def size_of_object(x):
    return x * sys.getsizeof(STATE)


@reads()
def load_of_machine(x):
    return x * os.getloadavg()[0]


@reads()
def mask_of_files(x):
    return x * os.umask(0o022)


@reads()
def default_generator(x):
    return x * torch.default_generator.initial_seed()


@reads()
def hash_of_object(x):
    return x * (BOX.__hash__() % 7)


def swapped(x):
    return x * 1.0


@reads(lambda: setattr(sys.modules[__name__], "swapped", torch.neg))
def function_swapped(x):
    return swapped(x)


@reads(lambda: setattr(type(DESCRIBED), "amount", 99.0))
def descriptor_replaced(x):
    return x * DESCRIBED.amount


SOMETHING = Box()


@reads(lambda: setattr(SOMETHING, "__class__", Plain))
def class_of_an_object(x):
    return x * (2.0 if isinstance(SOMETHING, Box) else 3.0)


def coded(x):
    return x * 2.0


@reads(lambda: setattr(coded, "__code__", (lambda x: x * 31.0).__code__))
def code_replaced(x):
    return coded(x)


ARRAY = np.array([2.0])


@reads(lambda: ARRAY.__setitem__(0, 7.0))
def view_of_array(x):
    return x * float(ARRAY[:1].sum())


CONSTANT = torch.tensor([2.0])


@reads(lambda: CONSTANT.add_(5))
def tensor_in_place(x):
    return x * CONSTANT


@reads(lambda: setattr(sys.modules[__name__], "CONSTANT", torch.tensor([9.0])))
def tensor_replaced(x):
    return x * CONSTANT
