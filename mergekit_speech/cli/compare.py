"""`msm compare`: several reports as one."""

from __future__ import annotations

from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="REPORT...", type=PATH)
@click.option("--output", type=PATH, required=True, help="Report folder to write.")
@click.option("--overwrite", is_flag=True, help="Replace the report in --output.")
@common_options
def command(out: Output, /, *, folders: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """Put the encoders of several benches side by side; deltas refer to the first encoder of the first REPORT.

    The benches must have probed the tasks that they share on the same data and in the same way. Reports of msm sweep
    and msm analyze follow on the page as they are.
    """
    from mergekit_speech.reports.compare import compare_reports
    from mergekit_speech.reports.folder import PAGE, read_folder
    from mergekit_speech.reports.kinds import kind_of

    compare_reports(folders, output, overwrite=overwrite)
    document = read_folder(output)
    out.table(kind_of(document).table(document))
    out.log(f"report: {output / PAGE}")
    out.result({"output": output, **document})
