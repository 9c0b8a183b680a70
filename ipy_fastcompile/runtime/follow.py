"""model -> Binding: the execution code bound to the model's tensors, anew when it has others."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..artifact.schema import Program
from ..errors import ParameterError
from ..frozen import frozen
from .bind import ExecutionParts
from .functions import Bind, Functions
from .parameters import Found, Lookup, Source, find_parameters, module_of
from .watch import Watch

if TYPE_CHECKING:
    from .sharing import Apart


@frozen
class Binding:
    """What a call runs, until the model has other tensors.

    ``apart`` is None where the call writes to nothing but its own memory.
    """

    functions: Functions
    parts: ExecutionParts
    watch: Watch
    apart: Apart | None


class Follower:
    """Binds an artifact to a model, and to the tensors that the model has later.

    ``bind`` makes functions of parameters, which have these ``names``. The model is not kept alive;
    of a mapping, the tensors are that it had at first.
    """

    def __init__(
        self,
        source: Source,
        program: Program,
        stored: Mapping[str, torch.Tensor],
        bind: Bind,
        kernels: Sequence[Callable[..., Any]],
        constants: Sequence[torch.Tensor],
    ) -> None:
        self.program = program
        self._stored = stored
        self._bind = bind
        self._kernels = kernels
        self._constants = constants
        self.names = list(program.parameters.names)
        module = module_of(source)
        self._module = None if module is None else weakref.ref(module)
        self._found: Mapping[str, torch.Tensor] = {}
        self.binding = self._bind_to(source)

    def __call__(self) -> Binding:
        """The binding to the tensors that the model has now.

        Raises ParameterError naming the first one that does not fit the artifact any more.
        """
        binding = self.binding
        if binding.watch.holds():
            return binding
        module = None if self._module is None else self._module()
        try:
            with torch.inference_mode(False):
                binding = self._bind_to(self._found if module is None else module)
        except ParameterError as error:
            raise ParameterError(
                f"The model has changed since it was loaded. {error.what}",
                "Undo the change, or compile the model as it is now.",
                **error.facts,
            ) from error
        self.binding = binding  # one assignment: calls in other threads see the old or the new one
        return binding

    @property
    def module(self) -> torch.nn.Module | None:
        """The module that it is bound to; None for a mapping, and where it is gone."""
        return None if self._module is None else self._module()

    def of_model(self) -> dict[str, torch.Tensor | None]:
        """The model's own tensors by name, with all that autograd knows of them."""
        module = None if self._module is None else self._module()
        lookup = Lookup(self._found if module is None else module, self._stored)
        return {name: lookup.get(name)[0] for name in self.names}

    def _bind_to(self, source: Source) -> Binding:
        program = self.program
        lookup = Lookup(source, self._stored)
        found = find_parameters(lookup, program.parameters, self._stored)
        if lookup.root is not None and any(p is None or p.holder is None for p in found.places):
            from .attributes import with_attributes  # rare, as what is below; a load counts in ms

            written = program.written
            found = with_attributes(lookup, program.parameters, found, self._stored, written)
        every, apart = found, None
        if program.ties or program.written or program.written_inputs:
            every, apart = self._shared(lookup, found)
        parts = ExecutionParts(self._kernels, found.tensors, self._constants)
        self._found = dict(zip(self.names, found.tensors, strict=True))
        return Binding(self._bind(parts), parts, Watch(lookup, every), apart)

    def _shared(self, lookup: Lookup, found: Found) -> tuple[Found, Apart | None]:
        """What was found with its ties, and how inputs are kept apart from what a call writes."""
        from .sharing import Apart, check_apart, find_ties

        program, names = self.program, self.names
        ties = find_ties(lookup, found, names, program.ties, program.written)
        check_apart(names, found.tensors, program.written)
        every = Found(found.tensors + ties.tensors, found.places + ties.places, found.guard)
        if not (program.written or program.written_inputs):
            return every, None
        paths = [entry.path for entry in program.signature.inputs]
        return every, Apart(names, found.tensors, program.written, paths, program.written_inputs)
