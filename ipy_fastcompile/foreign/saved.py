"""A ZIP of `torch.save` or TorchScript, a legacy `.pt`, a safetensors file -> what is in it."""

from __future__ import annotations

from typing import Any

from .archive import Archive, Unreadable
from .budget import Unpickled
from .compiled import read_everything
from .draft import Draft, native_kind
from .jsons import BadJson, items, parse, part, rows, said
from .precompiled import is_cache, read_cache
from .records import METADATA, SOURCE, Binary
from .stubs import Made, Outside, Pairs, brief, fields, name_of, walk
from .unpickle import unpickle

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MOST_TENSORS = 5_000


def is_torchscript(archive: Archive) -> bool:
    """Whether it has code and constants as `torch.jit.save` writes them."""
    names = archive.members
    return "constants.pkl" in names or any(name.startswith("code/") for name in names)


def is_torch_save(archive: Archive) -> bool:
    """Whether it is what `torch.save` writes."""
    return "data.pkl" in archive.members


def read_torchscript(draft: Draft, archive: Archive) -> None:
    """`torch.jit.save`: TorchScript's own Python-like code, constants and tensors."""
    draft.format = "TorchScript archive"
    draft.loads_by = "torch.jit.load() compiles its TorchScript code; it runs no Python."
    _members(draft, archive)


def read_torch_save(draft: Draft, archive: Archive) -> None:
    """`torch.save`: one pickle and the tensors' bytes."""
    draft.format = "torch.save file"
    draft.loads_by = (
        "torch.load() unpickles it; by default (weights_only=True) only tensors and plain data."
    )
    result = _members(draft, archive)
    if result is None:
        return
    if is_cache(result.value):
        read_cache(draft, result.value)
        return
    draft.facts["holds"] = kind_of(result.value)
    read_everything(draft, result.value)
    tensors(draft, result.value)


def _members(draft: Draft, archive: Archive) -> Unpickled | None:
    """Texts and binaries of either kind; the value of `data.pkl`."""
    found = None
    for name in archive.members:
        if name.endswith(".pkl") and not name.endswith("debug_pkl"):
            try:
                result = unpickle(archive.read(name), draft.budget, name)
            except Unreadable as error:
                draft.miss(name, str(error))
                continue
            found = result if name == "data.pkl" else found
        elif name.endswith((".py", ".json")):
            try:
                text = archive.read(name).decode("utf-8", "replace")
            except Unreadable as error:
                draft.miss(name, str(error))
                continue
            is_code = name.endswith(".py")
            draft.text(name, SOURCE if is_code else METADATA, "python" if is_code else "text", text)
        elif name == "version":
            try:
                draft.version = f"file version {archive.read(name, 100).decode('latin-1').strip()}"
            except Unreadable as error:
                draft.miss(name, str(error))
        elif archive.size(name) and not name.startswith("."):
            kind = native_kind(archive.head(name)) or "tensor data"
            kind = "bytes" if kind == "tensor data" and "data/" not in name else kind
            if name != "byteorder":
                binary = Binary(name, kind, archive.size(name), archive.digest(name))
                draft.binaries.append(binary)
    for where, why in archive.odd:
        draft.miss(where, why)
    return found


def kind_of(value: Any) -> str:
    """What a pickle gives, in a few words."""
    if isinstance(value, Made) and not name_of(value).endswith("OrderedDict"):
        return f"an object of {name_of(value) or brief(value, 100)}"
    if isinstance(value, (Pairs, Made)):
        return f"a dict of {len(value.pairs)}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return brief(value, 100)


def tensors(
    draft: Draft, value: Any, path: str = "", depth: int = 6, seen: set[int] | None = None
) -> None:
    """The tensors of a state dict, by name, as far as their rebuild calls say."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    pairs = list(fields(value)) if isinstance(value, (Pairs, Made)) else []
    if draft.budget.is_over("tensors") or len(draft.values) >= _MOST_TENSORS:
        return
    for name, child in pairs[:_MOST_TENSORS]:
        if isinstance(child, Made) and "_rebuild" in name_of(child):
            draft.value("tensor", f"{path}{name}", _tensor(child))
        elif depth and isinstance(child, (Pairs, Made)):
            tensors(draft, child, f"{path}{name}.", depth - 1, seen)


def _tensor(call: Made, depth: int = 4) -> str:
    """``FloatStorage (4, 4)``: storage and shape of a rebuild call."""
    args = call.args if isinstance(call.args, tuple) else ()
    inner = next((a for a in args if isinstance(a, Made) and "_rebuild" in name_of(a)), None)
    if inner is not None and depth:
        return _tensor(inner, depth - 1)
    storage, shape = "", ""
    for arg in args:
        if isinstance(arg, Outside) and isinstance(arg.what, tuple):
            names = [name_of(p).rpartition(".")[2] for p in arg.what if name_of(p)]
            devices = [p for p in arg.what[3:4] if isinstance(p, str)]
            storage = " ".join([*names, *(f"on {device}" for device in devices)])
        elif isinstance(arg, tuple) and not shape and all(isinstance(n, int) for n in arg):
            shape = brief(arg, 100)
    return f"{storage} {shape}".strip()


def read_legacy(draft: Draft, data: bytes) -> None:
    """`torch.save` before 1.6: five pickles one behind the other, then the tensors' bytes."""
    draft.format = "torch.save file (legacy)"
    draft.loads_by = "torch.load() unpickles it; by default (weights_only=True) only plain data."
    at, values = 0, []
    for title in ("magic number", "protocol", "system", "object", "keys of storages"):
        result = unpickle(data, draft.budget, title, at)
        values.append(result.value)
        at = result.end
        if result.problem:
            break
    if len(values) > 1:
        draft.version = f"protocol {brief(values[1], 20)}"
    if len(values) > 3:
        draft.facts["holds"] = kind_of(values[3])
        tensors(draft, values[3])
        read_everything(draft, values[3])
    if at < len(data):
        draft.binary("storages", data[at:], "tensor data")


def read_pickle_of_others(draft: Draft, result: Unpickled, data: bytes) -> None:
    """A pickle that no other reader knows: its globals, and the outline of its value."""
    draft.format = "pickle"
    draft.version = f"protocol {data[1]}" if data[:1] == b"\x80" else "protocol 0 or 1"
    draft.loads_by = "Whoever unpickles it runs what its globals say."
    draft.facts["holds"] = kind_of(result.value)
    draft.facts["outline"] = brief(result.value, 600)
    read_everything(draft, result.value)
    count = sum(isinstance(part, Outside) and part.kind != "missing" for part in walk(result.value))
    if count:
        draft.facts["refers to things outside"] = str(count)
    if result.end < len(data) and not result.problem:
        draft.miss("end", behind(data, result.end))


def behind(data: bytes, end: int) -> str:
    """What to say of the bytes behind a pickle; other tools may open another thing in them."""
    is_zip = data.rfind(b"PK\5\6", end) >= 0
    also = ", with a ZIP that other tools may open instead" if is_zip else ""
    return f"{len(data) - end} bytes behind the pickle{also}"


def read_safetensors(draft: Draft, data: bytes, size: int) -> None:
    """Tensors with a JSON header; ``data`` is the header with its length before it."""
    draft.format = "safetensors file"
    draft.loads_by = "Loading it copies numbers; nothing in it can run."
    try:
        header = parse(data[8:])
    except BadJson as error:
        draft.miss("header", str(error))
        return
    for name, text in items(part(header, "__metadata__")):
        draft.facts[name[:100]] = said(text)
    count = 0
    for name, about in items(header):
        if name == "__metadata__":
            continue
        count += 1
        shape = ", ".join(said(n, 20) for n in rows(part(about, "shape"))[:32])
        draft.value("tensor", name, f"{said(part(about, 'dtype'), 20)}[{shape}]")
        ends = rows(part(about, "data_offsets"))
        if len(ends) != 2 or not all(isinstance(n, int) for n in ends) or ends[1] > size:
            draft.miss(name[:200], "its bytes are not in the file")
    draft.facts["tensors"] = str(count)
