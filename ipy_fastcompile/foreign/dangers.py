"""The name of a global -> how dangerous importing or calling it is, and what it is for.

A table of what is known, not a verdict: an innocent name may be called with hostile arguments, and
importing any module runs its top level.
"""

from __future__ import annotations

from dataclasses import dataclass

RUNS = 0  # runs commands, or any code it is given
BUILDS = 1  # makes code, or imports by name
TOUCHES = 2  # files, network, processes
UNKNOWN = 3  # importing it runs the top level of a module that this table does not know
COMPILER = 4  # the compiler's own: its work, when it is called, is PyTorch's
DATA = 5  # makes plain data

RANKS = ("runs code", "makes code", "touches the system", "unknown", "compiler", "data")


@dataclass(frozen=True)
class Danger:
    """Rank, worst first, and purpose of a global."""

    rank: int
    purpose: str


_EXACT: dict[str, tuple[int, str]] = {
    "builtins.exec": (RUNS, "runs Python source that it is given"),
    "builtins.eval": (RUNS, "evaluates Python source that it is given"),
    "builtins.execfile": (RUNS, "runs a Python file (Python 2)"),
    "builtins.compile": (BUILDS, "compiles Python source"),
    "builtins.__import__": (BUILDS, "imports a module by a name that it is given"),
    "builtins.getattr": (BUILDS, "reaches any attribute by name; loaders use it for class methods"),
    "builtins.setattr": (BUILDS, "replaces any attribute by name"),
    "builtins.delattr": (BUILDS, "deletes any attribute by name"),
    "builtins.globals": (BUILDS, "reaches the globals of a module"),
    "builtins.vars": (BUILDS, "reaches the attributes of anything"),
    "builtins.apply": (BUILDS, "calls what it is given (Python 2)"),
    "builtins.map": (BUILDS, "calls what it is given, later"),
    "builtins.filter": (BUILDS, "calls what it is given, later"),
    "builtins.open": (TOUCHES, "opens a file"),
    "builtins.input": (TOUCHES, "reads the keyboard; in Python 2, evaluates what is typed"),
    "builtins.breakpoint": (RUNS, "starts whatever debugger is configured"),
    "functools.partial": (BUILDS, "binds arguments to what it is given"),
    "functools.reduce": (BUILDS, "calls what it is given"),
    "operator.attrgetter": (BUILDS, "reaches attributes by name"),
    "operator.methodcaller": (BUILDS, "calls a method by name"),
    "operator.itemgetter": (DATA, "picks items by key"),
    "importlib.import_module": (BUILDS, "imports a module by a name that it is given"),
    "torch.load": (RUNS, "unpickles a file"),
    "torch.jit.load": (TOUCHES, "loads a TorchScript file"),
    "torch.hub.load": (RUNS, "downloads and runs a model"),
    "torch.ops.load_library": (RUNS, "loads a shared library"),
    "torch.classes.load_library": (RUNS, "loads a shared library"),
    "torch.fx.graph_module.reduce_graph_module": (
        RUNS,
        "runs generated Python source that the pickle carries, to rebuild a graph module",
    ),
    "torch.fx.graph_module.reduce_package_graph_module": (RUNS, "imports generated source"),
    "torch.fx.graph_module._forward_from_src": (RUNS, "runs Python source that it is given"),
    "torch.fx.graph_module._deserialize_graph_module": (
        RUNS,
        "runs generated Python source that the pickle carries, to rebuild a graph module",
    ),
    "torch._inductor.codecache.CppCodeCache.load": (RUNS, "compiles C++ and loads it"),
    "torch._inductor.codecache.PyCodeCache.load": (RUNS, "runs Python source that it is given"),
    "torch._dynamo.aot_compile.AOTCompilePickler._unpickle_module": (
        BUILDS,
        "imports a module by a name that the pickle carries",
    ),
    "torch._dynamo.aot_compile.AOTCompilePickler._unpickle_python_module": (
        BUILDS,
        "imports a module by a name that the pickle carries",
    ),
    "torch._dynamo.aot_compile.AOTCompilePickler._unpickle_code": (
        BUILDS,
        "makes a code object of bytecode that the pickle carries",
    ),
    "torch._dynamo.aot_compile.AOTCompilePickler._unpickle_nested_function": (
        BUILDS,
        "makes a function of bytecode that the pickle carries",
    ),
    "torch._dynamo.aot_compile.AOTCompilePickler._unpickle_bound_method": (
        BUILDS,
        "binds a function to an object",
    ),
    "torch._dynamo.aot_compile.AOTCompilePickler._unpickle_cell": (DATA, "makes a closure's cell"),
    "torch._dynamo.package.SerializedCode": (
        BUILDS,
        "holds bytecode; the loader makes a code object of it and runs it when it is called",
    ),
    "torch._inductor.output_code.CompiledFxGraph": (
        COMPILER,
        "Inductor's compiled graph; its loader writes its output code to disk and imports it",
    ),
    "torch._functorch._aot_autograd.aot_autograd_result.BundledAOTAutogradResult": (
        COMPILER,
        "AOTAutograd's result with Inductor's graph inside",
    ),
    "torch._functorch._aot_autograd.aot_autograd_result.AOTAutogradResult": (
        COMPILER,
        "AOTAutograd's result; it names an entry of Inductor's cache",
    ),
    "torch._tensor._rebuild_from_type_v2": (BUILDS, "calls what it is given, to rebuild a tensor"),
    "torch.storage._load_from_bytes": (RUNS, "unpickles bytes that it is given (torch.load)"),
    "inspect.Signature": (DATA, "the signature of the compiled function"),
    "inspect.Parameter": (DATA, "an argument of the compiled function"),
    "inspect._ParameterKind": (DATA, "how an argument is passed"),
    "inspect._empty": (DATA, "that an argument has no default"),
    "traceback.FrameSummary": (DATA, "a line of a traceback"),
    "traceback.StackSummary": (DATA, "a traceback, as text"),
    "collections.OrderedDict": (DATA, "a dict"),
    "collections.defaultdict": (DATA, "a dict; it calls its factory for keys it lacks"),
    "collections.Counter": (DATA, "counts"),
    "collections.deque": (DATA, "a queue"),
    "copyreg._reconstructor": (DATA, "makes an object of a class without calling it"),
    "_codecs.encode": (DATA, "bytes, as protocol 2 writes them"),
}
# By the start of the name, the longest start first.
_STARTS: dict[str, tuple[int, str]] = {
    "os.": (RUNS, "runs commands, or touches files and processes"),
    "posix.": (RUNS, "runs commands, or touches files and processes (os)"),
    "nt.": (RUNS, "runs commands, or touches files and processes (os on Windows)"),
    "subprocess.": (RUNS, "starts processes"),
    "_posixsubprocess.": (RUNS, "starts processes"),
    "commands.": (RUNS, "runs commands (Python 2)"),
    "popen2.": (RUNS, "runs commands (Python 2)"),
    "pty.": (RUNS, "starts processes"),
    "runpy.": (RUNS, "runs modules and files"),
    "code.": (RUNS, "runs Python source"),
    "codeop.": (BUILDS, "compiles Python source"),
    "timeit.": (RUNS, "runs Python source"),
    "cProfile.": (RUNS, "runs Python source"),
    "profile.": (RUNS, "runs Python source"),
    "pdb.": (RUNS, "runs Python source"),
    "bdb.": (RUNS, "runs Python source"),
    "trace.": (RUNS, "runs Python source"),
    "doctest.": (RUNS, "runs Python source"),
    "idlelib.": (RUNS, "runs Python source"),
    "lib2to3.": (RUNS, "loads pickled grammars"),
    "pip.": (RUNS, "installs packages"),
    "ensurepip.": (RUNS, "installs packages"),
    "venv.": (RUNS, "starts processes"),
    "distutils.": (RUNS, "starts processes"),
    "setuptools.": (RUNS, "starts processes"),
    "numpy.testing.": (RUNS, "runs Python source (runstring)"),
    "numpy.f2py.": (RUNS, "evaluates Python source"),
    "ctypes.": (RUNS, "calls machine code"),
    "_ctypes.": (RUNS, "calls machine code"),
    "cffi.": (RUNS, "calls machine code"),
    "pickle.": (RUNS, "unpickles"),
    "_pickle.": (RUNS, "unpickles"),
    "cPickle.": (RUNS, "unpickles"),
    "dill.": (RUNS, "unpickles, code included"),
    "cloudpickle.": (RUNS, "unpickles, code included"),
    "joblib.": (RUNS, "unpickles"),
    "shelve.": (RUNS, "unpickles"),
    "marshal.": (BUILDS, "makes code objects"),
    "types.": (BUILDS, "makes functions or code objects"),
    "importlib.": (BUILDS, "imports by name"),
    "imp.": (BUILDS, "imports by name"),
    "pkgutil.": (BUILDS, "imports by name"),
    "zipimport.": (BUILDS, "imports from a ZIP"),
    "sys.": (BUILDS, "reaches or changes the interpreter"),
    "gc.": (BUILDS, "reaches all objects"),
    "inspect.": (BUILDS, "looks into objects"),
    "_frozen_importlib": (BUILDS, "imports by name"),
    "threading.": (RUNS, "calls what it is given, in a thread"),
    "_thread.": (RUNS, "calls what it is given, in a thread"),
    "multiprocessing.": (RUNS, "starts processes"),
    "concurrent.": (RUNS, "calls what it is given, elsewhere"),
    "asyncio.": (RUNS, "starts processes or calls what it is given"),
    "signal.": (RUNS, "calls what it is given, on a signal"),
    "atexit.": (RUNS, "calls what it is given, at the end"),
    "weakref.": (BUILDS, "calls what it is given, later"),
    "socket.": (TOUCHES, "opens connections"),
    "ssl.": (TOUCHES, "opens connections"),
    "http.": (TOUCHES, "opens connections"),
    "urllib.": (TOUCHES, "opens connections"),
    "urllib2.": (TOUCHES, "opens connections"),
    "requests.": (TOUCHES, "opens connections"),
    "aiohttp.": (TOUCHES, "opens connections"),
    "httplib.": (TOUCHES, "opens connections"),
    "ftplib.": (TOUCHES, "opens connections"),
    "smtplib.": (TOUCHES, "sends mail"),
    "telnetlib.": (TOUCHES, "opens connections"),
    "xmlrpc.": (TOUCHES, "opens connections"),
    "webbrowser.": (RUNS, "starts a browser"),
    "shutil.": (TOUCHES, "copies and deletes files"),
    "tempfile.": (TOUCHES, "makes files"),
    "pathlib.": (TOUCHES, "names files; some calls read or write them"),
    "io.": (TOUCHES, "opens files"),
    "_io.": (TOUCHES, "opens files"),
    "glob.": (TOUCHES, "lists files"),
    "mmap.": (TOUCHES, "maps files"),
    "sqlite3.": (TOUCHES, "opens databases, loads extensions"),
    "logging.config.": (RUNS, "imports and calls by name"),
    "logging.": (TOUCHES, "writes logs"),
    "unittest.": (RUNS, "imports and calls by name"),
    "__main__.": (UNKNOWN, "the program that loads it must define it"),
    "builtins.": (DATA, "a builtin of Python"),
    "datetime.": (DATA, "dates and times"),
    "decimal.": (DATA, "numbers"),
    "fractions.": (DATA, "numbers"),
    "collections.": (DATA, "containers"),
    "enum.": (DATA, "enumerations"),
    "uuid.": (DATA, "identifiers"),
    "numpy.": (DATA, "arrays and numbers"),
    "sympy.": (DATA, "symbolic expressions; sympify evaluates text"),
    "sympy.core.sympify.": (RUNS, "evaluates text as Python"),
    "sympy.parsing.": (RUNS, "evaluates text as Python"),
    "torch.hub.": (RUNS, "downloads and runs models"),
    "torch.utils.cpp_extension.": (RUNS, "compiles C++ and loads it"),
    "torch.utils.model_zoo.": (TOUCHES, "downloads files"),
    "torch.multiprocessing.": (RUNS, "starts processes"),
    "torch.package.": (RUNS, "imports code of a package"),
    "torch.jit.": (COMPILER, "TorchScript"),
    "torch._utils._rebuild": (DATA, "rebuilds a tensor"),
    "torch._dynamo.guards.": (COMPILER, "Dynamo's guards, rebuilt and compiled on load"),
    "torch._dynamo.": (COMPILER, "Dynamo's records of the call and its sources"),
    "torch._inductor.codecache.": (COMPILER, "Inductor's caches: they write, compile and import"),
    "torch._inductor.runtime.": (COMPILER, "Inductor's launchers of kernels"),
    "torch._inductor.": (COMPILER, "Inductor's metadata"),
    "torch._functorch.": (COMPILER, "AOTAutograd's metadata: inputs, outputs, mutations"),
    "torch._subclasses.": (COMPILER, "tensors that stand for others while a model is traced"),
    "torch._guards.": (COMPILER, "Dynamo's guards"),
    "torch._C.": (COMPILER, "PyTorch's C++ side"),
    "torch._higher_order_ops.": (COMPILER, "ops that call graphs"),
    "torch._export.": (COMPILER, "torch.export's records"),
    "torch._ops.": (COMPILER, "ops, by name"),
    "torch.fx.": (COMPILER, "graphs and symbolic sizes"),
    "torch.export.": (COMPILER, "torch.export's records"),
    "torch.utils._ordered_set.": (DATA, "a set that keeps its order"),
    "torch.utils._pytree.": (COMPILER, "the structure of inputs and outputs"),
    "torch.utils._sympy.": (DATA, "symbolic expressions"),
    "torch.nn.": (COMPILER, "modules: their code is the installed one's"),
    "torch.": (DATA, "PyTorch's types, tensors and constants"),
    "triton.": (COMPILER, "Triton's kernels and configurations"),
    "vllm.": (COMPILER, "vLLM's own"),
}
_BY_LENGTH = sorted(_STARTS, key=len, reverse=True)


def judge(name: str) -> Danger:
    """The danger of the global ``name``."""
    if name in _EXACT:
        return Danger(*_EXACT[name])
    for start in _BY_LENGTH:
        if name.startswith(start) or name == start[:-1]:
            return Danger(*_STARTS[start])
    if name.startswith("copyreg extension"):
        return Danger(UNKNOWN, "whatever the process registered under this number")
    return Danger(UNKNOWN, "importing it runs the top level of its module")
