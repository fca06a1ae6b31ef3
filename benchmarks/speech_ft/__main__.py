"""Pre-trains bases of other families, fine-tunes, merges, probes and compares.

What is done is kept in --work, and not done again. Started several times at once, the processes share the work: one for
each core.

python -m benchmarks.speech_ft --data FOLDER [--work FOLDER] [--only tune|probe] [--bases hubert] [--seeds 0,1,2]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.origin import ROOT
from benchmarks.speech_ft.bases import others, pretrain_base
from benchmarks.speech_ft.encoders import Contender, contenders, curve, multitask, sequential_run, slower
from benchmarks.speech_ft.matrix import CROSSED, HUBERT, SEEDS, TASKS, Base, runs
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
    parser.add_argument("--bases", help="names of the bases that it is about; all by default")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="seeds that are done and compared")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    bases = {base.name: base for base in (HUBERT, *others(options.work))}
    names = options.bases.split(",") if options.bases else list(bases)
    if unknown := set(names) - bases.keys():
        parser.error(f"expected --bases among {', '.join(bases)}, came {', '.join(sorted(unknown))}")
    chosen = [bases[name] for name in names]
    # Phase by phase: while one process pre-trains a base, another one may take the next.
    if options.only != "probe":
        for base in chosen:
            _tune(base, options.data, options.work, seeds)
    if options.only != "tune":
        folders = [run.folder(options.work) for base in chosen for run in runs(base, seeds)]
        if missing := [folder for folder in folders if not is_done(folder)]:
            parser.error(f"expected every run, but {len(missing)} are not done, such as {missing[0]}")
        for base in chosen:
            _compare(base, options.data, options.work, seeds)


def _tune(base: Base, data: Path, work: Path, seeds: Sequence[int]) -> None:
    if base is not HUBERT:
        pretrain_base(base, data, work)
    tune(runs(base, seeds), data, work)
    if base is HUBERT:
        tune((sequential_run(work, seed) for seed in seeds), data, work)


def _compare(base: Base, data: Path, work: Path, seeds: Sequence[int]) -> None:
    for name, chosen in _comparisons(base):
        with turn(work, f"compare-{name}") as mine:
            if mine:
                compare(name, chosen, data, work, seeds)
    if base is HUBERT:
        with turn(work, "compare-features") as mine:
            if mine:
                compare_features(data, work, seeds)


def _comparisons(base: Base) -> Iterator[tuple[str, list[Contender]]]:
    if base is not HUBERT:
        yield from ((f"{base.name}-{task}", contenders(task, base)) for task in CROSSED)
        return
    yield from ((task, contenders(task)) for task in TASKS)
    yield "multitask", multitask()
    yield "slower", slower()
    yield from ((f"curve-{task}", curve(task)) for task in CROSSED)


if __name__ == "__main__":
    main()
