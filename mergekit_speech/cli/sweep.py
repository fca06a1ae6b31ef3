"""`msm sweep`: probe merges along α and other settings, and pick the best by validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._lists import read_list, read_value
from mergekit_speech.cli._probing import NUMBERS, probing_options, read_overrides, read_seeds
from mergekit_speech.cli._sizes import read_size
from mergekit_speech.cli.output import Output, common_options

if TYPE_CHECKING:
    from mergekit_speech.sweeping.grid import Grid
    from mergekit_speech.sweeping.sweep import SweepSettings

PLACE = click.Path(path_type=Path)
ALPHAS = "0:1:0.25"
# click leaves the lines after a backspace character as they are.
HELP = """Probe merges along α and other settings, and pick the best by validation.

\b
msm sweep RUN --alphas 0:1:0.25 --data DIR --tasks pr,sid --output REPORT
msm sweep --base B --tuned T --tuned T2 --strategies linear,ties --set density=0.1,0.2 …

Every combination of strategy, α and settings is merged in memory and probed on every task with every seed; base and
tuned encoders are the ends. With --groups, each group of parameters has every α in turn, and what is in no group stays
as in the base; a parameter in two groups belongs to the first. Settings that a strategy does not have are left out
for it.
"""


@click.command(help=HELP)
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=PLACE)
@click.option("--base", type=PLACE, help="Checkpoint of the base; a RUN knows its own.")
@click.option("--tuned", multiple=True, type=PLACE, help="Folder of a tuned encoder; several for several.")
@click.option("--alphas", metavar="LIST", help=f"START:STOP:STEP, or numbers between commas.  [default: {ALPHAS}]")
@click.option("--strategies", metavar="NAMES", help="Strategies; `msm strategies` lists them.  [default: linear]")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUES", help="Values to try of a setting.")
@click.option(
    "--groups",
    metavar="NAMES",
    help="Groups with an α of their own: cnn, projection, positional, attention, feed_forward, norm; lower, middle,"
    " upper for thirds of the layers.",
)
@click.option("--grid", type=PLACE, metavar="YAML", help="A list of grids: alphas, strategies, settings, groups.")
@click.option("--greedy", is_flag=True, help="Also average the tuned encoders one by one as long as it helps.")
@click.option("--extrapolate", is_flag=True, help="Allow an alpha beyond 0 to 1.")
@click.option("--force", is_flag=True, help="Merge also if an encoder was hardly tuned from the base.")
@click.option("--merge-seed", type=int, default=0, show_default=True, help="Seed of strategies that draw at random.")
@probing_options
@click.option("--save-best", type=PLACE, metavar="OUT", help="Write the picked merge there, as msm merge would.")
@click.option(
    "--cache",
    type=read_size,
    metavar="SIZE",
    default="4GB",
    show_default=True,
    help="Disk for hidden states of a point, in each process.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes on this machine, each with a GPU of its own.  [default: one, or one a GPU]",
)
@click.option("--dask", metavar="ADDRESS", help="Use the workers of this Dask scheduler; they need the same paths.")
@click.option("--resume", is_flag=True, help="Take over the finished probes of an interrupted sweep.")
@click.option("--overwrite", is_flag=True, help="Replace the report in --output, and the checkpoint in --save-best.")
@common_options
def command(
    out: Output,
    /,
    *,
    runs: tuple[Path, ...],
    base: Path | None,
    tuned: tuple[Path, ...],
    data: Path,
    tasks: str,
    output: Path,
    save_best: Path | None,
    resume: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Lay out the grid, probe it, and show what came out."""
    if not (runs or tuned):
        raise click.UsageError("expected a RUN or --tuned, came neither")
    from mergekit_speech.cli._watching import BenchWatcher, refuse_failures
    from mergekit_speech.reports.folder import PAGE, read_folder
    from mergekit_speech.reports.sweep import sweep
    from mergekit_speech.reports.sweep_sections import sweep_table

    grids, settings = _read_grids(options), _read_settings(options)
    if settings.dask is None and settings.workers > 1:
        out.log(f"a cluster of {settings.workers} processes is started for this sweep")
    with out.progress() as progress:
        report = sweep(
            base,
            [*runs, *tuned],
            data=data,
            tasks=read_list(tasks),
            output=output,
            grids=grids,
            settings=settings,
            save_best=save_best,
            watcher=BenchWatcher(out, progress),
            resume=resume,
            overwrite=overwrite,
        )
    document = read_folder(output)
    out.table(sweep_table(document))
    if report.picked is not None and save_best is not None:
        out.log(f"{report.picked.label}: {save_best}")
    out.log(f"report: {output / PAGE}")
    out.result({"output": output, **document})
    refuse_failures(report.bench.failures)


def _read_grids(options: dict[str, Any]) -> list[Grid]:
    from mergekit_speech.sweeping.alphas import read_alphas
    from mergekit_speech.sweeping.grid import Grid
    from mergekit_speech.sweeping.grid_file import read_grids

    alphas, strategies, groups = options["alphas"], options["strategies"], options["groups"]
    if options["grid"] is not None:
        given = {"--alphas": alphas, "--strategies": strategies, "--set": options["settings"], "--groups": groups}
        if beside := [name for name, value in given.items() if value]:
            raise click.UsageError(f"a grid says all of it; put {', '.join(beside)} into {options['grid']}")
        return read_grids(options["grid"])
    return [
        Grid(
            read_alphas(ALPHAS if alphas is None else alphas),
            ("linear",) if strategies is None else tuple(read_list(strategies)),
            _read_values(options["settings"]),
            tuple(read_list(groups or "")),
        )
    ]


def _read_values(settings: tuple[str, ...]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in settings:
        name, equals, text = each.partition("=")
        if not (name and equals and text):
            raise click.UsageError(f"expected --set NAME=VALUES, came {each!r}")
        if name in found:
            raise click.UsageError(f"expected --set {name} once, came {each!r} again; commas give several values")
        found[name] = [read_value(part) for part in read_list(text)]
    return found


def _read_settings(options: dict[str, Any]) -> SweepSettings:
    from mergekit_speech.sweeping.sweep import SweepSettings, default_workers

    return SweepSettings(
        seeds=read_seeds(options["seeds"]),
        overrides=read_overrides(**{name: options[name] for name in NUMBERS}),
        references=options["references"],
        greedy=options["greedy"],
        extrapolate=options["extrapolate"],
        force=options["force"],
        merge_seed=options["merge_seed"],
        cache=options["cache"],
        workers=options["workers"] or default_workers(),
        dask=options["dask"],
    )
