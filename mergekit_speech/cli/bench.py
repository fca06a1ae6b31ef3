"""`msm bench`: probe frozen encoders and compare them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from mergekit_speech.superb.results import ProbeResult
    from mergekit_speech.superb.settings import PerTask
    from mergekit_speech.training.events import Observer
    from mergekit_speech.training.settings import Goal

N = TypeVar("N", int, float)


@click.command()
@click.argument("encoders", nargs=-1, required=True, metavar="ENCODER...")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <task>/manifest.jsonl.")
@click.option("--tasks", required=True, metavar="NAMES", help="Tasks, such as pr,sid; `msm tasks` lists them.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Report folder to write.")
@click.option("--seeds", default="0,1,2", show_default=True, help="A probe of each task for each of these seeds.")
@click.option("--steps", metavar="N", help="Optimizer steps of a probe.  [default: SUPERB's]")
@click.option("--lr", metavar="RATE", help="Learning rate of a probe.  [default: SUPERB's]")
@click.option("--batch", metavar="N", help="Clips in a batch.  [default: SUPERB's]")
@click.option("--accumulate", metavar="N", help="Batches in a step.  [default: SUPERB's]")
@click.option("--evaluate-every", metavar="N", help="Steps between validations.  [default: a 25th of --steps]")
@click.option(
    "--references",
    default="speech-ft",
    show_default=True,
    metavar="NAME",
    help="Reference figures of the SUPERB score: speech-ft or superb-site.",
)
@click.option("--cache", type=read_size, default="4GB", show_default=True, help="Memory for hidden states.")
@click.option("--resume", is_flag=True, help="Take over the finished probes of an interrupted bench.")
@click.option("--overwrite", is_flag=True, help="Replace the report in --output.")
@common_options
def command(
    out: Output,
    encoders: tuple[str, ...],
    data: Path,
    tasks: str,
    output: Path,
    seeds: str,
    steps: str | None,
    lr: str | None,
    batch: str | None,
    accumulate: str | None,
    evaluate_every: str | None,
    references: str,
    cache: int,
    resume: bool,
    overwrite: bool,
) -> None:
    """Probe frozen encoders on SUPERB tasks, and compare them with the first one.

    An ENCODER is a transformers directory, a run folder of msm finetune, fbank or logmel for spectral features, or
    random:FOLDER for random weights of that encoder's shape; LABEL=ENCODER gives it a name in the table.

    Numbers hold for all tasks, or are given by task: --lr pr=1e-2,sid=1e-3. SUPERB's own are made for hundreds of
    hours of speech; on a few hours, --steps 1000 is plenty.
    """
    from mergekit_speech.reports.bench import bench
    from mergekit_speech.reports.bench_table import bench_table
    from mergekit_speech.superb.deltas import document

    with out.progress() as progress:
        report = bench(
            encoders,
            data=data,
            tasks=_split(tasks),
            output=output,
            seeds=[_number(text, int, "--seeds") for text in _split(seeds)],
            steps=_per_task(steps, int, "--steps"),
            learning_rate=_per_task(lr, float, "--lr"),
            clips=_per_task(batch, int, "--batch"),
            accumulate=_per_task(accumulate, int, "--accumulate"),
            evaluate_every=_per_task(evaluate_every, int, "--evaluate-every"),
            references=references,
            cache=cache,
            watcher=_Watcher(out, progress),
            resume=resume,
            overwrite=overwrite,
        )
    out.table(bench_table(report))
    out.log(f"report: {output}")
    out.result({"output": output, **document(report)})


class _Watcher:
    """Shows a line for all probes and one for what goes on; logs each finished probe."""

    def __init__(self, out: Output, progress: Progress) -> None:
        self._out, self._progress = out, progress
        self._all: TaskID | None = None
        self._encoding: TaskID | None = None

    def encoding(self, encoder: str, clips: int) -> None:
        self._clear()
        self._encoding = self._progress.add_task(f"{encoder}: hidden states", total=clips)

    def encoded(self) -> None:
        if self._encoding is not None:
            self._progress.advance(self._encoding)

    def crowded(self, encoder: str, task: str, clips: int) -> None:
        self._out.log(
            f"{encoder}: hidden states of {clips} clips of {task} do not fit into --cache and are computed again each"
            " time, which is slow"
        )

    def probing(self, encoder: str, task: str, seed: int, goal: Goal) -> Sequence[Observer]:
        from mergekit_speech.training.progress import ProgressLine

        self._clear()
        return [ProgressLine(self._progress, f"{encoder}: {task}, seed {seed}", goal)]

    def probed(self, result: ProbeResult, done: int, total: int, *, resumed: bool) -> None:
        if self._all is None:
            self._all = self._progress.add_task("probes")
        self._progress.update(self._all, completed=done, total=total)
        figures = ", ".join(f"{name} {100 * value:.2f} %" for name, value in result.test.items())
        how = "taken over" if resumed else f"step {result.best_step}, {result.seconds:.0f} s"
        self._out.log(f"{done}/{total}  {result.encoder}: {result.task}, seed {result.seed}: {figures} ({how})")

    def _clear(self) -> None:
        for line in self._progress.task_ids:
            if line != self._all:
                self._progress.remove_task(line)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _per_task(text: str | None, kind: Callable[[str], N], option: str) -> PerTask[N]:
    if text is None:
        return None
    if "=" not in text:
        return _number(text, kind, option)
    pairs = [part.partition("=") for part in _split(text)]
    by_task = {name.strip(): _number(value, kind, option) for name, _, value in pairs}
    if len(by_task) < len(pairs):
        raise click.UsageError(f"expected each task once for {option}, came {text!r}")
    return by_task


def _number(text: str, kind: Callable[[str], N], option: str) -> N:
    try:
        return kind(text.strip())
    except ValueError as fault:
        wanted = "a whole number" if kind is int else "a number"
        raise click.UsageError(f"expected {wanted} for {option}, came {text!r}") from fault
