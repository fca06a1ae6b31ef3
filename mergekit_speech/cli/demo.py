"""`msm demo`: all three verbs on the shipped encoder and clips."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mergekit_speech.cli.output import Output, common_options


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("msm-demo"), show_default=True, help="Folder to write."
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier demo left in --output.")
@common_options
def command(out: Output, output: Path, overwrite: bool) -> None:
    """Fine-tune, merge and probe the shipped encoder on the shipped clips.

    The encoder is a small HuBERT pre-trained on two hours of real speech; the clips are phrases of command words
    in ten synthetic voices. Each step prints the command that does the same.
    """
    from mergekit_speech.cli._watching import BenchWatcher
    from mergekit_speech.demo.run import TASK, demo
    from mergekit_speech.finetuning.supervised import goal_of
    from mergekit_speech.registry import TASKS
    from mergekit_speech.reports.bench_table import bench_table
    from mergekit_speech.reports.folder import PAGE, read_folder
    from mergekit_speech.training.progress import ProgressLine

    started = time.perf_counter()
    with out.progress() as progress:
        line = ProgressLine(progress, f"fine-tuning on {TASK}", goal_of(TASKS.load(TASK)))
        watcher = BenchWatcher(out, progress)
        report = demo(output, say=out.log, observers=[line], watcher=watcher, overwrite=overwrite)
    document = read_folder(report.report)
    out.table(bench_table(document))
    out.log(f"done in {time.perf_counter() - started:.0f} s")
    out.log(f"report: {report.report / PAGE}")
    out.log(f"merged encoder: {report.merged}; load it:")
    out.log(f'    from transformers import AutoModel; encoder = AutoModel.from_pretrained("{report.merged}")')
    out.result(
        {
            "run": report.tuning.run,
            "merged": report.merged,
            "report": report.report,
            "tuned_test": report.tuning.test,
            **document,
        }
    )
