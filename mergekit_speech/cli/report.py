"""`msm report`: make the table, plots and page of a report again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options


@click.command()
@click.argument("folder", required=False, metavar="REPORT", type=click.Path(path_type=Path))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of results.json instead.")
@common_options
def command(out: Output, /, *, folder: Path | None, schema: bool) -> None:
    """Make table, plots and report.html of REPORT again from its results.json, and show the table.

    REPORT is a folder that msm bench, compare, sweep or analyze wrote.
    """
    from mergekit_speech.reports.folder import PAGE, rebuild
    from mergekit_speech.reports.kinds import kind_of
    from mergekit_speech.reports.schema import results_schema

    if schema == (folder is not None):
        raise click.UsageError(f"expected either a REPORT or --schema, came {'both' if schema else 'neither'}")
    if folder is None:
        document = results_schema()
        if not out.json:
            click.echo(json.dumps(document, indent=2), file=out.stdout)
        out.result(document)
        return
    document = rebuild(folder)
    out.table(kind_of(document).table(document))
    out.log(f"report: {folder / PAGE}")
    out.result(document)
