"""kernel that does not load + error -> what to do about it: what works on this machine."""

from __future__ import annotations

from ..artifact.schema import KernelEntry


def what_helps(entry: KernelEntry, error: Exception) -> str:
    """What to do where PyTorch's loader cannot load a kernel: what works on this machine."""
    if entry.native:
        return "Load along the native path, which needs neither compiler nor cache."
    why = f"{entry.name} has no native form, for {entry.why}"
    if "compiler" in f"{type(error).__name__} {error}".lower():
        return (
            f"{why}; so a C++ compiler has to build it here. Install one (g++ or clang) and name "
            "it in CXX."
        )
    return f"{why}; so it loads only with the torch that made it. Compile the model again here."
