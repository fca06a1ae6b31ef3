"""What a command says, and where: results on stdout, progress and logs on stderr, errors in one line."""

from __future__ import annotations

import functools
import io
import json
import logging
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TextIO

import click

from mergekit_speech.errors import MsmError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

P = ParamSpec("P")

# Wide enough for a table of all tasks when there is no terminal to ask.
WIDTH_WITHOUT_TERMINAL = 160
# What huggingface_hub looks at when it is imported, which is later, if ever.
SILENT_HUB = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_VERBOSITY": "error"}


@dataclass(frozen=True)
class Output:
    """The streams of one command, under its --json, --quiet and --debug.

    Attributes:
        json: Put one JSON document on stdout and nothing else.
        quiet: Neither logs nor progress.
        debug: Show the traceback of an error.
        stdout: Where results go. Under --json, `sys.stdout` itself leads to stderr while the command runs.
    """

    json: bool
    quiet: bool
    debug: bool
    stdout: TextIO

    def log(self, text: str) -> None:
        """Write a line to stderr, unless quiet."""
        if not self.quiet:
            click.echo(text, err=True)

    def progress(self) -> Progress:
        """Make a progress display on stderr; it shows nothing under --quiet or --json, or without a terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=self.quiet or self.json or not console.is_terminal,
        )

    def table(self, renderable: RenderableType) -> None:
        """Print a table, or anything else that rich renders, to stdout, unless --json asks for the document only."""
        if self.json:
            return
        from rich.console import Console

        width = None if self.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
        Console(file=self.stdout, width=width).print(renderable)

    def result(self, document: Mapping[str, object]) -> None:
        """Write the command's result as one JSON document to stdout, under --json; call it once.

        Args:
            document: Plain data; paths become strings, numpy scalars numbers, and NaN and infinities null.
        """
        if self.json:
            click.echo(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False), file=self.stdout)


def common_options(function: Callable[Concatenate[Output, P], None]) -> Callable[..., None]:
    """Give a command --json, --quiet and --debug, and turn its errors into one line and an exit code.

    Args:
        function: The command's body. It gets an `Output` before its own parameters.
    """

    @click.option("--json", "as_json", is_flag=True, help="Put one JSON document on stdout and nothing else.")
    @click.option("--quiet", is_flag=True, help="Show neither progress nor logs.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        flags = {name: bool(kwargs.pop(name)) for name in ("as_json", "quiet", "debug")}
        _refuse_launcher(click.get_current_context().info_name)
        # Of several processes of a launcher only the first one speaks, except of its errors.
        first = os.environ.get("RANK", "0") == "0"
        stdout = sys.stdout if first else io.StringIO()
        out = Output(flags["as_json"], flags["quiet"] or not first, flags["debug"], stdout)
        if out.quiet or out.json or not sys.stderr.isatty():
            os.environ.update(SILENT_HUB)
        # A library that prints must not spoil the document.
        with redirect_stdout(sys.stderr) if out.json else nullcontext(), _told(out):
            _run(functools.partial(function, out, *args, **kwargs), debug=out.debug)

    return wrapper


def _refuse_launcher(command: str | None) -> None:
    if command != "finetune" and "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise click.UsageError(
            f"expected one process of 'msm {command}', came {os.environ['WORLD_SIZE']}: start it without a launcher;"
            " only 'msm finetune' is shared by several"
        )


class _Lines(logging.Handler):
    """What the library logs, as lines of a command."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        self._out.log(record.getMessage())


@contextmanager
def _told(out: Output) -> Iterator[None]:
    logger, lines = logging.getLogger("mergekit_speech"), _Lines(out)
    logger.addHandler(lines)
    try:
        yield
    finally:
        logger.removeHandler(lines)


def _run(body: Callable[[], None], *, debug: bool) -> None:
    try:
        body()
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        click.echo(f"Error: {_describe(error, debug=debug)}", err=True)
        raise click.exceptions.Exit(error.exit_code if isinstance(error, MsmError) else 1) from error


def _describe(error: BaseException, *, debug: bool) -> str:
    if isinstance(error, MsmError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "stopped by Ctrl-C"
    text = " ".join(str(error).split())
    hint = "" if debug else "; run again with --debug for the traceback"
    return f"unexpected {type(error).__name__}: {text}{hint}"


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
