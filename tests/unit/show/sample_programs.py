"""layer count -> `Report` of one artifact with two programs: a prefill, and a step that follows.

The step takes one token and has an input more; its first kernel is the prefill's, all others are
its own.
"""

from __future__ import annotations

from dataclasses import replace

from ipy_fastcompile.records import Report, StageRecord

from .sample import sample_report
from .sample_graph import HEAD, tensor

# What belongs to the artifact as a whole; a program's own report has none of it.
_OF_THE_WHOLE = {
    "key": "",
    "cache": "",
    "why_miss": (),
    "miss_details": (),
    "artifact": None,
    "reloads": (),
}


def sample_programs(layers: int = 4) -> Report:
    """A report whose ``programs`` are ``call_0`` and ``call_1``."""
    whole = sample_report(layers)
    first = replace(whole, name="call_0", **_OF_THE_WHOLE)
    other = sample_report(max(layers - 1, 1), profiled=False)
    step = replace(
        other,
        name="call_1",
        stages=(StageRecord("capture", 5.2, "torch.export"),),
        inputs=(
            tensor("input_ids", (1, 1), dtype="int64"),
            tensor("past_key_values.layers[0].keys", (1, 4, "seq", HEAD)),
        ),
        kernels=tuple(
            k if k.index == 0 else replace(k, digest=f"{k.index + 208:02x}" * 32)
            for k in other.kernels
        ),
        max_error=2.4e-6,
        **_OF_THE_WHOLE,
    )
    stages = tuple(replace(stage, seconds=2 * stage.seconds) for stage in whole.stages)
    return replace(whole, programs=(first, step), stages=stages, max_error=2.4e-6)
