"""What a run is to learn: the parts that the training loop needs, whatever the scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergekit_speech.finetuning.stable import StableLearner
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.feed import Feed
from mergekit_speech.training.loop import Evaluate
from mergekit_speech.training.settings import Goal


@dataclass(frozen=True)
class Lesson:
    """A scenario made ready for one run.

    Attributes:
        learner: What is trained.
        feed: Its batches.
        goal: Picks the best checkpoint.
        valid: The validation clips.
        validate: Gives the metrics of the validation clips.
        test: Gives those of the test clips; called once, at the end.
        save_head: Writes the head into an existing folder.
        facts: What the record says of it, beside base, settings and versions; a resumed run must have the same.
    """

    learner: StableLearner
    feed: Feed
    goal: Goal
    valid: Sequence[Clip]
    validate: Evaluate
    test: Callable[[], Mapping[str, float]]
    save_head: Callable[[Path], None]
    facts: Mapping[str, Any]
