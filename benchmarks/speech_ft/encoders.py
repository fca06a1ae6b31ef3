"""The encoders that are compared: what comes out of the runs, and merges of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speech_ft.matrix import ALPHA, CROSSED, CURVE, HUBERT, PLAIN, RECIPES, SLOW, Base, Recipe, Run
from mergekit_speech.finetuning.run import EARLY as EARLY_FOLDER
from mergekit_speech.merging.merge import merge

BY_NAME: Mapping[str, Recipe] = {recipe.name: recipe for recipe in RECIPES}
Make = Callable[[Path, int], Path]
"""Gives the folder of an encoder below the work folder, for a seed, and makes it if it is not there."""


@dataclass(frozen=True)
class Contender:
    """A way to an encoder.

    Attributes:
        label: In tables.
        make: Gives its folder.
    """

    label: str
    make: Make


def contenders(task: str, base: Base = HUBERT) -> list[Contender]:
    """What is compared after fine-tuning on a task; the base comes first."""
    first = Contender("pre-trained", _untouched(base))
    if base is not HUBERT:
        stable = _tuned(Run(base, task, PLAIN, 0))
        return [first, Contender("Stable-FT", stable), Contender("Speech-FT", _merged(base, [stable], ALPHA))]
    run = {name: Run(base, task, recipe, 0) for name, recipe in BY_NAME.items()}
    stable, regular = _tuned(run["stable"]), _tuned(run["regular"])
    return [
        first,
        Contender("regular", regular),
        Contender("Stable-FT", stable),
        Contender("Speech-FT", _merged(base, [stable], ALPHA)),
        Contender("regular + interpolation", _merged(base, [regular], ALPHA)),
        Contender("L2 to the base", _tuned(run["l2"])),
        Contender("LoRA", _tuned(run["lora"])),
        Contender("DoRA", _tuned(run["dora"])),
        Contender("early checkpoint", lambda work, seed: _at(run["stable"], seed).folder(work) / EARLY_FOLDER),
    ]


def curve(task: str) -> list[Contender]:
    """The merges between the base and Stable-FT, beside the two ends."""
    stable = _tuned(Run(HUBERT, task, BY_NAME["stable"], 0))
    between = [Contender(f"α {alpha:g}", _merged(HUBERT, [stable], alpha)) for alpha in CURVE]
    return [Contender("α 0", _untouched(HUBERT)), *between, Contender("α 1", stable)]


def slower() -> list[Contender]:
    """Regular fine-tuning at a lower rate, and the interpolation that follows it."""
    regular, pace = _tuned(SLOW), f"{SLOW.recipe.pace:g} × the rate"
    return [
        Contender("pre-trained", _untouched(HUBERT)),
        Contender(f"regular, {pace}", regular),
        Contender(f"regular + interpolation, {pace}", _merged(HUBERT, [regular], ALPHA)),
    ]


def multitask() -> list[Contender]:
    """PR and SID in four ways: joint heads, average, TIES, one behind the other."""
    pr, sid = (_tuned(Run(HUBERT, task, BY_NAME["stable"], 0)) for task in CROSSED)
    joint = _tuned(Run(HUBERT, "+".join(CROSSED), PLAIN, 0))
    return [
        Contender("pre-trained", _untouched(HUBERT)),
        Contender("joint, α 0.25", _merged(HUBERT, [joint], ALPHA)),
        Contender("linear average", _merged(HUBERT, [pr, sid], ALPHA)),
        Contender("TIES", _merged(HUBERT, [pr, sid], None)),
        Contender("sequential", _sequential),
    ]


def sequential_run(work: Path, seed: int) -> Run:
    """Fine-tuning on sid from the merge of pr."""
    first = _merged(HUBERT, [_tuned(Run(HUBERT, "pr", BY_NAME["stable"], 0))], ALPHA)(work, seed)
    return Run(Base(f"pr25-{seed}", first), "sid", PLAIN, seed)


def _sequential(work: Path, seed: int) -> Path:
    run = sequential_run(work, seed)
    return _merged(run.base, [_tuned(run)], ALPHA)(work, seed)


def _at(run: Run, seed: int) -> Run:
    return Run(run.base, run.task, run.recipe, seed)


def _untouched(base: Base) -> Make:
    def make(_work: Path, _seed: int) -> Path:
        return base.path

    return make


def _tuned(run: Run) -> Make:
    return lambda work, seed: _at(run, seed).folder(work) / "encoder"


def _merged(base: Base, tuned: list[Make], alpha: float | None) -> Make:
    """Interpolates, or merges by TIES at λ = 1 and a density of 0.2 where there is no α, as both are published."""

    def make(work: Path, seed: int) -> Path:
        paths = [each(work, seed) for each in tuned]
        names = "+".join(f"{path.parent.name}" for path in paths)
        folder = work / "merged" / base.name / f"{names}-{'ties' if alpha is None else f'{alpha:g}'}-{seed}"
        if not folder.is_dir():
            if alpha is None:
                merge(base.path, paths, strategy="ties", density=0.2, output=folder)
            else:
                merge(base.path, paths, alpha=alpha, output=folder)
        return folder

    return make
