"""`msm tasks`: what one can fine-tune on and probe with."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.errors import StrategyError
from mergekit_speech.registry import TASKS

if TYPE_CHECKING:
    from mergekit_speech.tasks.parts.task import Budget, Task

SUMMARY = ("title", "reads", "field", "needs", "fine_tuning", "probing", "metrics")
"""What the list says of a task."""


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
    from rich.table import Column, Table

    from mergekit_speech.tasks.parts.task import USUAL_NEEDS

    rows = [{"name": name, **_summarise(name)} for name in TASKS.names()]
    budgets = [Column(title, no_wrap=True) for title in ("fine-tuning", "probing")]
    table = Table("task", "what it is; folder: field", *budgets, "metrics", padding=(0, 1, 1, 1))
    for row in rows:
        needs = "" if row["needs"] == USUAL_NEEDS else row["needs"]
        reads = f"{row['reads']}: {row['field']}" if row["field"] else ""
        what = "\n".join(filter(None, (row["title"], reads, needs)))
        table.add_row(row["name"], what, *(row[key].replace(", ", "\n") for key in SUMMARY[-3:]))
    out.table(table)
    out.table(f"Defaults are steps × clips, and learning rate. Data need {USUAL_NEEDS}, unless it says otherwise.")
    out.result({"tasks": rows})


def _summarise(name: str) -> dict[str, str]:
    # One broken plugin must not hide the others.
    try:
        task: Task = TASKS.load(name)
    except StrategyError as error:
        return {"title": f"cannot be loaded: {error}", **dict.fromkeys(SUMMARY[1:], "")}
    metrics = ", ".join(metric.title for metric in task.metrics)
    folders = " or ".join(task.folders or (task.name,))
    told = (task.title, folders, task.field, task.needs, _spell(task, task.tuning), _spell(task, task.probing), metrics)
    return dict(zip(SUMMARY, told, strict=True))


def _spell(task: Task, budget: Budget) -> str:
    if not task.trains:
        return "trains no head"
    clips = f"{budget.clips}" if budget.accumulate == 1 else f"{budget.accumulate} × {budget.clips}"
    return f"{budget.steps:,} × {clips}, lr {budget.learning_rate:g}"


def _describe(task: Task, out: Output) -> None:
    from rich.table import Table
    from rich.text import Text

    metrics = ", ".join(f"{m.title} ({'lower' if m.lower_is_better else 'higher'} is better)" for m in task.metrics)
    folders = " or ".join(f"DATA/{folder}/manifest.jsonl" for folder in task.folders or (task.name,))
    chooses = "the first one picks the checkpoint" if task.trains else "the first one picks the hidden state"
    about = _about(task)
    apart = "; no speaker of test clips in the others" if task.apart else ""
    out.table(Text(f"{about or f'{task.name}: {task.title}'}\n\nreads    {folders}, field {task.field!r}"))
    out.table(Text(f"needs    {task.needs}{apart}"))
    out.table(Text(f"reports  {metrics}; {chooses}\n"))
    budgets = {"fine-tuning": task.tuning, "probing": task.probing} if task.trains else {}
    table = Table(
        "default budget", "steps", "learning rate", "clips a batch", "batches a step", "steps to a validation"
    )
    for name, budget in budgets.items():
        shown = (budget.steps, budget.learning_rate, budget.clips, budget.accumulate, budget.evaluate_every)
        table.add_row(name, *(f"{number:,g}" for number in shown))
    out.table(table if budgets else Text("trains no head, so an encoder cannot be fine-tuned on it"))
    out.result(
        {
            "name": task.name,
            "title": task.title,
            "about": about,
            "field": task.field,
            "needs": task.needs,
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
