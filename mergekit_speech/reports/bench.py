"""The verb `bench`: probe encoders, and leave a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mergekit_speech.errors import OutputError
from mergekit_speech.reports.folder import RESULTS, write_folder
from mergekit_speech.shards.folder import check_free
from mergekit_speech.superb.bench import CACHE, SEEDS, SILENT, SPEECH_FT, run_bench
from mergekit_speech.superb.document import document
from mergekit_speech.superb.ledger import open_ledger
from mergekit_speech.superb.results import BenchReport
from mergekit_speech.superb.settings import Overrides, PerTask
from mergekit_speech.superb.watching import Watcher


def bench(
    encoders: Sequence[str | Path],
    *,
    data: str | Path,
    tasks: Sequence[str],
    output: str | Path,
    seeds: Sequence[int] = SEEDS,
    steps: PerTask[int] = None,
    learning_rate: PerTask[float] = None,
    clips: PerTask[int] = None,
    accumulate: PerTask[int] = None,
    evaluate_every: PerTask[int] = None,
    references: str = SPEECH_FT,
    cache: int = CACHE,
    watcher: Watcher = SILENT,
    resume: bool = False,
    overwrite: bool = False,
) -> BenchReport:
    """Probes frozen encoders on SUPERB tasks and compares them with the first one.

    Each probe is a head trained from scratch on the softmax-weighted sum of the encoder's hidden states; the best
    checkpoint on the validation split is tested. What is None is SUPERB's own number, made for hundreds of hours of
    speech: on little data, give fewer steps.

    Source: SUPERB (arXiv 2105.01051), section 3.

    Args:
        encoders: Each a transformers directory, a run folder of `finetune`, `fbank`, `logmel`, or `random:PATH`;
            `LABEL=` before it gives it a name. Deltas refer to the first.
        data: Folder that holds `<task>/manifest.jsonl`.
        tasks: Names of tasks that `msm tasks` lists.
        output: The report's folder: `results.json` (figures are fractions), `table.md`, and, of several encoders, the
            deltas as `deltas.svg` and `deltas.png`.
        seeds: Each decides head and order of clips of one probe for every encoder and task.
        steps: Optimizer steps, one number or by task; the probe is then validated 25 times.
        learning_rate: Adam's, one number or by task.
        clips: Clips in a batch, one number or by task.
        accumulate: Batches in a step, one number or by task.
        evaluate_every: Steps between two validations, one number or by task.
        references: Set of reference figures for the SUPERB score: `speech-ft` or `superb-site`.
        cache: Bytes of hidden states to keep in memory; what does not fit is computed again each time.
        watcher: Told how it goes.
        resume: Take over the finished probes of an interrupted bench with the same encoders, data and settings.
        overwrite: Replace the report in `output`.

    Raises:
        SettingsError: A setting is out of range or unknown.
        StrategyError: A task is unknown or cannot be loaded.
        DataError: A task's data cannot be used.
        CheckpointError: An encoder cannot be built.
        ShardError: An encoder's weights are damaged.
        OutputError: `output` is taken, an interrupted bench left probes beside it, or the disk is full.
        Interrupted: Ctrl-C; `resume` continues.
    """
    folder = Path(output)
    _check_output(folder, overwrite=overwrite)
    ledger = open_ledger(folder, resume=resume, overwrite=overwrite)
    report = run_bench(
        encoders,
        Path(data),
        tasks,
        seeds=seeds,
        overrides=Overrides(steps, learning_rate, clips, accumulate, evaluate_every),
        references=references,
        cache=cache,
        ledger=ledger,
        watcher=watcher,
    )
    write_report(report, folder, overwrite=overwrite)
    ledger.remove()
    return report


def write_report(report: BenchReport, folder: Path, *, overwrite: bool = False) -> None:
    """Writes results, test rows, table, plot and page into a folder that appears whole or not at all.

    Raises:
        OutputError: The folder is taken, or the disk is full.
        DataError: Two probes of a task were tested on different items.
    """
    content, rows = document(report)
    write_folder(content, folder, rows=rows, overwrite=overwrite)


def _check_output(folder: Path, *, overwrite: bool) -> None:
    check_free(folder, overwrite=overwrite)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RESULTS).is_file():
        raise OutputError(f"{folder} holds files but no {RESULTS}, so it is no report: choose another folder")
