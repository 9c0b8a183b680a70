"""module -> where it keeps what it has (torch.nn.Module; seen on 2.11 and 2.13)."""

from __future__ import annotations

from typing import Any

import torch

# What `torch.compile` notes on a module and on its parameters, for itself alone (seen on 2.13).
MARKS_OF_TORCH_COMPILE = frozenset({"_is_torch_compile", "_dynamo_static_input_type"})

# What is in the names of all that it notes on tensors.
MARK_OF_DYNAMO = "_dynamo_"


def tables_of(
    module: torch.nn.Module,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The dicts in which a module itself keeps parameters, buffers and submodules.

    Values may be None.
    """
    return module._parameters, module._buffers, module._modules
