"""What the experiment consists of: runs and their settings. Nothing of them was chosen by test figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mergekit_speech.demo import ENCODER
from mergekit_speech.finetuning.method import L2, STABLE, Adapter, Method
from mergekit_speech.finetuning.unsupervised import Unlabelled
from mergekit_speech.training.settings import Precision

TASKS = ("pr", "sid", "er", "unlabelled_zh")
CROSSED = ("pr", "sid")
"""Tasks that are also tuned on at once, one behind the other, and from other bases; and whose α curve is drawn."""
PROBED = ("pr", "ks", "sid", "er")
SEEDS = (0, 1, 2)
ALPHA = 0.25
CURVE = (0.25, 0.5, 0.75)
EARLY = 0.2
STEPS = {"pr": 400, "sid": 300, "er": 200, "unlabelled_zh": 200, "pr+sid": 400}
CLIPS, RATE, UNSUPERVISED_RATE = 8, 1e-3, 1e-4
"""Ten times the paper's rates, for some thousandths of its steps; unsupervised, a tenth of the rate, as there."""
VALIDATIONS = 10
PRECISION: Precision = "fp32"
"""Not every processor computes faster in bf16; those without instructions for it are several times slower."""


@dataclass(frozen=True)
class Recipe:
    """A way of fine-tuning.

    Attributes:
        name: In the names of folders.
        head_only: Fraction of the steps that update the head alone.
        method: What else is done otherwise than in stable fine-tuning.
        pace: Factor of the learning rate.
    """

    name: str
    head_only: float
    method: Method
    pace: float = 1.0


RECIPES = (
    Recipe("stable", 0.1, Method(early=EARLY)),
    Recipe("regular", 0.0, Method(train_cnn=True)),
    Recipe("l2", 0.1, Method(l2=L2(0.01))),
    Recipe("lora", 0.1, Method(adapter=Adapter("lora", 8))),
    Recipe("dora", 0.1, Method(adapter=Adapter("dora", 8))),
)
PLAIN = Recipe("stable", 0.1, STABLE)


@dataclass(frozen=True)
class Base:
    """A base encoder.

    Attributes:
        name: In the names of folders.
        path: Its directory.
    """

    name: str
    path: Path


HUBERT = Base("hubert", ENCODER)


@dataclass(frozen=True)
class Run:
    """One fine-tuning.

    Attributes:
        base: What from.
        task: What on: a task, several with `+` between them, or a folder of unlabelled speech.
        recipe: How.
        seed: Of head, order and dropout.
    """

    base: Base
    task: str
    recipe: Recipe
    seed: int

    def folder(self, work: Path) -> Path:
        """Where it is."""
        return work / "runs" / self.base.name / f"{self.task}-{self.recipe.name}-{self.seed}"

    def arguments(self) -> dict[str, Any]:
        """Those of `finetune`, without base, data and output."""
        unsupervised = self.task.startswith("unlabelled")
        scenario: dict[str, Any] = {"unlabelled": Unlabelled((self.task,))} if unsupervised else {}
        return {
            **(scenario or {"task": self.task.split("+")}),
            "steps": STEPS[self.task],
            "evaluate_every": STEPS[self.task] // VALIDATIONS,
            "precision": PRECISION,
            "learning_rate": self.recipe.pace * (UNSUPERVISED_RATE if unsupervised else RATE),
            "clips": CLIPS,
            "accumulate": 1,
            "head_only": self.recipe.head_only,
            "method": self.recipe.method,
            "seed": self.seed,
        }


SLOW = Run(HUBERT, "pr", Recipe("regular-slow", 0.0, Method(train_cnn=True), pace=0.3), 0)
"""Tells on one task whether regular fine-tuning suffers from the rate that all ways have."""


def runs(base: Base, seeds: Sequence[int]) -> Iterator[Run]:
    """The runs from a base, those of a seed before those of the next: from others than HuBERT, the most telling two."""
    for seed in seeds:
        if base is not HUBERT:
            yield from (Run(base, task, PLAIN, seed) for task in CROSSED)
            continue
        for task in TASKS:
            yield from (Run(base, task, recipe, seed) for recipe in RECIPES)
        yield Run(base, "+".join(CROSSED), PLAIN, seed)
        yield replace(SLOW, seed=seed)
