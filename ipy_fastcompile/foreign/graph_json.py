"""The JSON of an exported program -> its graph as text, and its inputs, outputs and parameters.

The field names are those that `torch.export.save` of 2.5 to 2.15 writes; what is not understood is
shown as JSON in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from . import limits
from .jsons import items, part, rows, said
from .records import Value

# `torch._export.serde.schema.ScalarType`, by number.
DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
}
_SYMBOL = re.compile(r"Symbol\('(\w{1,100})'[^)]{0,200}\)")
_KINDS = {
    "parameter": "parameter",
    "buffer": "buffer",
    "tensor_constant": "constant",
    "custom_obj": "constant",
    "user_input": "input",
    "token": "token",
}


def size_text(size: Any) -> str:
    """``4``, or the expression of a dynamic size."""
    if isinstance(size, dict):
        if "as_int" in size:
            return said(size["as_int"], 40)
        text = part(size, "as_expr", "expr_str")
        if isinstance(text, str):
            return _SYMBOL.sub(r"\1", text[:400])
    return said(size, 80)


def tensor_text(meta: Any) -> str:
    """``float32[s77, 4] on cpu``."""
    dtype = part(meta, "dtype")
    name = DTYPES.get(dtype, f"dtype {said(dtype, 20)}") if isinstance(dtype, int) else "tensor"
    sizes = ", ".join(size_text(size) for size in rows(part(meta, "sizes"))[:32])
    device = said(part(meta, "device", "type"), 40)
    index = part(meta, "device", "index")
    place = f" on {device}{'' if index is None else f':{said(index, 10)}'}" if device else ""
    return f"{name}[{sizes}]{place}"


def argument_text(argument: Any, depth: int = 4) -> str:
    """An argument of a node as it would be written in Python."""
    if not isinstance(argument, dict) or len(argument) != 1 or not depth:
        return said(argument, 200)
    kind, value = next(iter(argument.items()))
    if kind == "as_none":
        return "None"
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return str(value["name"])
    if isinstance(value, dict) and isinstance(value.get("as_name"), str):
        return str(value["as_name"])
    if kind == "as_string":
        return repr(value)[:200]
    if kind == "as_scalar_type":
        return f"torch.{DTYPES.get(value, value)}" if isinstance(value, int) else said(value)
    if kind == "as_graph":
        return said(part(value, "name"), 100)
    if isinstance(value, list):
        inner = [
            part(entry, "name") or part(entry, "as_name") or argument_text(entry, depth - 1)
            for entry in value[:64]
        ]
        return f"[{', '.join(said(entry, 100) for entry in inner)}{', …' * (len(value) > 64)}]"
    if isinstance(value, dict):
        return argument_text(value, depth - 1)
    return said(value, 200)


def _names(outputs: Any) -> list[str]:
    return [argument_text(output) for output in rows(outputs)]


def _types(graph: Any) -> dict[str, str]:
    types = {name: tensor_text(meta) for name, meta in items(part(graph, "tensor_values"))}
    types |= {name: "int" for name, _ in items(part(graph, "sym_int_values"))}
    return types


def graph_lines(graph: Any, name: str = "forward", depth: int = 4) -> Iterator[str]:
    """The graph as lines of Python-like text; graphs inside of it follow."""
    types = _types(graph)
    inputs = _names(part(graph, "inputs"))
    yield f"def {name}("
    yield from (f"    {entry}: {types.get(entry, 'value')}," for entry in inputs)
    yield "):"
    inside: list[tuple[str, Any]] = []
    last = ""
    nodes = rows(part(graph, "nodes"))
    for node in nodes[: limits.MAX_ROWS]:
        source = _source_line(part(node, "metadata", "stack_trace"))
        if source and source != last:
            yield f"    # {source}"
        last = source
        arguments = []
        for entry in rows(part(node, "inputs")):
            value, label = part(entry, "arg"), said(part(entry, "name"), 80)
            text = argument_text(value)
            arguments.append(f"{label}={text}" if part(entry, "kind") == 2 and label else text)
            found = part(value, "as_graph", "graph")
            if found is not None and depth:
                inside.append((said(part(value, "as_graph", "name"), 100), found))
        outputs = _names(part(node, "outputs"))
        types_of = [types[output] for output in outputs if output in types]
        note = f"  # {', '.join(types_of)}" if types_of else ""
        target = said(part(node, "target"), 200)
        yield f"    {', '.join(outputs) or '_'} = {target}({', '.join(arguments)}){note}"
    if len(nodes) > limits.MAX_ROWS:
        yield f"    # and {len(nodes) - limits.MAX_ROWS} more nodes"
    yield f"    return ({', '.join(_names(part(graph, 'outputs')))},)"
    for label, found in inside[:200]:
        yield ""
        yield from graph_lines(found, label, depth - 1)


def _source_line(trace: Any) -> str:
    """``model.py:17 in forward: return self.lin(x)``, of the innermost frame that is no library."""
    if not isinstance(trace, str):
        return ""
    frames = re.findall(
        r'File "([^"\n]{1,500})", line (\d{1,9}), in ([^\n]{1,100})\n\s*([^\n]{0,300})',
        trace[:20_000],
    )
    own = [frame for frame in frames if "site-packages" not in frame[0]] or frames
    if not own:
        return ""
    file, line, function, text = own[-1]
    return f"{file.rpartition('/')[2]}:{line} in {function}: {text}"[:300]


def signature_values(program: Any) -> Iterator[Value]:
    """Inputs, parameters, buffers, constants and outputs of an exported program."""
    module = part(program, "graph_module")
    types = _types(part(module, "graph"))
    for spec in rows(part(module, "signature", "input_specs")):
        for kind, value in items(spec):
            name = _spec_name(value)
            full = next(
                (
                    value[key]
                    for key in ("parameter_name", "buffer_name", "tensor_constant_name")
                    if isinstance(value, dict) and isinstance(value.get(key), str)
                ),
                name,
            )
            yield Value(_KINDS.get(kind, kind[:40]), full, types.get(name, ""))
    for spec in rows(part(module, "signature", "output_specs")):
        for kind, value in items(spec):
            name = _spec_name(value)
            label = "output" if kind == "user_output" else f"output ({kind.replace('_', ' ')[:40]})"
            yield Value(label, name, types.get(name, ""))


def _spec_name(value: Any) -> str:
    argument = part(value, "arg")
    if isinstance(argument, dict) and isinstance(argument.get("name"), str):
        return str(argument["name"])
    return argument_text(argument)


def range_texts(program: Any) -> Iterator[str]:
    """``2 <= s77 <= 64`` for every dynamic size; the guards' code where the program has some."""
    for name, limit in items(part(program, "range_constraints")):
        low, high = said(part(limit, "min_val"), 40), said(part(limit, "max_val"), 40)
        yield f"{f'{low} <= ' if low else ''}{name}{f' <= {high}' if high else ''}"
    for code in rows(part(program, "guards_code")):
        yield said(code, 1_000)
