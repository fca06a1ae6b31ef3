"""`msm bench`: probe frozen encoders and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._lists import read_list, read_number
from mergekit_speech.cli._probing import probing_options, read_overrides, read_seeds
from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
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
@probing_options
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
    /,
    *,
    encoders: tuple[str, ...],
    data: Path,
    tasks: str,
    output: Path,
    seeds: str,
    references: str,
    cache: int,
    store: Path | None,
    state_format: StateFormat,
    tune: str | None,
    tensorboard: Path | None,
    engine: str,
    resume: bool,
    overwrite: bool,
    **numbers: Any,
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
            seeds=read_seeds(seeds),
            **vars(read_overrides(**numbers)),
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


def _rates(text: str | None) -> list[float]:
    if text is None:
        return []
    name, _, rates = text.partition("=")
    if name.strip() != "lr" or not read_list(rates):
        raise click.UsageError(f"expected lr=RATE,RATE,… for --tune, came {text!r}")
    return [read_number(rate, float, "--tune") for rate in read_list(rates)]
