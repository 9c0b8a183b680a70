"""The ways to keep a decode step, each as the script that uses it: what is measured stands here.

A script is as one of `tests.benchmarks.peer_scripts`, but ``cold`` and ``load`` give something to
call as ``step(input_ids, cache)``. It returns the logits of one more token, and ``cache``, which is
a `DynamicCache`, is one longer afterwards.
"""

from __future__ import annotations

from tests.benchmarks.peer_scripts import Peer

# Every script is followed by this.
SERVE = "\nfrom tests.benchmarks.decode_child import serve\nserve(globals())\n"

_EAGER = """
IMPORTS = ()

def load(case, folder):
    return lambda ids, cache: case.model(input_ids=ids, past_key_values=cache).logits

cold = load
"""

_COMPILE = """
import torch
IMPORTS = ("torch._dynamo", "torch._inductor.compile_fx")

def prepare(cache):
    for layer in cache.layers:
        torch._dynamo.mark_dynamic(layer.keys, 2, min=2, max=512)
        torch._dynamo.mark_dynamic(layer.values, 2, min=2, max=512)

def load(case, folder):
    compiled = torch.compile(case.model, fullgraph=True)
    return lambda ids, cache: compiled(input_ids=ids, past_key_values=cache).logits

cold = load
"""

_AOTINDUCTOR = """
import torch
from tests.benchmarks.flat import Flat, grow, tensors
IMPORTS = ("torch._inductor", "torch._inductor.package")

def cold(case, folder):
    held = tensors(case.kwargs["past_key_values"])
    program = torch.export.export(
        Flat(case.model),
        (case.kwargs["input_ids"], held),
        # A named dimension is refused: its proof that a stride is the smaller of two is missing.
        dynamic_shapes=({}, [{2: torch.export.Dim.AUTO}] * len(held)),
        strict=False,
    )
    torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "step.pt2"))
    return load(case, folder)

def load(case, folder):
    function = torch._inductor.aoti_load_package(str(folder / "step.pt2"))

    def step(ids, cache):
        logits, *held = function(ids, tensors(cache))
        grow(cache, held)
        return logits

    return step
"""

_OURS = """
import ipy_fastcompile as fc
IMPORTS = ()

def cold(case, folder):
    layer = {"keys": {2: ("past", 2, 511)}, "values": {2: ("past", 2, 511)}}
    layers = [layer] * len(case.kwargs["past_key_values"].layers)
    dynamic = {"past_key_values": {"layers": layers}}
    compiled = fc.compile(case.model, (), case.kwargs, dynamic=dynamic)
    compiled.save(folder / "step.fastcompile")
    return lambda ids, cache: compiled(input_ids=ids, past_key_values=cache).logits

def load(case, folder):
    function = fc.load(folder / "step.fastcompile", case.model)
    return lambda ids, cache: function(input_ids=ids, past_key_values=cache).logits
"""

STEPS = {
    "eager": Peer("eager", _EAGER),
    "compile": Peer("torch.compile(fullgraph=True), FX cache", _COMPILE),
    "aotinductor": Peer(
        "AOTInductor package",
        _AOTINDUCTOR,
        note="AOTInductor takes and returns no cache: its model is given the cache's tensors, and "
        "what it returns is put back into the cache.",
    ),
    "native": Peer("ipy_fastcompile, native path", _OURS),
}
