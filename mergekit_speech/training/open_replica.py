"""Which replica computes the steps: what the launcher asked for decides."""

from __future__ import annotations

from mergekit_speech.training.learner import Learner
from mergekit_speech.training.ranks import sharded
from mergekit_speech.training.replica import Replica
from mergekit_speech.training.settings import LoopSettings
from mergekit_speech.training.whole import Whole


def open_replica(learner: Learner, settings: LoopSettings) -> Replica:
    """Gives the replica that the launcher asked for.

    Raises:
        SettingsError: The settings do not go with it.
    """
    if not sharded():
        return Whole(learner, settings)
    from mergekit_speech.training.sharded import Sharded

    return Sharded(learner, settings)
