"""The options of `msm bench` and `msm sweep` that say what is probed, on what and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli._groups import option_group
from mergekit_speech.cli._lists import read_list, read_number, read_per_task

if TYPE_CHECKING:
    from mergekit_speech.superb.settings import Overrides

probing_options = option_group(
    click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <task>/manifest.jsonl."),
    click.option("--tasks", required=True, metavar="NAMES", help="Tasks, such as pr,sid; `msm tasks` lists them."),
    click.option("--output", type=click.Path(path_type=Path), required=True, help="Report folder to write."),
    click.option(
        "--seeds",
        default="0,1,2",
        show_default=True,
        metavar="LIST",
        help="A probe of each task for each of these seeds.",
    ),
    click.option("--steps", metavar="N", help="Optimizer steps of a probe.  [default: SUPERB's]"),
    click.option("--lr", metavar="RATE", help="Learning rate of a probe.  [default: SUPERB's]"),
    click.option("--batch", metavar="N", help="Clips in a batch.  [default: SUPERB's]"),
    click.option("--accumulate", metavar="N", help="Batches in a step.  [default: SUPERB's]"),
    click.option("--evaluate-every", metavar="N", help="Steps between validations.  [default: a 25th of --steps]"),
    click.option(
        "--folds",
        type=click.IntRange(min=1),
        metavar="N",
        help="Test the first N folds of er alone.  [default: all five]",
    ),
    click.option(
        "--references",
        default="speech-ft",
        show_default=True,
        metavar="NAME",
        help="Reference figures of the SUPERB score: speech-ft or superb-site.",
    ),
)
"""Gives a command the options; `read_seeds` and `read_overrides` read those that are not a place or a name."""

NUMBERS = ("steps", "lr", "batch", "accumulate", "evaluate_every", "folds")
"""The names under which a command gets what `read_overrides` reads."""


def read_seeds(text: str) -> list[int]:
    """The seeds.

    Raises:
        click.UsageError: One is no whole number.
    """
    return [read_number(each, int, "--seeds") for each in read_list(text)]


def read_overrides(
    *,
    steps: str | None,
    lr: str | None,
    batch: str | None,
    accumulate: str | None,
    evaluate_every: str | None,
    folds: int | None,
) -> Overrides:
    """What is done otherwise than in SUPERB.

    Raises:
        click.UsageError: Something is no number, or a task comes twice.
    """
    from mergekit_speech.superb.settings import Overrides

    return Overrides(
        steps=read_per_task(steps, int, "--steps"),
        learning_rate=read_per_task(lr, float, "--lr"),
        clips=read_per_task(batch, int, "--batch"),
        accumulate=read_per_task(accumulate, int, "--accumulate"),
        evaluate_every=read_per_task(evaluate_every, int, "--evaluate-every"),
        folds=folds,
    )
