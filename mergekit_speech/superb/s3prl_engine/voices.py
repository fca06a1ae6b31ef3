"""The form of ASV, whose problem in s3prl validates nothing and takes the best of its checkpoints on the test trials.

Here checkpoints are saved as often as others are validated, heard on the validation trials, and only the best one is
tested. As SUPERB's first recipe did, and s3prl's does in training alone, silence is cut out of test clips too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import SAMPLE_RATE
from mergekit_speech.superb.s3prl_engine.effects import apply_effects
from mergekit_speech.superb.s3prl_engine.form import Config, Form, Validate
from mergekit_speech.superb.s3prl_engine.overrides import Overrides, Said
from mergekit_speech.superb.s3prl_engine.tables import Names, Row
from mergekit_speech.superb.s3prl_engine.utterances import predictions
from mergekit_speech.tasks.asv import TRIALS, VerificationTask
from mergekit_speech.training.settings import Goal

MODULE = "asv.superb_asv"
TESTING = 3
"""s3prl's number of the stage that tests."""


class VerificationOverrides(Overrides):
    """See above; the tables of tests are trials."""

    splits = ("train",)

    def build_dataset(self, build_dataset: Any, target_dir: Any, cache_dir: Any, mode: str, *words: Any) -> Any:
        """Cuts silence out of test clips; refuses training clips that are all too short without it."""
        dataset = self._stock("build_dataset", build_dataset, target_dir, cache_dir, mode, *words)
        if mode == "test":
            return _Trimmed(dataset)
        if not len(dataset):
            raise DataError(
                f"expected training clips longer than {build_dataset['train']['min_secs']:g} s once silence is cut out,"
                " came none: record longer clips, or use --engine native"
            )
        return dataset


class _Trimmed:
    def __init__(self, stock: Any) -> None:
        self._stock = stock

    def __len__(self) -> int:
        return len(self._stock)

    def __getitem__(self, place: int) -> dict[str, Any]:
        item, stock = dict(self._stock[place]), import_module(f"s3prl.problem.{MODULE}")
        heard = apply_effects(item["x"][None], SAMPLE_RATE, stock.EFFECTS)[0][0]
        # A clip that is silence alone is heard as it is.
        item["x"] = heard if len(heard) else item["x"]
        return item | {"x_len": len(item["x"])}


@dataclass(frozen=True)
class Trials(Form):
    """Trials of pairs of clips; the answer to a clip is its embedding."""

    overrides: ClassVar[type[Overrides]] = VerificationOverrides

    def rows(self, task: VerificationTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`."""
        if table.stem == "train":
            return [{"id": name, "wav_path": str(clip.path), "spk": task.text_of(clip)} for name, clip in names.items()]
        own = {clip.id: (name, clip) for name, clip in names.items()}
        return [
            {
                "id1": name,
                "id2": own[other][0],
                "wav_path1": str(clip.path),
                "wav_path2": str(own[other][1].path),
                "label": str(int(target)),
            }
            for name, clip in names.items()
            for other, target in clip.fields[TRIALS]
        ]

    def answers(self, task: Any, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        embeddings = predictions(said, names, "spk_embedding")
        return {name: embedding.float().numpy() for name, embedding in embeddings.items()}

    def adapt(self, config: Config) -> Config:
        """See `Form.adapt`: saves where others validate."""
        train = config["train"]
        train["save_step"], train["eval_step"] = train["eval_step"], train["save_step"]
        return config

    def run(self, problem: Any, config: Config, validate: Validate, goal: Goal) -> str:
        """See `Form.run`."""
        problem.scene.tests = ("valid",)
        problem.run(**config)
        best, value = 0, None
        for step in sorted(int(path.name.removeprefix("step_")) for path in problem.scene.tested):
            found = validate(f"step_{step}")
            if goal.better(found, value):
                best, value = step, found
        problem.scene.tests = ("test",)
        problem.run(**config | {"start": TESTING, "test_ckpt_steps": [best]})
        return f"step_{best}"

    def dumps(self, folder: Path, split: str, checkpoint: str) -> Path:
        """See `Form.dumps`."""
        return folder / "evaluate" / split / checkpoint
