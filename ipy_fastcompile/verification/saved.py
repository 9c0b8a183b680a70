"""outputs of eager <-> a safetensors file, kept to compare an artifact with later or elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..artifact.schema import Program
from ..artifact.schema.write import as_data
from ..errors import ArtifactStale, VerifyError
from .report import call_label

_SPECIFICATION = "specification"


def specification_of(programs: Sequence[Program]) -> str:
    """Equal for artifacts whose made-up parameters and inputs are equal."""
    parts = [as_data((p.parameters, p.example, p.symbols)) for p in programs]
    text = json.dumps(parts[0] if len(parts) == 1 else parts)
    return sha256(text.encode()).hexdigest()


def named_outputs(
    program: str, sizes: Mapping[str, int], outputs: Sequence[Any]
) -> dict[str, torch.Tensor]:
    """The outputs of a call at these sizes, each under a name that a reference keeps it by."""
    return {
        f"{call_label(program, sizes)}: output {position}": value.contiguous()
        for position, value in enumerate(outputs)
        if isinstance(value, torch.Tensor)
    }


def read_reference(file: str | os.PathLike[str], specification: str) -> dict[str, torch.Tensor]:
    """Outputs by name, as `write_outputs` saved them for an artifact of this specification.

    Raises `VerifyError` where the file holds none, `ArtifactStale` where they are of another model.
    """
    path = os.fspath(file)
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise VerifyError(
            f"{path} holds no reference outputs: {error}.",
            "Write it with verify(..., write_reference=...), or --write-reference.",
            path=path,
        ) from error
    if metadata.get(_SPECIFICATION) != specification:
        raise ArtifactStale(
            f"{path} was written for an artifact with other parameters or inputs.",
            "Write the reference again, from this model.",
            path=path,
        )
    return tensors


def write_outputs(
    outputs: Mapping[str, torch.Tensor], file: str | os.PathLike[str], specification: str
) -> None:
    """Save what `read_reference` reads."""
    save_file(dict(outputs), os.fspath(file), {_SPECIFICATION: specification})
