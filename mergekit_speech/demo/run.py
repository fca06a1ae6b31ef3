"""The three verbs on the shipped encoder and clips: fine-tune, merge, bench."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mergekit_speech.demo import CLIPS, ENCODER
from mergekit_speech.finetuning.run import FinetuneReport, finetune
from mergekit_speech.merging.merge import merge
from mergekit_speech.reports.bench import bench
from mergekit_speech.superb.bench import SILENT
from mergekit_speech.superb.results import BenchReport
from mergekit_speech.superb.watching import Watcher
from mergekit_speech.training.events import Observer

TASK = "ks"
TUNING_STEPS, TUNING_RATE, TUNING_CLIPS = 150, 1e-3, 16
ALPHA = 0.25
PROBED = ("pr", "ks", "sid")
PROBE_STEPS, PROBE_RATE, PROBE_CLIPS = 150, 1e-2, 32
SEEDS = (0, 1)

Say = Callable[[str], None]


@dataclass(frozen=True)
class DemoReport:
    """What the demo made.

    Attributes:
        tuning: The fine-tuning run.
        merged: The merged encoder's directory.
        bench: The probes of base, tuned and merged.
        report: Folder of table, plot and figures.
    """

    tuning: FinetuneReport
    merged: Path
    bench: BenchReport
    report: Path


def demo(
    output: Path,
    *,
    say: Say = lambda _: None,
    observers: Sequence[Observer] = (),
    watcher: Watcher = SILENT,
    overwrite: bool = False,
) -> DemoReport:
    """Fine-tunes, merges and probes the shipped encoder on the shipped clips.

    Args:
        output: Folder for the run, the merged encoder and the report.
        say: Told each command before it runs.
        observers: Told of every step of the fine-tuning.
        watcher: Told of every probe.
        overwrite: Replace what an earlier demo left there.

    Raises:
        OutputError: Something stands there already, or the disk is full.
        Interrupted: Ctrl-C.
    """
    run, merged, report = output / "run", output / "merged", output / "report"
    say(
        f"1/3  msm finetune {ENCODER} --task {TASK} --data {CLIPS} --output {run}"
        f" --steps {TUNING_STEPS} --lr {TUNING_RATE:g} --batch {TUNING_CLIPS}"
    )
    tuning = finetune(
        ENCODER,
        task=TASK,
        data=CLIPS,
        output=run,
        observers=observers,
        overwrite=overwrite,
        steps=TUNING_STEPS,
        learning_rate=TUNING_RATE,
        clips=TUNING_CLIPS,
    )
    say(f"2/3  msm merge {run} --alpha {ALPHA:g} --output {merged}")
    merge(None, run, alpha=ALPHA, output=merged, overwrite=overwrite)
    say(
        f"3/3  msm bench base={ENCODER} tuned={run} merged={merged} --data {CLIPS} --tasks {','.join(PROBED)}"
        f" --output {report} --steps {PROBE_STEPS} --lr {PROBE_RATE:g} --batch {PROBE_CLIPS} --accumulate 1"
        f" --seeds {','.join(map(str, SEEDS))}"
    )
    probes = bench(
        [f"base={ENCODER}", f"tuned={run}", f"merged={merged}"],
        data=CLIPS,
        tasks=PROBED,
        output=report,
        seeds=SEEDS,
        steps=PROBE_STEPS,
        learning_rate=PROBE_RATE,
        clips=PROBE_CLIPS,
        accumulate=1,
        watcher=watcher,
        overwrite=overwrite,
    )
    return DemoReport(tuning, merged, probes, report)
