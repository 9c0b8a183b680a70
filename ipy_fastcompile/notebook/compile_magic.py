"""``%fastcompile`` and ``%%fastcompile`` -> a call compiled, measured and saved; its report shown.

The cell runs as any cell. The call in it comes from the cache, or from the compiler that fills it.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import Bool, Int

from ..interrupts import check_whole, interrupts_deferred
from ..measure import check, weigh
from ..records import Progress
from .arguments import Options, expand_options, read_options
from .asked import AskedCall, asked_of, runs_again
from .awaiting import await_magics
from .cell import name_cells, run_last_call
from .completion import option_matcher
from .intercept import run_noted
from .mistakes import BAD_INPUT, forget_frames
from .options import COMPILE_OPTIONS, OPTIONS, takes
from .outputs import cell_key, give, has_frontend, show_explorer, show_text
from .previewing import show_preview
from .progress import Bar, make_bar
from .races import Races
from .racing import is_attended, race_note, race_outputs, wants_race
from .saving import check_right, check_save_path
from .scope import nothing_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


@magics_class
class FastCompileMagics(Magics):
    """The compile, its settings (``%config FastCompileMagics.runs = 5``), and what it showed."""

    shell: InteractiveShell
    explorer = Bool(True, help="Show the explorer below the report.").tag(config=True)
    warm = Bool(True, help="Time the warm reload in fresh processes.").tag(config=True)
    runs = Int(
        None,
        allow_none=True,
        min=1,
        help="Fresh processes for each reload path; None: as many as the noise asks for.",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.matcher = option_matcher(OPTIONS, self._names)
        self.await_magics = await_magics(shell)
        self.explorers: dict[str, Any] = {}  # cell -> the widget it shows
        self.races = Races()

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
        a report, and in a notebook the explorer. How long a warm reload takes is found out beside
        the session, and shown when it is known; with ``--wait`` the cell waits for it.

        With ``-m`` it is all calls of a model in the cell, each kind of call as a program of one
        artifact. Where there is more than one call, the cell is then run once more with what was
        compiled, and its value is that of this run.

        Examples::

            %%fastcompile --dynamic input_ids:1 --save llama.fastcompile
            model(input_ids)

            %fastcompile -o compiled model(x)

            %%fastcompile --preview --split-at aten::linear
            model(input_ids)

            %%fastcompile -m pipe.unet
            images = pipe(prompt)

            %%fastcompile -m model --save generate.fastcompile
            model.generate(ids, max_new_tokens=32)
        """
        __tracebackhide__ = True
        is_cell = cell is not None
        line = expand_options(line, COMPILE_OPTIONS, self._expand, is_cell=is_cell)
        magic: Any = type(self).fastcompile
        options = read_options(magic.parser, line, is_cell=is_cell)
        if options.help:
            return show_text(magic.__doc__)
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
            if options.preview:
                return show_preview(self.shell, options, callee, args, kwargs)
            asked = AskedCall(args, kwargs, options.dynamic)
            return self._compile_and_show(options, key, callee, asked, run=True)

        def on_calls(callee: Any, calls: Any) -> Any:
            __tracebackhide__ = True
            asked = asked_of(calls, options)
            compiled = self._compile_and_show(options, key, callee, asked, run=False)
            return runs_again(compiled, callee, calls)

        place: dict[str, Any] = {"header": 1} if is_cell else {"local_ns": local_ns}
        try:
            if options.model is not None:
                auto = options.dynamic == "auto"
                value = run_noted(self.shell, source, options.model, on_calls, **place, auto=auto)
            else:
                value = run_last_call(self.shell, source, on_call, **place)
        except UsageError as error:
            raise forget_frames(error) from error.__cause__
        if not self.shell.displayhook.semicolon_at_end_of_expression(source):
            return value
        return nothing_of(value) if inspect.iscoroutine(value) else None

    def _compile_and_show(
        self, options: Options, key: str, callee: Any, asked: AskedCall, *, run: bool
    ) -> Any:
        """Compile what is asked and show it; returns what was compiled, or gives when it is run."""
        __tracebackhide__ = True
        self.races.vacate(key, callee)
        # Nobody would see how long the reloads of a quiet compile take; a difference is told.
        is_seen = not options.quiet or options.output is not None
        checks = options.race or (options.warm and self.warm and is_seen)
        waits = options.wait or not is_attended(self.shell)
        in_notebook = has_frontend(self.shell)
        bar = make_bar(
            in_notebook=in_notebook, quiet=options.quiet, checks=checks, races=checks and waits
        )
        bundle = standing = None
        try:
            compiled = _compile(options, bar, callee, asked)
            if options.output is not None:
                give(self.shell, compiled, options.output)  # kept, whatever happens from here on
            if checks or options.save is not None:
                compiled.report = check(
                    compiled,
                    callee,
                    asked.args,
                    asked.kwargs,
                    **asked.several,
                    progress=bar.update if checks else None,
                )
            if options.save is not None:
                check_right(compiled.report, options)
                compiled.save(options.save)
            elif checks:
                compiled.report = weigh(compiled)
            value = compiled(*asked.args, **asked.kwargs) if run else compiled
            races = checks and wants_race(options, compiled.report)
            runs = options.runs or self.runs
            if races and waits:
                standing = self.races.run(key, compiled, callee, bar, runs=runs)
                races = False
            if options.quiet and compiled.report.difference:
                sys.stderr.write(f"{compiled.report.difference}\n")
            if not options.quiet:
                note = race_note(compiled.report, standing, is_begun=races, in_notebook=in_notebook)
                from ..show.html import mime_bundle

                bundle = mime_bundle(compiled.report, note)
        except BAD_INPUT as error:
            raise UsageError(name_cells(self.shell, str(error))) from error
        finally:
            bar.finish(bundle)
        shown = race_outputs(self.shell, compiled.report) if races and not options.quiet else []
        if in_notebook and options.explorer and self.explorer and not options.quiet:
            explorer = compiled.explore()
            show_explorer(explorer, key, self.explorers)
            shown.append(explorer.show_race)
        if races:
            self.races.begin(key, compiled, callee, shown, runs=runs)
        return value

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


def _compile(options: Options, bar: Bar, callee: Any, asked: AskedCall) -> Any:
    # The engine tells where it is as soon as it is imported, and that takes seconds.
    bar.update(Progress("capture", 0, 1))
    check_whole()
    with interrupts_deferred():
        from ..cache.cached import compile_cached
    return compile_cached(
        callee,
        asked.args,
        asked.kwargs,
        **asked.several,
        dynamic=asked.dynamic,
        split_at=options.split_at,
        sizes=options.sizes,
        progress=bar.update,
        force=options.force,
        assert_warm=options.assert_warm,
        explain=options.explain,
    ).model
