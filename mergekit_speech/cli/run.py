"""`msm run`: a whole experiment from one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options


@click.command()
@click.argument("workflow", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to make, or to go on in.")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder, in place of the one that FILE names.")
@click.option("--dry-run", is_flag=True, help="Check FILE, list its steps, and write nothing.")
@common_options
def command(out: Output, /, *, workflow: Path, output: Path, data: Path | None, dry_run: bool) -> None:
    """Fine-tune, merge and bench as FILE says, each step into a folder of its name.

    The same command goes on where it was stopped; finished steps are not done again.
    """
    from mergekit_speech.workflows.read import read_workflow
    from mergekit_speech.workflows.run import run_workflow

    read = read_workflow(workflow)
    if data is not None:
        read = read.model_copy(update={"data": str(data)})
    if dry_run:
        for step in read.steps:
            out.log(f"{step.name}: {type(step.part).__doc__ or ''}")
        out.result({"steps": [step.model_dump(exclude_defaults=True) for step in read.steps]})
        return
    results = run_workflow(
        read, output, told=lambda name, begins: out.log(f"{name}{'' if begins else ': done already'}")
    )
    out.log(f"all {len(results)} steps are in {output}")
    out.result({"steps": [asdict(result) for result in results]})
