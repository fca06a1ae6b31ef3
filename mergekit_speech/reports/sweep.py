"""The verb `sweep`: probe merges along grids, and leave a report."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from mergekit_speech.errors import OutputError
from mergekit_speech.merging.engine import MergeReport, run_plan
from mergekit_speech.merging.plan import check_output, make_plan
from mergekit_speech.reports.folder import check_report_free, write_folder
from mergekit_speech.shards.folder import check_free
from mergekit_speech.superb.ledger import open_ledger
from mergekit_speech.superb.watching import Silent, Watcher
from mergekit_speech.sweeping.document import document
from mergekit_speech.sweeping.grid import Grid
from mergekit_speech.sweeping.sweep import QUARTERS, SweepReport, SweepSettings, run_sweep

Place = str | PathLike[str]


def sweep(
    base: Place | None,
    tuned: Place | Sequence[Place],
    *,
    data: Place,
    tasks: Sequence[str],
    output: Place,
    grids: Sequence[Grid] = QUARTERS,
    settings: SweepSettings | None = None,
    save_best: Place | None = None,
    watcher: Watcher | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> SweepReport:
    """Merges along α and other settings in memory, probes every merge, and picks the best one by validation clips.

    Where there are several workers, they are started from the program's main file again: guard what it does by
    `if __name__ == "__main__":`.

    Args:
        base: Folder of the base, or its name on the hub; None for the one that the records of tuned runs name.
        tuned: A tuned encoder, a run that `finetune` left, or several: every merge is of all of them.
        data: Folder that holds `<task>/manifest.jsonl`.
        tasks: Names of tasks.
        output: The report's folder: `results.json` (figures are fractions), `table.md`, `report.html`, and the curves.
        grids: What to merge; α from 0 to 1 in quarters if nothing is said.
        settings: How to go about it.
        save_best: Folder to make of the picked merge, as `merge` would.
        watcher: Told how it goes.
        resume: Take over the finished probes of an interrupted sweep.
        overwrite: Replace the report in `output`, and the checkpoint in `save_best`.

    Raises:
        MsmError: `run_sweep` lists the cases.
        OutputError: A folder is taken, an interrupted sweep left probes beside it, or the disk is full.
        Interrupted: Ctrl-C; `resume` continues.
    """
    folder, paths = Path(output), [Path(tuned)] if isinstance(tuned, str | PathLike) else [Path(each) for each in tuned]
    check_report_free(folder, overwrite=overwrite)
    if save_best is not None:
        check_free(Path(save_best), overwrite=overwrite)
        check_output(Path(save_best), [*paths, folder])
    ledger = open_ledger(folder, resume=resume, overwrite=overwrite)
    report = run_sweep(
        None if base is None else Path(base),
        paths,
        Path(data),
        tasks,
        grids=grids,
        settings=settings,
        ledger=ledger,
        watcher=watcher or Silent(),
    )
    write_folder(document(report), folder, overwrite=overwrite)
    if not report.bench.failures:
        ledger.remove()
    if save_best is not None:
        save_picked(report, Path(save_best), overwrite=overwrite)
    return report


def save_picked(report: SweepReport, output: Path, *, overwrite: bool = False) -> MergeReport:
    """Writes the picked merge as `msm merge` would.

    Raises:
        OutputError: Nothing was picked, the folder is taken, or the disk is full.
        MsmError: The merge fails; `make_plan` and `run_plan` list the cases.
    """
    picked = next((each for each in report.points if report.picked and each.label == report.picked.label), None)
    if picked is None:
        raise OutputError(f"expected a picked merge to write to {output}, came none: some trials of every point failed")
    return run_plan(make_plan(report.job.recipe(picked), output=output), output, overwrite=overwrite)
