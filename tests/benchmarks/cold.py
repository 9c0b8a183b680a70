"""request (JSON argument) -> one cold compile in this process, timed; the result as JSON.

What a fresh process runs for every row of the bench; see `tests.benchmarks.run`.
"""

from __future__ import annotations

import json
import resource
from time import perf_counter
from typing import Any

from ipy_fastcompile.children.answer import answer
from tests.benchmarks.families import Case, Spec, build


def compile_and_save(request: dict[str, Any]) -> dict[str, Any]:
    """Build, compile, save and check one specification; seconds and bytes.

    ``warm_up`` compiles one layer first: imports, and the probing of the processor, are then paid.
    """
    started = perf_counter()
    import torch

    import_seconds = perf_counter() - started
    import ipy_fastcompile as fc
    from ipy_fastcompile.verification.check import check_against_eager

    spec = Spec(**request["spec"])
    if request.get("warm_up"):
        small = build(Spec(**{**request["spec"], "layers": min(2, spec.layers)}))
        fc.compile(small.model, (), small.kwargs, dynamic=small.dynamic)
        del small
    started = perf_counter()
    case = build(spec)
    build_seconds = perf_counter() - started
    torch.zeros(1).add_(1)

    started = perf_counter()
    compiled = fc.compile(case.model, (), case.kwargs, dynamic=case.dynamic)
    compile_seconds = perf_counter() - started
    started = perf_counter()
    record = compiled.save(request["path"])
    save_seconds = perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    report = compiled.report
    stages = {stage.name: stage.seconds for stage in report.stages}
    path = request["path"]
    return {
        "import torch": import_seconds,
        "build": build_seconds,
        "stages": stages,
        # `compile` makes the report after its last stage.
        "report": compile_seconds - sum(stages.values()),
        "compile": compile_seconds,
        "save": save_seconds,
        "size": record.size,
        "fx_size": record.fx_size,
        "nodes": report.n_nodes,
        "submodules": len(report.submodules),
        "kernels": len(report.kernels),
        "native": sum(kernel.native for kernel in report.kernels),
        "why": sorted({kernel.why for kernel in report.kernels if kernel.why}),
        "code_lines": len(report.execution_code.splitlines()),
        "code_bytes": len(report.execution_code.encode()),
        "peak_memory": peak,
        "views": _time_views(report) if request.get("warm_up") else {},
        "calls": _time_calls(compiled, case, torch),
        "max_error": max(
            check_against_eager(compiled, case.model, (), kwargs, file=path)
            for kwargs in (case.kwargs, case.other)
        ),
    }


def _time_views(report: Any) -> dict[str, float]:
    """What showing the report takes: each view, its seconds and its bytes."""
    from ipy_fastcompile.show.html import render_html
    from ipy_fastcompile.show.page import render_page
    from ipy_fastcompile.show.text import render_text

    found: dict[str, float] = {}
    for name, render in (("text", render_text), ("html", render_html), ("page", render_page)):
        started = perf_counter()
        text = render(report)
        found[name] = perf_counter() - started
        found[f"{name} bytes"] = len(text.encode())
    started = perf_counter()
    explorer = _make_explorer(report)
    if explorer is not None:
        found["explorer"] = perf_counter() - started
        state = explorer.get_state()
        found["explorer bytes"] = len(json.dumps(state, default=str).encode())
    return found


def _make_explorer(report: Any) -> Any:
    try:
        from ipy_fastcompile.show.explorer import Explorer
    except ImportError:  # the widget's libraries are not everywhere
        return None
    return Explorer(report)


def _time_calls(compiled: Any, case: Case, torch: Any) -> dict[str, float]:
    """First and steady call of the compiled model in this process, and eager's; in seconds."""
    from tests.benchmarks.calls import steady

    started = perf_counter()
    compiled(**case.kwargs)
    first = perf_counter() - started
    with torch.no_grad():
        medians = steady(
            {
                "compiled": lambda: compiled(**case.kwargs),
                "eager": lambda: case.model(**case.kwargs),
            },
            seconds=2.0,
        )
    return {"first": first, **medians}


if __name__ == "__main__":
    answer(compile_and_save)
