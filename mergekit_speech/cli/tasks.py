"""`msm tasks`: what one can fine-tune on and probe with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.errors import StrategyError
from mergekit_speech.registry import TASKS

if TYPE_CHECKING:
    from mergekit_speech.tasks.parts.task import Task


@click.command()
@click.argument("name", required=False)
@common_options
def command(out: Output, /, *, name: str | None) -> None:
    """List the tasks, or describe the one called NAME."""
    if name is None:
        _list(out)
    else:
        _describe(TASKS.load(name), out)


def _list(out: Output) -> None:
    from rich.table import Table

    rows = [(name, *_summarise(name)) for name in TASKS.names()]
    table = Table("task", "what it is", "manifest field", "metrics")
    for row in rows:
        table.add_row(*row)
    out.table(table)
    out.result({"tasks": [dict(zip(("name", "title", "field", "metrics"), row, strict=True)) for row in rows]})


def _summarise(name: str) -> tuple[str, str, str]:
    # One broken plugin must not hide the others.
    try:
        task: Task = TASKS.load(name)
    except StrategyError as error:
        return f"cannot be loaded: {error}", "", ""
    return task.title, task.field, ", ".join(metric.title for metric in task.metrics)


def _describe(task: Task, out: Output) -> None:
    from rich.table import Table
    from rich.text import Text

    metrics = ", ".join(f"{m.title} ({'lower' if m.lower_is_better else 'higher'} is better)" for m in task.metrics)
    out.table(Text(f"{task.name}: {task.title}\n\nreads    DATA/{task.name}/manifest.jsonl, field {task.field!r}"))
    out.table(Text(f"reports  {metrics}; the first one picks the checkpoint\n"))
    table = Table(
        "default budget", "steps", "learning rate", "clips a batch", "batches a step", "steps to a validation"
    )
    budgets = {"fine-tuning": task.tuning, "probing": task.probing}
    for name, budget in budgets.items():
        table.add_row(name, *map(str, asdict(budget).values()))
    out.table(table)
    out.result(
        {
            "name": task.name,
            "title": task.title,
            "field": task.field,
            "metrics": [asdict(metric) for metric in task.metrics],
            "budgets": {name: asdict(budget) for name, budget in budgets.items()},
        }
    )
