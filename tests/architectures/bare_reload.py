"""Run with an empty PATH, no compiler and an empty Inductor cache: reload every case, compare.

The argument maps names to artifacts; the answer is a line of JSON: name -> what happened.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from typing import Any

import torch

import ipy_fastcompile as fc
from ipy_fastcompile.verification.check import largest_difference
from tests.architectures.zoo import BUILDERS


def reload_and_compare(name: str, path: str) -> dict[str, Any]:
    """The largest difference from eager over all calls of a case, inputs and buffers included."""
    case = BUILDERS[name]()
    eager, loaded = copy.deepcopy(case.model), copy.deepcopy(case.model)
    function = fc.load(path, loaded)
    worst = 0.0
    for args, kwargs in ((case.args, case.kwargs), *case.more):
        mine, theirs = copy.deepcopy((args, kwargs)), copy.deepcopy((args, kwargs))
        with torch.no_grad():
            expected = eager(*theirs[0], **theirs[1])
        found = function(*mine[0], **mine[1])
        worst = max(worst, largest_difference(expected, found), largest_difference(theirs, mine))
    buffers = dict(eager.named_buffers()), dict(loaded.named_buffers())
    worst = max(worst, largest_difference(*buffers))
    return {"error": worst, "ways": list(function.kernel_ways), "allowed": case.tolerance}


if __name__ == "__main__":
    assert os.environ["PATH"] == "", "this is to run where no compiler can be found"
    answer = {}
    for case_name, artifact in json.loads(sys.argv[1]).items():
        try:
            answer[case_name] = reload_and_compare(case_name, artifact)
        except Exception as error:  # noqa: BLE001 - the test that asked shows it
            answer[case_name] = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
