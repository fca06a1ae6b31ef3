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
    keys = {
        "name": "task",
        "title": "what it is",
        "reads": "reads DATA/…",
        "field": "field",
        "fine_tuning": "fine-tuning",
        "metrics": "metrics",
    }
    table = Table(*keys.values())
    for row in rows:
        table.add_row(*row)
    out.table(table)
    out.result({"tasks": [dict(zip(keys, row, strict=True)) for row in rows]})


def _summarise(name: str) -> tuple[str, str, str, str, str]:
    # One broken plugin must not hide the others.
    try:
        task: Task = TASKS.load(name)
    except StrategyError as error:
        return f"cannot be loaded: {error}", "", "", "", ""
    folders = " or ".join(task.folders or (task.name,))
    return task.title, folders, task.field, _spell(task), ", ".join(metric.title for metric in task.metrics)


def _spell(task: Task) -> str:
    if not task.trains:
        return "trains no head"
    budget = task.tuning
    clips = f"{budget.clips} clips" if budget.accumulate == 1 else f"{budget.accumulate} × {budget.clips} clips"
    return f"{budget.steps:,} × {clips}, lr {budget.learning_rate:g}"


def _describe(task: Task, out: Output) -> None:
    from rich.table import Table
    from rich.text import Text

    metrics = ", ".join(f"{m.title} ({'lower' if m.lower_is_better else 'higher'} is better)" for m in task.metrics)
    folders = " or ".join(f"DATA/{folder}/manifest.jsonl" for folder in task.folders or (task.name,))
    chooses = "the first one picks the checkpoint" if task.trains else "the first one picks the hidden state"
    about = _about(task)
    apart = "; no speaker of test clips in the others" if task.apart else ""
    reads = f"{folders}, field {task.field!r}{apart}"
    out.table(Text(f"{about or f'{task.name}: {task.title}'}\n\nreads    {reads}"))
    out.table(Text(f"reports  {metrics}; {chooses}\n"))
    budgets = {"fine-tuning": task.tuning, "probing": task.probing} if task.trains else {}
    table = Table(
        "default budget", "steps", "learning rate", "clips a batch", "batches a step", "steps to a validation"
    )
    for name, budget in budgets.items():
        shown = (budget.steps, budget.learning_rate, budget.clips, budget.accumulate, budget.evaluate_every)
        table.add_row(name, *map(str, shown))
    out.table(table if budgets else Text("trains no head, so an encoder cannot be fine-tuned on it"))
    out.result(
        {
            "name": task.name,
            "title": task.title,
            "about": about,
            "field": task.field,
            "trains": task.trains,
            "metrics": [asdict(metric) for metric in task.metrics],
            "budgets": {name: asdict(budget) for name, budget in budgets.items()},
        }
    )


def _about(task: Task) -> str:
    """What the module of a built-in task says of it, a paragraph a line; empty for a plugin's."""
    import inspect
    import sys

    module = sys.modules.get(f"{TASKS.package}.{task.name}")
    paragraphs = (inspect.getdoc(module) or "").split("\n\n") if module else []
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
