"""`msm run`: a whole experiment from one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.merging.ready import WORKFLOWS

HELP = """Fine-tune, merge and bench as FILE says, each step into a folder of its name.

FILE may be the name of a ready workflow; without FILE they are listed: the settings of the Speech-FT paper, to be run
or adapted. The same command goes on where it was stopped; finished steps are not done again.

\b
msm run timit-pc --data data --output timit-pc
msm run timit-pc --print > mine.yaml
msm run mine.yaml --base path/to/encoder --data data --output mine
"""


@click.command(help=HELP)
@click.argument("workflow", required=False, metavar="[FILE]")
@click.option("--output", type=click.Path(path_type=Path), help="Folder to make, or to go on in.")
@click.option("--base", help="Base, in place of the one that FILE names.")
@click.option("--data", help="Data folder, in place of the one that FILE names.")
@click.option("--dry-run", is_flag=True, help="Check FILE, list its steps, and write nothing.")
@click.option("--print", "printed", is_flag=True, help="Print the ready workflow FILE, to be adapted.")
@common_options
def command(
    out: Output,
    /,
    *,
    workflow: str | None,
    output: Path | None,
    base: str | None,
    data: str | None,
    dry_run: bool,
    printed: bool,
) -> None:
    """List the ready workflows, or run one."""
    if workflow is None:
        _list(out)
        return
    path = Path(workflow)
    if printed or (not path.is_file() and path.name == workflow and not path.suffix):
        path = WORKFLOWS.path(workflow)
    if printed:
        text = WORKFLOWS.text(workflow)
        _print(text, {"name": workflow, "workflow": text}, out)
    elif dry_run:
        _check(path, base, data, out)
    elif output is None:
        raise click.UsageError(f"expected msm run {workflow} --output DIR, came no --output")
    else:
        _run(path, base, data, output, out)


def _list(out: Output) -> None:
    rows = [{"name": name, "summary": WORKFLOWS.summary(name)} for name in WORKFLOWS.names()]
    width = max(len(row["name"]) for row in rows)
    _print("".join(f"{row['name']:{width}}  {row['summary']}\n" for row in rows), {"workflows": rows}, out)


def _print(text: str, document: Mapping[str, Any], out: Output) -> None:
    if not out.json:
        click.echo(text, file=out.stdout, nl=False)
    out.result(document)


def _check(path: Path, base: str | None, data: str | None, out: Output) -> None:
    from mergekit_speech.workflows.read import read_workflow

    steps = read_workflow(path, base=base, data=data).steps
    for step in steps:
        out.log(f"{step.name}: {type(step.part).__doc__ or ''}")
    out.result({"steps": [step.model_dump(exclude_defaults=True) for step in steps]})


def _run(path: Path, base: str | None, data: str | None, output: Path, out: Output) -> None:
    from mergekit_speech.workflows.read import read_workflow
    from mergekit_speech.workflows.run import run_workflow

    read = read_workflow(path, base=base, data=data)
    results = run_workflow(
        read, output, told=lambda name, begins: out.log(f"{name}{'' if begins else ': done already'}")
    )
    out.log(f"all {len(results)} steps are in {output}")
    out.result({"steps": [asdict(result) for result in results]})
