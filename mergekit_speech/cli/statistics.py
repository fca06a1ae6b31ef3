"""`msm statistics`: gather what merging by data needs."""

from __future__ import annotations

from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options


@click.command()
@click.argument("encoder", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder with <task>/manifest.jsonl.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--kind", "kinds", default="fisher,gram", show_default=True, metavar="NAMES", help="What to gather.")
@click.option("--head", type=click.Path(path_type=Path), metavar="RUN", help="Run whose task head gives fisher's loss.")
@click.option("--task", metavar="NAME", help="Folder of the data to hear.  [default: the head's task]")
@click.option("--split", default="train", show_default=True, help="Split of the manifest to hear.")
@click.option("--clips", default=256, show_default=True, help="Most clips to hear.")
@click.option("--seed", default=0, show_default=True, help="Decides which clips.")
@click.option("--overwrite", is_flag=True, help="Replace the folder in --output.")
@common_options
def command(
    out: Output,
    encoder: Path,
    data: Path,
    output: Path,
    kinds: str,
    head: Path | None,
    task: str | None,
    split: str,
    clips: int,
    seed: int,
    overwrite: bool,
) -> None:
    """Gather statistics of ENCODER from speech, for the strategies fisher and regmean.

    ENCODER is a transformers directory, a file in any layout that msm convert reads without --like, a name on the hub,
    or a run folder of msm finetune, whose task head is then used as well.

    fisher is the squared gradient of the task loss by each parameter, and needs a head and labelled clips; gram holds
    the correlations of each linear layer's inputs, and needs audio alone. Merge with msm merge --statistics, one folder
    for each tuned encoder, in their order.
    """
    from mergekit_speech.gathering.run import gather_statistics
    from mergekit_speech.gathering.settings import GatherSettings

    names = tuple(name.strip() for name in kinds.split(",") if name.strip())
    settings = GatherSettings(names, clips, split, seed)
    with out.progress() as progress:
        lines = {kind: progress.add_task(kind, total=None) for kind in settings.kinds}

        def heard(kind: str, done: int, total: int) -> None:
            progress.update(lines[kind], completed=done, total=total)

        report = gather_statistics(
            encoder,
            data=data,
            output=output,
            settings=settings,
            task=task,
            head=head,
            overwrite=overwrite,
            progress=heard,
        )
    for kind, count in report.parameters.items():
        out.log(f"{kind}: {count} parameters, from {report.clips} clips ({report.seconds:.0f} s)")
    out.log(f"statistics: {output}; merge with them: msm merge … --statistics {output}")
    out.result(
        {
            "output": report.output,
            "parameters": report.parameters,
            "clips": report.clips,
            "seconds": report.seconds,
        }
    )
