"""`msm diff`: how far two checkpoints are from one another."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option(
    "--base", type=PATH, help="What both were tuned from, to compare their deltas too; adapters are put on it."
)
@click.option("--by", type=click.Choice(["layer", "parameter"]), default="layer", help="What a row of the table is.")
@click.option("--keep", multiple=True, metavar="GLOB", help="Leave these parameters out, such as a head.")
@click.option("--plot", type=PATH, metavar="FILE", help="Draw the layers into FILE.svg or FILE.png.")
@click.option("--overwrite", is_flag=True, help="Replace the plot if it exists.")
@common_options
def command(
    out: Output,
    /,
    *,
    first: Path,
    second: Path,
    base: Path | None,
    by: str,
    keep: tuple[str, ...],
    plot: Path | None,
    overwrite: bool,
) -> None:
    """Show how far SECOND is from FIRST: L2, L2 relative to FIRST, cosine, and how many signs are the same.

    Both are checkpoints in any layout, adapters of peft, runs of msm finetune, or names on the hub. Checkpoints whose
    names are the same are compared as they stand; else encoders are compared under the names of transformers, without
    heads. An adapter is put on --base, or on the base that it names.
    """
    from mergekit_speech.analysis.distance import compare_checkpoints
    from mergekit_speech.hub.fetch import resolve
    from mergekit_speech.merging.runs import encoder_folder
    from mergekit_speech.reports.distance_plot import check_plot, plot_distances
    from mergekit_speech.reports.distance_table import distance_table

    if plot is not None:
        check_plot(plot, overwrite=overwrite)
    with out.progress() as shown:
        bar = shown.add_task("comparing", total=None)
        found = compare_checkpoints(
            encoder_folder(first),
            encoder_folder(second),
            base=base and resolve(base),
            keep=keep,
            progress=lambda done, total: shown.update(bar, completed=done, total=total),
        )
    rows = found.parts if by == "layer" else found.parameters
    out.table(distance_table(found, rows))
    if plot is not None:
        plot_distances(found, plot)
        out.log(f"plot: {plot}")
    out.result(asdict(found))
