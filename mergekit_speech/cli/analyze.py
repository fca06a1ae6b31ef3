"""`msm analyze`: what tuning and merging changed in an encoder."""

from __future__ import annotations

from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options

HELP = """Compare features and weights of OTHER encoders with those of BASE, layer by layer.

\b
msm analyze base/ runs/pr merged/ --data DIR --output REPORT

Features of the same clips: R² of a linear map to those of BASE, fitted on half of the clips and scored on the other
half; linear CKA; cosine. Weights: the distance to BASE, whole and by part.

Encoders are named as for msm bench; LABEL=ENCODER gives one a name.
"""


@click.command(help=HELP)
@click.argument("base")
@click.argument("others", nargs=-1, required=True, metavar="OTHER...")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <folder>/manifest.jsonl.")
@click.option(
    "--folder", "folders", multiple=True, help="Folder of clips to hear; several for several.  [default: all]"
)
@click.option("--clips", type=click.IntRange(min=2), metavar="N", help="Clips to draw.  [default: all]")
@click.option(
    "--between",
    metavar="TUNED",
    help="Label or path of the tuned one: check whether features of the others lie between it and BASE."
    "  [default: the one that a recipe names]",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides draws and halves.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Report folder to write.")
@click.option("--overwrite", is_flag=True, help="Replace the report in --output.")
@common_options
def command(
    out: Output,
    /,
    *,
    base: str,
    others: tuple[str, ...],
    data: Path,
    folders: tuple[str, ...],
    clips: int | None,
    between: str | None,
    seed: int,
    output: Path,
    overwrite: bool,
) -> None:
    """Compare, and show what came out."""
    from mergekit_speech.reports.analyze import analyze
    from mergekit_speech.reports.folder import PAGE, read_folder
    from mergekit_speech.reports.kinds import kind_of

    with out.progress() as shown:
        bar = shown.add_task("hearing clips", total=None)
        analyze(
            base,
            others,
            data=data,
            output=output,
            folders=folders,
            clips=clips,
            between=between,
            seed=seed,
            heard=lambda done, total: shown.update(bar, completed=done, total=total),
            overwrite=overwrite,
        )
    document = read_folder(output)
    out.table(kind_of(document).table(document))
    for note in document["notes"]:
        out.log(note)
    out.log(f"report: {output / PAGE}")
    out.result({"output": output, **document})
