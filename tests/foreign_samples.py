"""A folder -> one artifact of each format that the installed torch writes, by torch's own writers.

Run in a child process, with an empty Inductor cache of its own, so that what one format leaves
behind is not in another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Name -> what `ForeignArtifact.format` says of it.
FORMATS = {
    "aot_compile": "aot_compile file",
    "standalone_aot": "standalone_compile artifact (aot=True)",
    "standalone_serialized": "standalone_compile artifact (aot=True, serialized)",
    "standalone_cache": "standalone_compile artifact (cache)",
    "standalone_unpacked": (
        "standalone_compile artifact (unpacked), or Inductor's cache with one entry"
    ),
    "mega_cache": "Mega-Cache",
    "inductor_cache": "Inductor's cache folder",
    "aotinductor": "AOTInductor package",
    "exported": "exported program",
    "torchscript": "TorchScript archive",
    "saved": "torch.save file",
    "saved_legacy": "torch.save file (legacy)",
    "safetensors": "safetensors file",
}


_MODEL = """
import torch


class Sample(torch.nn.Module):
    # Small, but with a parameter, a buffer, a matrix product and fused kernels, two alike.

    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(16, 16)
        self.register_buffer("scale", torch.rand(16))

    def forward(self, x):
        h = torch.relu(self.lin(x) * self.scale)
        return torch.relu(self.lin(h) * self.scale).sum(-1)
"""


def make(folder: Path) -> Path:
    """Write all of them into ``folder``; their names have no suffix that could give them away."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        capture_output=True,
        text=True,
        env=os.environ
        | {"TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor_cache"), "INDUCTOR_PROVENANCE": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def main(folder: Path) -> None:
    """The child's part."""
    # `aot_compile` takes only models whose class a module defines; this file needs no torch.
    sys.path.insert(0, str(folder.parent))
    (folder.parent / "sample_model.py").write_text(_MODEL)
    import torch
    from safetensors.torch import save_file
    from sample_model import Sample
    from torch._inductor import aoti_compile_and_package, standalone_compile
    from torch.fx.experimental.proxy_tensor import make_fx

    torch.manual_seed(0)
    model, x = Sample().eval().requires_grad_(False), torch.randn(32, 16)
    weights = [x, model.lin.weight.detach(), model.lin.bias.detach(), model.scale]

    def layer(x, w, b, s):  # type: ignore[no-untyped-def]
        return torch.relu(torch.nn.functional.linear(x, w, b) * s)

    def plain(x, w, b, s):  # type: ignore[no-untyped-def]
        # Annotations that are text would be globals of the graph, and nothing could be cached.
        return (layer(layer(x, w, b, s), w, b, s).sum(-1),)

    with torch.no_grad():
        exported = torch.export.export(
            model, (x,), dynamic_shapes={"x": {0: torch.export.Dim("n", min=2, max=64)}}
        )
        torch.export.save(exported, folder / "exported.pt2")
        static = torch.export.export(model, (x,))
        aoti_compile_and_package(
            static,
            package_path=str(folder / "aotinductor.pt2"),
            inductor_configs={
                "aot_inductor.compile_wrapper_opt_level": "O0",
                "cpp_cache_precompile_headers": False,
            },
        )
        for suffixed in ("exported", "aotinductor"):
            (folder / f"{suffixed}.pt2").rename(folder / suffixed)
        graph = make_fx(plain)(*weights)
        made = standalone_compile(graph, weights, dynamic_shapes="from_example_inputs", aot=True)
        made.save(path=str(folder / "standalone_aot"))
        (folder / "standalone_serialized").write_bytes(made.serialize())
        made = standalone_compile(graph, weights, dynamic_shapes="from_example_inputs")
        made.save(path=str(folder / "standalone_cache"))
        made.save(path=str(folder / "standalone_unpacked"), format="unpacked")
        torch._dynamo.reset()
        call = torch.compile(model, fullgraph=True).forward.aot_compile(((x,), {}))
        call.save_compiled_function(str(folder / "aot_compile"))
        torch._dynamo.reset()
        torch.compiler._cache.CacheArtifactManager.clear()
        torch.compile(model)(x)
        (folder / "mega_cache").write_bytes(torch.compiler.save_cache_artifacts()[0])
        torch.jit.save(torch.jit.trace(model, x), str(folder / "torchscript"))
    torch.save(model.state_dict(), folder / "saved")
    torch.save(model.state_dict(), folder / "saved_legacy", _use_new_zipfile_serialization=False)
    save_file(model.state_dict(), folder / "safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
