"""The command `msm`: one module a command in this package, imported only when that command runs."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

import click

from mergekit_speech import __version__

COMMANDS = {
    "finetune": "Fine-tune an encoder on a task with the stable schedule.",
    "merge": "Merge tuned encoders into their base.",
    "run": "Fine-tune, merge and bench as one file says.",
    "statistics": "Gather statistics of an encoder, for merging by data.",
    "prepare": "Write manifests of an official corpus.",
    "index": "Write manifests of Lhotse's cuts, recordings or Shar folders.",
    "bench": "Probe frozen encoders on SUPERB tasks and compare them.",
    "sweep": "Probe merges along alpha and other settings; pick the best.",
    "analyze": "Compare features and weights of encoders with their base.",
    "compare": "Put the encoders of several benches side by side.",
    "report": "Make the table, plots and page of a report again.",
    "pretrain": "Pre-train a small encoder on unlabelled audio.",
    "extract-lora": "Write the LoRA adapter nearest to a tuned encoder.",
    "unmask": "Turn a merged encoder with masks back into one of the tuned.",
    "push": "Upload a merged encoder to the hub.",
    "demo": "Run all three on the shipped encoder and clips.",
    "recipes": "List the ready recipes for merge, or print one.",
    "convert": "Write an encoder in the layout of transformers or of s3prl.",
    "inspect": "Show what a checkpoint holds, and where it comes from.",
    "diff": "Show per layer how far two checkpoints are from one another.",
    "strategies": "List the merge strategies, or describe one.",
    "tasks": "List the tasks, or describe one.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-line help, and imports only the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of the work, not of the alphabet."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises:
            click.UsageError: There is no such command; the message offers the nearest.
        """
        if args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command.

        Raises:
            click.ClickException: The module of a known command cannot be imported.
        """
        if cmd_name not in COMMANDS:
            return None
        module_name = f"{__name__}.{cmd_name.replace('-', '_')}"
        try:
            command = import_module(module_name).command
        except ImportError as error:
            raise click.ClickException(
                f"'msm {cmd_name}' cannot be loaded: {error}; reinstall mergekit-speech, "
                f"or run `python -c 'import {module_name}'` for the traceback"
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{module_name}.command is {command!r}; expected a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="msm")
def main() -> None:
    """Fine-tune speech encoders stably, merge them back into their base, and measure what that bought.

    The usual path: msm finetune, msm merge, msm bench. `msm demo` shows all three within two minutes.
    """
