"""The peers, each as the script that uses it: what is measured is what stands here.

A script defines ``cold(case, folder)``, which compiles and keeps what the peer keeps and returns a
callable, and ``load(case, folder)``, which a fresh process calls. Both give something to call as
``f(input_ids)``. ``save(folder)``, where a peer saves after its first call; ``prepare(ids)``, for
what a peer needs told of an input; ``IMPORTS``, the modules that ``prepare`` and ``load`` need:
their import counts as part of the compile or the load, and is also told apart. They are text, and
run as ``python -c``: some need private modules of torch, which no module of this package imports.
"""

from __future__ import annotations

from dataclasses import dataclass

# Every script is followed by this.
SERVE = "\nfrom tests.benchmarks.peer_child import serve\nserve(globals())\n"


@dataclass(frozen=True)
class Peer:
    """A way to keep a compiled model. ``kept_by`` names the peer whose cold run it reloads."""

    title: str
    script: str
    kept_by: str = ""
    note: str = ""


_DYNAMO = """
import torch
IMPORTS = ("torch._dynamo", "torch._inductor.compile_fx")

def prepare(ids):
    torch._dynamo.mark_dynamic(ids, 1, min=2, max=512)
"""

_COMPILE = f"""{_DYNAMO}
def load(case, folder):
    compiled = torch.compile(case.model, fullgraph=True)
    return lambda ids: compiled(input_ids=ids)

cold = load
"""

_BACKEND = f"""{_DYNAMO}
from ipy_fastcompile.backend.fastcompile import fastcompile  # what backend="fastcompile" finds

def load(case, folder):
    compiled = torch.compile(
        case.model, fullgraph=True, backend=fastcompile, options={{"store": str(folder)}}
    )
    return lambda ids: compiled(input_ids=ids)

cold = load
"""

_MEGA_CACHE = f"""{_DYNAMO}
def cold(case, folder):
    compiled = torch.compile(case.model, fullgraph=True)
    return lambda ids: compiled(input_ids=ids)

def save(folder):
    data, _ = torch.compiler.save_cache_artifacts()
    (folder / "mega.cache").write_bytes(data)

def load(case, folder):
    torch.compiler.load_cache_artifacts((folder / "mega.cache").read_bytes())
    return cold(case, folder)
"""

_AOT_COMPILE = """
import importlib, json, re
import torch
IMPORTS = ("torch._dynamo", "torch._dynamo.aot_compile", "torch._inductor.compile_fx")

def run(model, input_ids):
    return model(input_ids=input_ids)

def cold(case, folder):
    ids = case.kwargs["input_ids"]
    torch._dynamo.mark_dynamic(ids, 1, min=2, max=512)
    # Without a filter it says: "PackageError: ID_MATCH guard cannot be serialized."
    options = {"guard_filter_fn": torch.compiler.keep_portable_guards_unsafe}
    compiled = torch.compile(run, fullgraph=True, options=options)
    function = compiled.aot_compile(((case.model, ids), {}))
    function.save_compiled_function(str(folder / "aot.bin"))
    return lambda ids: function(case.model, ids)

def bind(case, folder, f_globals):
    with open(folder / "aot.bin", "rb") as file:
        function = torch.compiler.load_compiled_function(file, f_globals=f_globals)
    return lambda ids: function(case.model, ids)
"""

_AOT_PLAIN = f"""{_AOT_COMPILE}
def load(case, folder):
    return bind(case, folder, None)
"""

# The names it wants end in numbers of the process that compiled: its own message is their source.
_AOT_GLOBALS = f"""{_AOT_COMPILE}
def save(folder):
    names = []
    try:
        bind(None, folder, None)
    except RuntimeError as error:
        names = re.findall(r"'(___[^']+)'", str(error))
    (folder / "names.json").write_text(json.dumps(names))

def load(case, folder):
    names = json.loads((folder / "names.json").read_text())
    found = {{}}
    for name in names:
        module = re.match(r"___module_(.+)_\\d+_c\\d+$", name)[1].replace("_dot_", ".")
        found[name] = importlib.import_module(module)
    return bind(case, folder, found)
"""

_AOTINDUCTOR = """
import torch
from tests.benchmarks.flat import Flat
IMPORTS = ("torch._inductor", "torch._inductor.package")

def cold(case, folder):
    seq = torch.export.Dim("seq", min=2, max=512)
    program = torch.export.export(
        Flat(case.model), (), case.kwargs, dynamic_shapes={"input_ids": {1: seq}}, strict=False
    )
    torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "model.pt2"))
    return load(case, folder)

def load(case, folder):
    function = torch._inductor.aoti_load_package(str(folder / "model.pt2"))
    return lambda ids: function(input_ids=ids)
"""

# What `aoti_load_package` itself calls, without importing torch._inductor for it.
_AOTINDUCTOR_RUNNER = """
import torch
IMPORTS = ()

def load(case, folder):
    runner = torch._C._aoti.AOTIModelPackageLoader(
        str(folder / "model.pt2"), "model", False, 1, -1
    )
    return lambda ids: runner.run([ids])
"""

# A callable in some versions, a module with `capture` in others; 2.13 has neither.
_PRECOMPILE = """
import torch
IMPORTS = ("torch._dynamo", "torch._inductor.compile_fx")

def api():
    if not hasattr(torch.compiler, "precompile"):
        raise NotImplementedError(f"torch {torch.__version__} has no torch.compiler.precompile")
    return torch.compiler.precompile

def run(model, ids):
    return model(input_ids=ids)

def prepare(ids):
    if hasattr(torch._dynamo.decorators, "mark_unbacked"):
        torch._dynamo.decorators.mark_unbacked(ids, 1)

def cold(case, folder):
    ids, precompile = case.kwargs["input_ids"], api()
    prepare(ids)
    code, cache = folder / "precompiled.py", folder / "precompiled.cache"
    if hasattr(precompile, "capture"):
        with precompile.capture(run, artifact_path=str(code), cache_path=str(cache)) as capture:
            capture(case.model, ids)
    else:
        text, data = precompile(run, case.model, ids)
        code.write_text(text)
        cache.write_bytes(data)
    return load(case, folder)

def load(case, folder):
    code, cache, precompile = folder / "precompiled.py", folder / "precompiled.cache", api()
    if hasattr(precompile, "capture"):
        function = precompile.load(str(code), str(cache))
    else:
        function = precompile.load(code.read_text(), cache.read_bytes())
    return lambda ids: function(case.model, ids)
"""


def _ours(via: str) -> str:
    return f"""
import ipy_fastcompile as fc
IMPORTS = ()

def cold(case, folder):
    compiled = fc.compile(case.model, (), case.kwargs, dynamic=case.dynamic)
    compiled.save(folder / "model.fastcompile")
    return lambda ids: compiled(input_ids=ids)

def load(case, folder):
    function = fc.load(folder / "model.fastcompile", case.model, via={via!r})
    return lambda ids: function(input_ids=ids)
"""


PEERS = {
    "compile": Peer("torch.compile(fullgraph=True), FX cache", _COMPILE),
    "backend": Peer('the same with backend="fastcompile", our cache', _BACKEND),
    "mega_cache": Peer("torch.compile + Mega-Cache", _MEGA_CACHE),
    "aot_plain": Peer("aot_compile + load_compiled_function", _AOT_PLAIN, kept_by="aot_globals"),
    "aot_globals": Peer(
        "the same with hand-made f_globals",
        _AOT_GLOBALS,
        note="aot_compile is given torch.compiler.keep_portable_guards_unsafe, without which this "
        "model's guards cannot be serialized.",
    ),
    "aotinductor": Peer(
        "AOTInductor package",
        _AOTINDUCTOR,
        note="An AOTInductor package holds the weights; every other row takes the model's own. "
        "It returns no cache: its model returns the cache's tensors in a tuple.",
    ),
    "aotinductor_runner": Peer(
        "the same package, its C++ loader called directly",
        _AOTINDUCTOR_RUNNER,
        kept_by="aotinductor",
    ),
    "precompile": Peer("torch.compiler.precompile", _PRECOMPILE),
    "fx": Peer("ipy_fastcompile, fx path", _ours("fx"), kept_by="native"),
    "torch": Peer("ipy_fastcompile, torch path", _ours("torch"), kept_by="native"),
    "native": Peer("ipy_fastcompile, native path", _ours("native")),
}
OURS = ("fx", "torch", "native")
