"""What reaches stdout and stderr under --json, --quiet and --debug, and the exit codes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.errors import DataError, MsmError, OutputError, SettingsError


def invoke(body: Callable[[Output], None], *arguments: str) -> Result:
    """Run a command that does nothing but `body`."""
    return CliRunner().invoke(click.command("probe")(common_options(body)), arguments)


def fail_with(error: BaseException) -> Callable[[Output], None]:
    def body(out: Output) -> None:
        raise error

    return body


def everything(out: Output) -> None:
    from rich.table import Table

    print("a library that prints")
    out.log("reading")
    table = Table("task")
    table.add_row("pr")
    out.table(table)
    out.result({"per": 0.25})


def test_plain_run_prints_the_table_and_logs_to_stderr() -> None:
    done = invoke(everything)
    assert "pr" in done.stdout
    assert "0.25" not in done.stdout
    assert done.stderr == "reading\n"


def test_json_is_the_only_thing_on_stdout() -> None:
    done = invoke(everything, "--json")
    assert json.loads(done.stdout) == {"per": 0.25}
    assert done.stderr == "a library that prints\nreading\n"


def test_quiet_silences_logs_but_not_the_result() -> None:
    done = invoke(everything, "--quiet")
    assert done.stderr == ""
    assert "pr" in done.stdout


def test_json_document_is_plain_and_standard() -> None:
    figures = {"nan": math.nan, "inf": -math.inf, "numpy": np.float32(0.5), "path": Path("a/b"), "list": (1, "π")}
    done = invoke(lambda out: out.result({"figures": figures}), "--json")
    expected = {"nan": None, "inf": None, "numpy": 0.5, "path": "a/b", "list": [1, "π"]}
    assert json.loads(done.stdout) == {"figures": expected}


def test_wide_table_is_not_cut_without_a_terminal() -> None:
    from rich.table import Table

    cells = [f"column_{index}" for index in range(13)]
    assert all(cell in invoke(lambda out: out.table(Table(*cells))).stdout for cell in cells)


@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--json"]])
def test_progress_is_silent_without_a_terminal(flags: list[str]) -> None:
    def body(out: Output) -> None:
        with out.progress() as progress:
            progress.advance(progress.add_task("training", total=3))

    done = invoke(body, *flags)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (MsmError("m"), 1),
        (SettingsError("alpha is 2"), 2),
        (DataError("no clip 'a.wav'"), 3),
        (OutputError("disk full"), 1),
    ],
)
def test_error_on_purpose_is_one_line_and_its_exit_code(error: MsmError, exit_code: int) -> None:
    said = invoke(fail_with(error))
    assert (said.exit_code, said.stdout, said.stderr) == (exit_code, "", f"Error: {error}\n")


def test_unexpected_error_is_one_line_that_names_debug() -> None:
    said = invoke(fail_with(KeyError("a\nb")))
    assert said.exit_code == 1
    assert said.stderr == r"Error: unexpected KeyError: 'a\nb'; run again with --debug for the traceback" + "\n"


def test_debug_shows_the_traceback() -> None:
    said = invoke(fail_with(ZeroDivisionError("by zero")), "--debug")
    assert said.exit_code == 1
    assert said.stderr.startswith("Traceback (most recent call last):")
    assert said.stderr.endswith("Error: unexpected ZeroDivisionError: by zero\n")


def test_interrupt_is_one_line() -> None:
    said = invoke(fail_with(KeyboardInterrupt()))
    assert (said.exit_code, said.stderr) == (1, "Error: stopped by Ctrl-C\n")


def test_usage_error_of_a_command_stays_clicks_own() -> None:
    said = invoke(fail_with(click.UsageError("give --base")))
    assert said.exit_code == 2
    assert said.stderr.endswith("Error: give --base\n")


def test_closed_pipe_is_left_to_click() -> None:
    assert isinstance(invoke(fail_with(BrokenPipeError())).exception, BrokenPipeError)
