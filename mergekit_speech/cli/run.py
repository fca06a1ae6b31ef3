"""`msm run`: a whole experiment from one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mergekit_speech.cli._ready import list_ready, print_ready
from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.merging.ready import WORKFLOWS

if TYPE_CHECKING:
    from mergekit_speech.workflows.schema import Workflow

HELP = """Fine-tune, merge and bench as FILE says, each step into a folder of its name.

FILE may be the name of a ready workflow; without FILE they are listed: the settings of the Speech-FT paper, to be run
or adapted. The same command goes on where it was stopped; finished steps are not done again.

\b
msm run timit-pc --data data --output timit-pc
msm run timit-pc --data data --output short --set stable.steps=2000 --set stable.evaluate_every=80
msm run timit-pc --print > mine.yaml
msm run mine.yaml --base path/to/encoder --data data --output mine
"""


@click.command(help=HELP)
@click.argument("workflow", required=False, metavar="[FILE]")
@click.option("--output", type=click.Path(path_type=Path), help="Folder to make, or to go on in.")
@click.option("--base", help="Base, in place of the one that FILE names.")
@click.option("--data", help="Data folder, in place of the one that FILE names.")
@click.option("--set", "changes", multiple=True, metavar="STEP.KEY=VALUE", help="Change a step; VALUE is YAML.")
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
    changes: tuple[str, ...],
    dry_run: bool,
    printed: bool,
) -> None:
    """List the ready workflows, or run one."""
    if workflow is None:
        list_ready(WORKFLOWS, out)
        return
    if printed:
        print_ready(WORKFLOWS, workflow, out)
        return
    path = Path(workflow)
    if not path.is_file() and path.name == workflow and not path.suffix:
        path = WORKFLOWS.path(workflow)
    if output is None and not dry_run:
        raise click.UsageError(f"expected msm run {workflow} --output DIR, came no --output")
    from mergekit_speech.workflows.read import read_workflow

    read = read_workflow(path, base=base, data=data, changes=dict(map(_read_change, changes)))
    if output is None or dry_run:
        _show(read, out)
    else:
        _run(read, output, out)


def _read_change(text: str) -> tuple[str, Any]:
    from mergekit_speech.merging.documents.yaml_text import parse_yaml

    place, equals, value = text.partition("=")
    read = parse_yaml(value, f"--set {text}")
    if not equals or len(read.documents) != 1 or read.faults:
        raise click.UsageError(f"expected --set STEP.KEY=VALUE, such as stable.steps=2000, came {text!r}")
    return place.strip(), read.documents[0]


def _show(workflow: Workflow, out: Output) -> None:
    steps = [step.model_dump(exclude_defaults=True) for step in workflow.steps]
    for step in steps:
        verb, part = next((key, value) for key, value in step.items() if key != "name")
        out.log(f"{step['name']}: {verb} " + ", ".join(f"{key}: {value}" for key, value in part.items()))
    out.result({"steps": steps})


def _run(workflow: Workflow, output: Path, out: Output) -> None:
    from mergekit_speech.workflows.run import run_workflow

    results = run_workflow(
        workflow, output, told=lambda name, begins: out.log(f"{name}{'' if begins else ': done already'}")
    )
    out.log(f"all {len(results)} steps are in {output}")
    out.result({"steps": [asdict(result) for result in results]})
