"""`msm bench`: probe frozen encoders and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli._lists import read_list, read_number, read_per_task
from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from mergekit_speech.superb.settings import PerTask
    from mergekit_speech.superb.states import StateFormat

HELP = """Probe frozen encoders on SUPERB tasks, and compare them with the first one.

\b
msm bench base/ runs/pr merged/ --data DIR --tasks pr,sid --steps 1000 --output REPORT

An ENCODER is a transformers directory, also of a task model, a file of s3prl or fairseq, a name on the hub, a run
folder of msm finetune, fbank or logmel for spectral features, or random:ENCODER for random weights of that
encoder's shape; LABEL=ENCODER gives it a name in the table. msm convert --like makes a directory of files that hold
no settings.

Numbers hold for all tasks, or are given by task: --lr pr=1e-2,sid=1e-3. SUPERB's own are made for hundreds of
hours of speech; on a few hours, --steps 1000 is plenty.
"""


@click.command(help=HELP)
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
    "--folds", type=click.IntRange(min=1), metavar="N", help="Test the first N folds of er alone.  [default: all five]"
)
@click.option(
    "--references",
    default="speech-ft",
    show_default=True,
    metavar="NAME",
    help="Reference figures of the SUPERB score: speech-ft or superb-site.",
)
@click.option(
    "--cache", type=read_size, metavar="SIZE", default="4GB", show_default=True, help="Disk for hidden states."
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep hidden states there for later benches.  [default: delete them at the end]",
)
@click.option(
    "--state-format",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="How hidden states are kept; float16 rounds them and takes half of the room.",
)
@click.option(
    "--tune",
    metavar="lr=RATES",
    help="Learning rates to choose from on validation clips, for each encoder and task, such as lr=1e-2,1e-3; by the"
    " native engine alone.",
)
@click.option(
    "--tensorboard",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write TensorBoard's events of heads in training there.",
)
@click.option(
    "--engine",
    type=click.Choice(["native", "s3prl"]),
    default="native",
    show_default=True,
    help="What trains probes: this toolkit, or s3prl by SUPERB's own protocol, many times slower.",
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
    folds: int | None,
    references: str,
    cache: int,
    store: Path | None,
    state_format: StateFormat,
    tune: str | None,
    tensorboard: Path | None,
    engine: str,
    resume: bool,
    overwrite: bool,
) -> None:
    """Probe, and show what came out."""
    from mergekit_speech.cli._watching import BenchWatcher, refuse_failures
    from mergekit_speech.reports.bench import bench
    from mergekit_speech.reports.bench_table import bench_table
    from mergekit_speech.reports.folder import PAGE, read_folder

    with out.progress() as progress:
        report = bench(
            encoders,
            data=data,
            tasks=read_list(tasks),
            output=output,
            seeds=[read_number(text, int, "--seeds") for text in read_list(seeds)],
            **_numbers(steps, batch, accumulate, evaluate_every),
            learning_rate=read_per_task(lr, float, "--lr"),
            folds=folds,
            references=references,
            cache=cache,
            store=store,
            state_format=state_format,
            tune=_rates(tune),
            tensorboard=tensorboard,
            watcher=BenchWatcher(out, progress),
            engine=engine,
            resume=resume,
            overwrite=overwrite,
        )
    document = read_folder(output)
    out.table(bench_table(document))
    out.log(f"report: {output / PAGE}")
    out.result({"output": output, **document})
    refuse_failures(report.failures)


def _numbers(
    steps: str | None, batch: str | None, accumulate: str | None, evaluate_every: str | None
) -> dict[str, PerTask[int]]:
    return {
        "steps": read_per_task(steps, int, "--steps"),
        "clips": read_per_task(batch, int, "--batch"),
        "accumulate": read_per_task(accumulate, int, "--accumulate"),
        "evaluate_every": read_per_task(evaluate_every, int, "--evaluate-every"),
    }


def _rates(text: str | None) -> list[float]:
    if text is None:
        return []
    name, _, rates = text.partition("=")
    if name.strip() != "lr" or not read_list(rates):
        raise click.UsageError(f"expected lr=RATE,RATE,… for --tune, came {text!r}")
    return [read_number(rate, float, "--tune") for rate in read_list(rates)]
