"""The options of `msm finetune` that choose what is learnt: tasks, or unlabelled speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._groups import option_group

if TYPE_CHECKING:
    from mergekit_speech.finetuning.unsupervised import Unlabelled

scenario_options = option_group(
    click.option("--task", "tasks", multiple=True, metavar="NAME", help="Task to tune on; several for a head each."),
    click.option("--task-weight", multiple=True, metavar="NAME=WEIGHT", help="Factor of a task's loss.  [default: 1]"),
    click.option(
        "--temperature", type=float, help="Of drawing tasks: 1 takes all clips alike, 1000 all tasks.  [default: 1]"
    ),
    click.option("--unlabelled", multiple=True, metavar="FOLDER", help="Continue pre-training on its clips instead."),
    click.option(
        "--targets",
        type=click.Choice(["codebook", "kmeans"]),
        help="Codes to predict: by the base's own head, or by k-means.  [default: codebook if there is one]",
    ),
    click.option("--clusters", type=int, help="Codes of k-means.  [default: 100]"),
    click.option("--cluster-layer", type=int, help="Layer that k-means clusters.  [default: two thirds of the way up]"),
)
"""Gives a command the options that `read_scenario` reads."""


def read_scenario(
    *,
    tasks: tuple[str, ...],
    task_weight: tuple[str, ...],
    temperature: float | None,
    unlabelled: tuple[str, ...],
    targets: str | None,
    clusters: int | None,
    cluster_layer: int | None,
) -> dict[str, Any]:
    """Reads the options into arguments of `finetune`: `task`, `mixture` and `unlabelled`, as far as they are given.

    Raises:
        UsageError: Options do not go together, or a weight is no number.
        SettingsError: A number is out of range.
    """
    from mergekit_speech.finetuning.joint import Mixture

    if bool(tasks) == bool(unlabelled):
        raise click.UsageError("expected --task, or --unlabelled, came both or neither")
    if unlabelled:
        return {"unlabelled": _read_unlabelled(unlabelled, targets, clusters, cluster_layer)}
    if targets is not None or clusters is not None or cluster_layer is not None:
        raise click.UsageError("--targets, --clusters and --cluster-layer are for --unlabelled")
    mixed = bool(task_weight) or temperature is not None
    if mixed and len(tasks) == 1:
        raise click.UsageError("--task-weight and --temperature are for several tasks; give --task for each")
    if not mixed:
        return {"task": list(tasks)}
    weights = dict(map(_read_weight, task_weight))
    return {"task": list(tasks), "mixture": Mixture(weights, 1.0 if temperature is None else temperature)}


def _read_unlabelled(folders: tuple[str, ...], targets: Any, clusters: int | None, layer: int | None) -> Unlabelled:
    from mergekit_speech.finetuning.unsupervised import CLUSTERS, Unlabelled

    return Unlabelled(folders, targets, CLUSTERS if clusters is None else clusters, layer)


def _read_weight(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise click.UsageError(f"expected --task-weight NAME=WEIGHT, came {text!r}") from None
