"""functions of kernels -> the C++ of one extension module that has them all."""

from __future__ import annotations

from collections.abc import Mapping

# The function by which Python makes an extension module, in the object file of a kernel.
MAKER = "PyInit_kernel"

# Functions of Python's stable ABI are declared here: its header takes longer than all the rest.
_TEXT = """
extern "C" {
void* PyObject_GetAttrString(void*, const char*);
int PyObject_SetAttrString(void*, const char*, void*);
void Py_DecRef(void*);
DECLARATIONS
}

static const struct { const char* name; void* (*make)(); } kernels[] = {
ROWS
};

// The module of the first kernel is given the functions of all, by their names.
extern "C" void* PyInit_kernel() {
  void* module = nullptr;
  bool failed = false;
  for (const auto& kernel : kernels) {
    void* own = kernel.make();
    void* function = own ? PyObject_GetAttrString(own, "kernel") : nullptr;
    if (!module) module = own;
    failed = !function || PyObject_SetAttrString(module, kernel.name, function);
    if (function) Py_DecRef(function);
    if (own && own != module) Py_DecRef(own);
    if (failed) break;
  }
  if (!failed && !PyObject_SetAttrString(module, "kernel", nullptr)) return module;
  if (module) Py_DecRef(module);
  return nullptr;
}
"""


def maker_of(position: int) -> str:
    """What the maker of a kernel is called where there are several."""
    return f"{MAKER}_{position}"


def table_of(positions: Mapping[str, int]) -> str:
    """The source of the module; ``positions`` has the object file of each function, by its name."""
    rows = (f"{{{_quoted(name)}, {maker_of(n)}}}," for name, n in positions.items())
    declarations = (f"void* {maker_of(n)}();" for n in sorted({*positions.values()}))
    text = _TEXT.replace("DECLARATIONS", "\n".join(declarations))
    return text.replace("ROWS", "\n".join(rows))


def _quoted(text: str) -> str:
    """A string literal of C++; the names of sizes may have letters of any alphabet."""
    return (
        '"'
        + "".join(f"\\{byte:03o}" if _is_odd(byte) else chr(byte) for byte in text.encode())
        + '"'
    )


def _is_odd(byte: int) -> bool:
    return not (byte < 128 and (chr(byte).isalnum() or chr(byte) in "_:"))
