"""Magic -> one call of the public API, its result shown.

``%%fastcompile`` is `cache.cached.compile_cached`, ``%fastcompile_load`` is `load`,
``%fastcompile_inspect`` is `inspect`. torch is imported when the first of them needs it.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from IPython.display import display
from traitlets import Bool, Int

import ipy_fastcompile

from .. import errors
from ..interrupts import import_whole
from ..measure import is_compared, measure
from ..records import Progress
from .arguments import Options, check_name, expand_options, near, read_options, read_words
from .awaiting import await_magics
from .cache_magic import CacheMagics
from .cell import name_cells, run_last_call
from .completion import option_matcher
from .intercept import MISSING, look_up, run_first_call, split_name
from .options import COMPILE_OPTIONS, INSPECT_OPTIONS, LOAD_OPTIONS, OPTIONS, takes
from .outputs import cell_key, forget_frames, has_frontend, report_bundle, show_explorer
from .progress import make_bar
from .saving import check_right, check_save_path
from .scope import nothing_of
from .verify_magic import VerifyMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..records import Report

OTHER_MAGICS = (CacheMagics, VerifyMagics)

# What a user can mend: shown as one sentence. Everything else keeps its traceback.
BAD_INPUT = (
    errors.ArtifactError,
    errors.CacheError,
    errors.CacheMiss,
    errors.CallError,
    errors.CaptureError,
    errors.HalfImported,
    errors.InputError,
    errors.KeyFileError,
    errors.OpMissing,
    errors.ParameterError,
    errors.SaveError,
    errors.SplitError,
    errors.TreeTypeMissing,
)


class Api:
    """The calls that the magics make; torch is imported by the first of them that needs it."""

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        """`cache.cached.compile_cached`: the model, from the cache if it is there."""
        import_whole(f"{ipy_fastcompile.__name__}.cache.cached")
        from ..cache.cached import compile_cached

        return compile_cached(*args, **kwargs).model

    def compared(self, *args: Any, **kwargs: Any) -> Report:
        """`verification.compared.compared`: the report with how far the model is from eager."""
        from ..verification.compared import compared

        return compared(*args, **kwargs)

    def measure(self, *args: Any, **kwargs: Any) -> Report:
        """`ipy_fastcompile.measure.measure`."""
        return measure(*args, **kwargs)

    def load(self, *args: Any, **kwargs: Any) -> Any:
        """`ipy_fastcompile.load`."""
        return ipy_fastcompile.load(*args, **kwargs)

    def inspect(self, path: Path) -> Any:
        """`ipy_fastcompile.inspect`."""
        return ipy_fastcompile.inspect(path)

    def compare(self, path: Path, other: Path) -> Any:
        """`ipy_fastcompile.foreign.compare.compare`."""
        from ..foreign.compare import compare

        return compare(path, other)


@magics_class
class FastCompileMagics(Magics):
    """The magics, their settings (``%config FastCompileMagics.runs = 5``), and what they showed."""

    shell: InteractiveShell
    explorer = Bool(True, help="Show the explorer below the report.").tag(config=True)
    warm = Bool(True, help="Time the warm reload in fresh processes.").tag(config=True)
    runs = Int(3, min=1, help="Fresh processes for each reload path.").tag(config=True)

    def __init__(self, shell: InteractiveShell, api: Api | None = None) -> None:
        super().__init__(shell)
        self.api = api or Api()
        self.matcher = option_matcher(OPTIONS, self._names)
        self.await_magics = await_magics(shell)
        self.explorers: dict[str, Any] = {}  # cell -> the widget it shows

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    @takes(COMPILE_OPTIONS)
    def fastcompile(
        self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None
    ) -> Any:
        """Compile the call at the end of a cell, and show what became of it.

        The cell runs as usual. Its last statement is a call, ``model(x)`` or ``out = model(x)``:
        the model is captured with these arguments, split, lowered, written as execution code and
        packed as an artifact. A call that was compiled before comes from the cache; the report
        says so, or what differs. The value of the call is that of the compiled model. Shown are
        a report, and in a notebook the explorer.

        Examples::

            %%fastcompile --dynamic input_ids:1 --save llama.fastcompile
            model(input_ids)

            %fastcompile -o compiled model(x)

            %%fastcompile -m pipe.unet
            images = pipe(prompt)
        """
        __tracebackhide__ = True
        is_cell = cell is not None
        line = expand_options(line, COMPILE_OPTIONS, self._expand, is_cell=is_cell)
        options = read_options(self._parser("fastcompile"), line, is_cell=is_cell)
        if options.help:
            return self._show_usage("fastcompile")
        source = options.code if cell is None else cell
        if not source.strip():
            raise UsageError(
                "There is nothing to compile: write %fastcompile model(x), or a cell that ends in"
                " the call. %fastcompile? shows the options."
            )
        if options.save is not None:
            check_save_path(options.save)
        key = cell_key(self.shell, source)

        def on_call(callee: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            __tracebackhide__ = True
            return self._compile(options, key, callee, args, kwargs)

        place: dict[str, Any] = {"header": 1} if is_cell else {"local_ns": local_ns}
        try:
            if options.model is not None:
                value = run_first_call(self.shell, source, options.model, on_call, **place)
            else:
                value = run_last_call(self.shell, source, on_call, **place)
        except UsageError as error:
            raise forget_frames(error) from error.__cause__
        if not self.shell.displayhook.semicolon_at_end_of_expression(source):
            return value
        return nothing_of(value) if inspect.iscoroutine(value) else None

    @line_magic
    @takes(LOAD_OPTIONS)
    def fastcompile_load(self, line: str) -> Any:
        """Load an artifact; the weights come from MODEL, by parameter name.

        The callable is the value of the line, or is stored with ``-o``.

        Examples::

            fn = %fastcompile_load llama.fastcompile model
            %fastcompile_load llama.fastcompile model -o fn --via torch
        """
        words = read_words(line, LOAD_OPTIONS, "fastcompile_load")
        found = self._parser("fastcompile_load").parse_args(words)
        if found.help:
            return self._show_usage("fastcompile_load")
        if found.path is None or found.model is None:
            raise UsageError("Two things are needed: %fastcompile_load PATH MODEL.")
        output = check_name(found.output)
        model = look_up(self.shell.user_ns, split_name(found.model))
        if model is MISSING:
            hint = near(found.model, self.shell.user_ns)
            raise UsageError(f"There is no {found.model} to take the weights from.{hint}")
        started = time.perf_counter()
        try:
            loaded = self.api.load(
                Path(found.path).expanduser(),
                model,
                via=found.via,
                trust=found.trust,
                on_mismatch=found.on_mismatch,
            )
        except BAD_INPUT as error:
            raise UsageError(str(error)) from error
        seconds = time.perf_counter() - started
        self._say(f"{found.path}: loaded along the {found.via} path in {1000 * seconds:.1f} ms")
        return self._give(loaded, output)

    @line_magic
    @takes(INSPECT_OPTIONS)
    def fastcompile_inspect(self, line: str) -> None:
        """Show what is in an artifact, or how two differ. Nothing in them is run or unpickled.

        Ours, or somebody else's: a file of ``aot_compile``, ``standalone_compile``, AOTInductor,
        ``torch.export`` or ``torch.compiler.precompile``, a Mega-Cache, a folder of Inductor's or
        vLLM's cache, or any pickle.

        Examples::

            %fastcompile_inspect llama.fastcompile
            %fastcompile_inspect yesterday.fastcompile today.fastcompile
            %fastcompile_inspect llama.fastcompile llama.pt2
        """
        words = read_words(line, INSPECT_OPTIONS, "fastcompile_inspect")
        found = self._parser("fastcompile_inspect").parse_args(words)
        if found.help:
            return self._show_usage("fastcompile_inspect")
        if found.path is None:
            raise UsageError("The path of an artifact is needed: %fastcompile_inspect PATH.")
        output = check_name(found.output)
        try:
            info = self._inspect(found.path, found.other)
        except BAD_INPUT as error:
            raise UsageError(str(error)) from error
        if hasattr(info, "_repr_mimebundle_"):
            display(info._repr_mimebundle_(), raw=True)
        else:
            self._say(str(info))
        if output is not None:
            self._give(info, output)
        return None

    def _compile(
        self,
        options: Options,
        key: str,
        callee: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Compile one call and show it; returns what the compiled model gives for it."""
        __tracebackhide__ = True
        # Nobody would see how long the reloads of a quiet compile take; a difference is told.
        is_seen = not options.quiet or options.output is not None
        warm = options.warm and self.warm and is_seen
        in_notebook = has_frontend(self.shell)
        bar = make_bar(in_notebook=in_notebook, quiet=options.quiet, warm=warm)
        bundle = None
        try:
            # The engine tells where it is as soon as it is imported, and that takes seconds.
            bar.update(Progress("capture", 0, 1))
            compiled = self.api.compile(
                callee,
                args,
                kwargs,
                dynamic=options.dynamic,
                split_at=options.split_at,
                sizes=options.sizes,
                progress=bar.update,
                force=options.force,
                assert_warm=options.assert_warm,
            )
            if options.output is not None:
                self._give(compiled, options.output)  # kept, whatever happens from here on
            if options.save is not None:
                if not is_compared(compiled.report):
                    compiled.report = self.api.compared(compiled, callee, args, kwargs)
                check_right(compiled.report, options)
                compiled.save(options.save)
            if warm:
                compiled.report = self.api.measure(
                    compiled,
                    callee,
                    args,
                    kwargs,
                    path=options.save,
                    runs=options.runs or self.runs,
                    progress=bar.update,
                )
            value = compiled(*args, **kwargs)
            if options.quiet and compiled.report.difference:
                sys.stderr.write(f"{compiled.report.difference}\n")
            if not options.quiet:
                bundle = report_bundle(compiled.report)
        except BAD_INPUT as error:
            raise UsageError(name_cells(self.shell, str(error))) from error
        finally:
            bar.finish(bundle)
        if in_notebook and options.explorer and self.explorer and not options.quiet:
            show_explorer(compiled.explore(), key, self.explorers)
        return value

    def _inspect(self, path: str, other: str | None) -> Any:
        first = Path(path).expanduser()
        if other is None:
            return self.api.inspect(first)
        return self.api.compare(first, Path(other).expanduser())

    def _give(self, result: Any, name: str | None) -> Any:
        if name is None:
            return result
        self.shell.push({name: result})
        return None

    def _say(self, text: str) -> None:
        display({"text/plain": text}, raw=True)

    def _names(self) -> list[str]:
        return [name for name in self.shell.user_ns if not name.startswith("_")]

    def _expand(self, text: str) -> str:
        """``{expression}`` and ``$name`` replaced as IPython does it where the magic is called."""
        depth, frame = 0, inspect.currentframe()
        while frame is not None and frame.f_code.co_name not in (
            "run_line_magic",
            "run_cell_magic",
        ):
            depth, frame = depth + 1, frame.f_back
        return str(self.shell.var_expand(text, depth + 1 if frame is not None else 0))

    def _parser(self, magic: str) -> argparse.ArgumentParser:
        parser = getattr(self, magic).parser
        assert isinstance(parser, argparse.ArgumentParser)
        return parser

    def _show_usage(self, magic: str) -> None:
        self._say(getattr(self, magic).__doc__)


def register(ipython: InteractiveShell) -> FastCompileMagics:
    """Add the magics and their completion to a shell."""
    magics = FastCompileMagics(ipython)
    ipython.register_magics(magics, *(kind(ipython) for kind in OTHER_MAGICS))
    ipython.Completer.custom_matchers.append(magics.matcher)
    ipython.input_transformers_post.append(magics.await_magics)
    return magics


def unregister(ipython: InteractiveShell) -> None:
    """Take away what `register` added: magics, completion, settings, and explorers still open."""
    magics = ipython.magics_manager.registry.pop(FastCompileMagics.__name__, None)
    if magics is None:
        return
    for kind in ipython.magics_manager.magics.values():
        for name in OPTIONS:
            kind.pop(name, None)
    ipython.Completer.custom_matchers.remove(magics.matcher)
    ipython.input_transformers_post.remove(magics.await_magics)
    ipython.configurables.remove(magics)
    for other in OTHER_MAGICS:
        ipython.configurables.remove(ipython.magics_manager.registry.pop(other.__name__))
    for widget in magics.explorers.values():
        widget.close()
