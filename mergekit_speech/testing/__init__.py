"""For authors of plugins: tiny checkpoints to merge, and checks that a strategy or a task keeps its contract."""

from mergekit_speech.testing.blocks import Statistic
from mergekit_speech.testing.checkpoints import TINY_SHAPES, tiny_checkpoint
from mergekit_speech.testing.strategies import check_strategy
from mergekit_speech.testing.tasks import check_task

__all__ = ["TINY_SHAPES", "Statistic", "check_strategy", "check_task", "tiny_checkpoint"]
