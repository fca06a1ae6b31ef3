"""Pre-trains bases of other families, fine-tunes, merges, probes and compares.

What is done is kept in --work, and not done again. Started several times at once, the processes share the work: one for
each core.

python -m benchmarks.speech_ft --data FOLDER [--work FOLDER] [--only tune|probe] [--seeds 0,1,2]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.origin import ROOT
from benchmarks.speech_ft.bases import others, pretrain_bases
from benchmarks.speech_ft.encoders import Contender, contenders, curve, multitask, sequential_run
from benchmarks.speech_ft.matrix import SEEDS, TASKS, Base, runs
from benchmarks.speech_ft.probe import compare
from benchmarks.speech_ft.similarity import compare_features
from benchmarks.speech_ft.tune import is_done, tune
from benchmarks.speech_ft.turns import turn


def main() -> None:
    """Read the options and do what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data folder with all manifests")
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "speech_ft", help="folder for runs and probes")
    parser.add_argument("--only", choices=["tune", "probe"], help="do only this part")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="seeds that are done and compared")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    bases = others(options.work)
    chosen = [run for run in runs(bases) if run.seed in seeds]
    if options.only != "probe":
        pretrain_bases(options.data, options.work)
        tune(chosen, options.data, options.work)
        tune([sequential_run(options.work, seed) for seed in seeds], options.data, options.work)
    if options.only != "tune":
        missing = [run.folder(options.work) for run in chosen if not is_done(run.folder(options.work))]
        if missing:
            parser.error(f"expected every run, but {len(missing)} are not done, such as {missing[0]}")
        _compare(options.data, options.work, seeds, bases)


def _compare(data: Path, work: Path, seeds: list[int], bases: tuple[Base, ...]) -> None:
    for name, chosen in _comparisons(bases):
        with turn(work, f"compare-{name}") as mine:
            if mine:
                compare(name, chosen, data, work, seeds)
    with turn(work, "compare-features") as mine:
        if mine:
            compare_features(TASKS, data, work, seeds)


def _comparisons(bases: tuple[Base, ...]) -> Iterator[tuple[str, list[Contender]]]:
    for task in TASKS:
        yield task, contenders(task)
    yield "multitask", multitask()
    for task in ("pr", "sid"):
        yield f"curve-{task}", curve(task)
        for base in bases:
            yield f"{base.name}-{task}", contenders(task, base)


if __name__ == "__main__":
    main()
