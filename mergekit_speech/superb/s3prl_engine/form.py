"""How a task is put to a problem of s3prl, and how what s3prl says becomes answers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from mergekit_speech.superb.s3prl_engine.overrides import Overrides, Said, Scene
from mergekit_speech.superb.s3prl_engine.tables import Names, Row
from mergekit_speech.training.settings import Goal

BEST = "valid_best"
Config = dict[str, Any]
"""Settings of a problem by section, as s3prl's `default_config` gives them."""
Validate = Callable[[str], float]
"""Value of the metric that picks the checkpoint, on the validation split, of the checkpoint with that name."""


@dataclass(frozen=True)
class Form(abc.ABC):
    """One of s3prl's problems.

    Attributes:
        module: Where its class is, below `s3prl.problem`.
        name: Its class.
        selection: s3prl's name of the metric that picks the checkpoint; None where it validates nothing.
        overrides: What goes before the class.
    """

    overrides: ClassVar[type[Overrides]] = Overrides

    module: str
    name: str
    selection: str | None

    @abc.abstractmethod
    def rows(self, task: Any, names: Names, table: Path) -> Sequence[Row]:
        """The table of a split, which the file is called by; other files may go beside it."""

    @abc.abstractmethod
    def answers(self, task: Any, said: Said, names: Names) -> Mapping[str, Any]:
        """The task's answers by the ids of clips, from what a test said of a split."""

    def adapt(self, config: Config) -> Config:
        """The settings with what is this problem's own; as they are by default."""
        return config

    def run(self, problem: Any, config: Config, validate: Validate, goal: Goal) -> str:
        """Trains, tests and returns the name of the checkpoint that was tested on the test split."""
        problem.run(**config)
        return BEST

    def dumps(self, folder: Path, split: str, checkpoint: str) -> Path:
        """Where s3prl writes what a test says."""
        return folder / "evaluate" / checkpoint / split

    def problem(self, scene: Scene) -> Any:
        """The stock class behind this toolkit's overrides, in a scene."""
        stock = getattr(import_module(f"s3prl.problem.{self.module}"), self.name)
        problem: Any = type(self.name, (self.overrides, stock), {})()
        problem.scene = scene
        return problem
