"""`msm bench`: probe frozen encoders and compare them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from mergekit_speech.superb.settings import PerTask

N = TypeVar("N", int, float)


@click.command()
@click.argument("encoders", nargs=-1, required=True, metavar="ENCODER...")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <task>/manifest.jsonl.")
@click.option("--tasks", required=True, metavar="NAMES", help="Tasks, such as pr,sid; `msm tasks` lists them.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Report folder to write.")
@click.option(
    "--seeds", default="0,1,2", show_default=True, metavar="LIST", help="A probe of each task for each of these seeds."
)
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
@click.option(
    "--cache", type=read_size, metavar="SIZE", default="4GB", show_default=True, help="Memory for hidden states."
)
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

    An ENCODER is a transformers directory, also of a task model, a file of s3prl or fairseq, a name on the hub, a run
    folder of msm finetune, fbank or logmel for spectral features, or random:ENCODER for random weights of that
    encoder's shape; LABEL=ENCODER gives it a name in the table. msm convert --like makes a directory of files that hold
    no settings.

    Numbers hold for all tasks, or are given by task: --lr pr=1e-2,sid=1e-3. SUPERB's own are made for hundreds of
    hours of speech; on a few hours, --steps 1000 is plenty.
    """
    from mergekit_speech.cli._watching import BenchWatcher
    from mergekit_speech.reports.bench import bench
    from mergekit_speech.reports.bench_table import bench_table
    from mergekit_speech.reports.folder import PAGE, read_folder

    with out.progress() as progress:
        bench(
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
            watcher=BenchWatcher(out, progress),
            resume=resume,
            overwrite=overwrite,
        )
    document = read_folder(output)
    out.table(bench_table(document))
    out.log(f"report: {output / PAGE}")
    out.result({"output": output, **document})


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
