"""Does a job: trains and tests a head by a problem of s3prl."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import PartialState

from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.layers import Tested
from mergekit_speech.superb.s3prl_engine.form import Config, Form
from mergekit_speech.superb.s3prl_engine.forms import form_of
from mergekit_speech.superb.s3prl_engine.job import Job
from mergekit_speech.superb.s3prl_engine.overrides import Scene
from mergekit_speech.superb.s3prl_engine.tables import Names, number, write_table
from mergekit_speech.superb.s3prl_engine.watch import Event, Watch
from mergekit_speech.tasks.parts.examination import Examination
from mergekit_speech.tasks.parts.splits import NAMES
from mergekit_speech.training.settings import Goal

NEVER = 10**12
ORDER_SEED = 12_345_678
"""s3prl's seed of the order of clips, whatever the seed of a probe."""
APART = 1_000_003
"""Between the orders of two seeds; s3prl adds the number of the epoch."""


def probe(job: Job, send: Callable[[Event], None]) -> Tested:
    """Trains a head from scratch on the encoder that `stage.prepare` loaded, and tests the best checkpoint.

    Raises:
        SettingsError: s3prl has no such problem.
    """
    form = form_of(job.task)
    with tempfile.TemporaryDirectory(prefix="msm-s3prl-") as folder:
        return _Sitting(job, form, Path(folder), send).hold()


class _Sitting:
    def __init__(self, job: Job, form: Form, folder: Path, send: Callable[[Event], None]) -> None:
        self._job, self._form, self._folder = job, form, folder
        self._names: dict[str, Names] = {split: number(getattr(job.fold.splits, split)) for split in NAMES}
        metric = job.task.metrics[0]
        self._goal = Goal(metric.name, metric.lower_is_better)
        watch = Watch(send, job.settings.learning_rate, self._goal)
        self._scene = Scene(job.seed, self._write, form.selection, watch)

    def hold(self) -> Tested:
        problem = self._form.problem(self._scene)
        checkpoint = self._form.run(problem, self._configure(problem.default_config()), self._validate, self._goal)
        valid, test = self._examine(checkpoint).conclude()
        written = self._folder / "train" / checkpoint
        step = yaml.safe_load((written / "training_stats.yaml").read_text())["global_step"]
        return Tested(valid, test, _layer_weights(written / "model" / "state_dict.pt"), step)

    def _configure(self, config: Config) -> Config:
        settings, seed = self._job.settings, self._job.seed
        config["train"] |= {
            "total_steps": settings.steps,
            # Without a validation there is nothing to test.
            "eval_step": min(settings.evaluate_every, settings.steps),
            "save_step": NEVER,
            "gradient_accumulate": settings.accumulate,
            "auto_resume": False,
            "seed": seed,
        }
        config["build_optimizer"]["conf"]["lr"] = settings.learning_rate
        config["build_batch_sampler"]["train"] |= {"batch_size": settings.clips, "seed": ORDER_SEED + APART * seed}
        return self._form.adapt(config) | {
            "target_dir": str(self._folder),
            "cache_dir": str(self._folder / "cache"),
            "prepare_data": {},
            "build_upstream": {},
            "save_model": {},
            "num_workers": 0,
            "device": str(PartialState().device),
        }

    def _write(self, split: str, path: Path) -> None:
        write_table(path, self._form.rows(self._job.task, self._names[split], path))

    def _validate(self, checkpoint: str) -> float:
        return self._examine(checkpoint).validate()[self._goal.metric]

    def _examine(self, checkpoint: str) -> Examination:
        splits = self._job.fold.splits

        def answer(clips: Sequence[Clip]) -> Mapping[str, Any]:
            split = "valid" if clips is splits.valid else "test"
            said = self._scene.tested[self._form.dumps(self._folder, split, checkpoint)]
            return self._form.answers(self._job.task, said, self._names[split])

        return Examination(self._job.task, splits, answer)


def _layer_weights(path: Path) -> list[float]:
    weights = torch.load(path, map_location="cpu").get("featurizer.weights", torch.zeros(1))
    return [float(share) for share in weights.softmax(dim=0)]
