"""Kernel -> KernelEntry: what a manifest says of a kernel, its binaries and texts in members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...artifact import blob_name
from ...artifact.schema import KernelEntry, Launch, Library
from ...artifact.squeeze import squeeze
from ...grammar.check import check_grammar
from ...runtime.cuda import launch_text
from ...torch_compat.launches import CudaLaunch
from .handed import as_views
from .link import library_of
from .lowered import Kernel

# What is packed already, by PyTorch's own form of a kernel and its native text.
Shared = dict[tuple[bytes, str], KernelEntry]


def add_blob(members: dict[str, bytes], data: bytes) -> str:
    """The name of a member with this content, which is stored once."""
    name = blob_name(data)
    members[name] = data
    return name


def pack_kernel(
    kernel: Kernel,
    folder: str,
    submodule: str,
    members: dict[str, bytes],
    texts: dict[str, str],
    shared: Shared,
    linked: Mapping[str, bytes],
) -> KernelEntry:
    """A kernel with its variants. Its texts go into ``folder``, what they are into ``texts``.

    A kernel that another program runs as well is the entry in ``shared``, and adds nothing.
    ``linked`` has libraries of several kernels, see `link_kernels`.
    """
    key = kernel.data, kernel.native.code if kernel.native else ""
    if key not in shared:
        shared[key] = _packed(kernel, folder, submodule, members, texts, linked)
    return replace(shared[key], submodule=submodule)


def _packed(
    kernel: Kernel,
    folder: str,
    submodule: str,
    members: dict[str, bytes],
    texts: dict[str, str],
    linked: Mapping[str, bytes],
) -> KernelEntry:
    entry = KernelEntry(
        name=f"kernel_{kernel.index}",
        digest=kernel.digest,
        native=kernel.native is not None,
        why=kernel.why,
        text="",
        libraries=(),
        launches=(),
        torch=add_blob(members, squeeze(kernel.data)),
        submodule=submodule,
        views=as_views(kernel.native.views) if kernel.native is not None else (),
    )
    if kernel.native is None:
        # A native kernel's text says what runs; the report has Inductor's, C++ included.
        members[f"{folder}/output_code.py"] = kernel.parts.output_code.encode()
    else:
        text = f"{folder}/native.py"
        members[text] = kernel.native.code.encode()
        texts[text] = entry.name
        entry = replace(
            entry,
            text=text,
            libraries=tuple(
                Library(built.name, add_blob(members, library_of(kernel, built, linked)))
                for built in kernel.native.libraries
            ),
            launches=tuple(_launch(cubin, members) for cubin in kernel.native.cubins),
        )
    variants = []
    for named, variant in kernel.sizes.items():
        inner = f"{folder}/{'_'.join(f'{name}{size}' for name, size in named)}"
        sizes = tuple(size for _, size in named)
        variants.append((sizes, _packed(variant, inner, submodule, members, texts, linked)))
    return replace(entry, sizes=tuple(variants))


def _launch(cubin: CudaLaunch, members: dict[str, bytes]) -> Launch:
    launch = Launch(**{**vars(cubin), "cubin": add_blob(members, cubin.cubin)})
    check_grammar(launch_text(launch), "launcher", kernel=True)
    return launch
