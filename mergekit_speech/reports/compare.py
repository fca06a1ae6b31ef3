"""Several reports as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mergekit_speech.errors import SettingsError
from mergekit_speech.reports.folder import ROWS, read_folder, write_folder
from mergekit_speech.superb.combining import combine, read_report
from mergekit_speech.superb.document import document


def compare_reports(folders: Sequence[Path], output: Path, *, overwrite: bool = False) -> None:
    """Puts the encoders of several benches side by side; sweeps and analyses follow on the page as they are.

    Args:
        folders: Reports; deltas refer to the first encoder of the first bench.
        output: The report to write.
        overwrite: Replace the report in `output`.

    Raises:
        DataError: A folder holds no report, or the benches cannot be compared.
        SettingsError: There is no bench among them, or only one report.
        OutputError: `output` is taken, or the disk is full.
    """
    found = [(folder, read_folder(folder)) for folder in folders]
    benches = [read_report(each, folder / ROWS) for folder, each in found if each["kind"] == "bench"]
    others = [each for _, each in found if each["kind"] != "bench"]
    if not benches or len(found) < 2:
        raise SettingsError(
            f"expected at least two reports to compare, one of them of msm bench, came {len(found)} with {len(benches)}"
            " of msm bench: name more"
        )
    content, rows = document(combine(benches) if len(benches) > 1 else benches[0])
    attached = [each for _, one in found if one["kind"] == "bench" for each in one["attached"]]
    write_folder({**content, "attached": [*attached, *others]}, output, rows=rows, overwrite=overwrite)
