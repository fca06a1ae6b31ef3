"""What the toolkit does otherwise in every stock problem of s3prl, and why.

- Data are the manifests' (`prepare_data`); nothing is downloaded.
- The encoder is the toolkit's own (`build_upstream`), and no part of checkpoints, which would each hold it whole
  (`save_model`, `load_model`).
- The seed counts (`build_featurizer`): s3prl sets it, and then resets the random state to 0 when it builds an upstream,
  so that all seeds would give one head.
- What is said of each clip in a test is kept (`evaluate`): s3prl keeps the metric alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from mergekit_speech.superb.s3prl_engine.upstream import NAME
from mergekit_speech.superb.s3prl_engine.watch import Watch

Said = Sequence[Mapping[str, Any]]
"""What s3prl's task says of each batch of a test."""
UPSTREAM = "upstream."


@dataclass
class Scene:
    """What a problem plays in.

    Attributes:
        seed: Decides the head.
        write: Writes the table of a split into a file.
        selection: s3prl's name of the metric that picks the checkpoint; None where it validates nothing.
        watch: Told of steps and validations.
        tests: Splits to test on.
        tested: What each test said, by the folder of what it wrote.
    """

    seed: int
    write: Callable[[str, Path], None]
    selection: str | None
    watch: Watch
    tests: Sequence[str] = ("valid", "test")
    tested: dict[Path, Said] = field(default_factory=dict)


class Overrides:
    """Comes before a problem's class; its `scene` is set before it runs."""

    scene: Scene
    splits: Sequence[str] = ("train", "valid")

    def prepare_data(self, prepare_data: Any, target_dir: Any, cache_dir: Any, get_path_only: bool = False) -> Any:
        """Writes tables where s3prl reads a corpus."""
        places = {split: Path(target_dir) / f"{split}.csv" for split in (*self.splits, *self.scene.tests)}
        for split, path in places.items():
            if not path.exists():
                self.scene.write(split, path)
        return *(places[split] for split in self.splits), [places[split] for split in self.scene.tests]

    def build_upstream(self, build_upstream: Any) -> Any:
        """The toolkit's encoder in place of one that s3prl loads."""
        nn: Any = import_module("s3prl.nn")
        return nn.S3PRLUpstream(NAME)

    def build_featurizer(self, build_featurizer: Any, upstream: Any) -> Any:
        """Sets the seed again, between the upstream and everything that is trained."""
        random.seed(self.scene.seed)
        np.random.seed(self.scene.seed)
        torch.manual_seed(self.scene.seed)
        return self._stock("build_featurizer", build_featurizer, upstream)

    def build_task(self, *words: Any, **settings: Any) -> Any:
        """Listens to the task."""
        task = self._stock("build_task", *words, **settings)
        task.register_forward_hook(self.scene.watch.heard, with_kwargs=True)
        return task

    def build_optimizer(self, build_optimizer: Any, parameters: Any) -> Any:
        """Listens to the optimizer."""
        optimizer = self._stock("build_optimizer", build_optimizer, parameters)
        optimizer.register_step_post_hook(self.scene.watch.stepped)
        return optimizer

    def evaluate(self, evaluate: Any, mode: str, task: Any, *words: Any) -> Any:
        """Keeps what a test says of each clip, and tells of validations."""
        reduce, said = task.reduction, list[Mapping[str, Any]]()

        def keep(mode: str, results: Said, **settings: Any) -> Any:
            said.extend(results)
            return reduce(mode, results, **settings)

        task.reduction = keep
        logs = self._stock("evaluate", evaluate, mode, task, *words)
        task.reduction = reduce
        folder = words[4]
        if mode == "test":
            self.scene.tested[Path(folder)] = said
        elif self.scene.selection:
            self.scene.watch.validated(float(logs[self.scene.selection]))
        return logs

    def save_model(self, save_model: Any, model_ckpt_dir: Any, build_model_all_args: Any, model: Any) -> None:
        """Writes what is trained, and how to build it again."""
        folder = Path(model_ckpt_dir)
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(UPSTREAM)}
        torch.save(trained, folder / "state_dict.pt")
        (folder / "arguments.yaml").write_text(yaml.safe_dump(build_model_all_args))

    def load_model(self, model_ckpt_dir: Any) -> Any:
        """Builds a model, and fills in what was trained."""
        folder: Any = Path(model_ckpt_dir)
        model = self._stock("build_model", **yaml.safe_load((folder / "arguments.yaml").read_text()))
        known = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(UPSTREAM)}
        model.load_state_dict({**known, **torch.load(folder / "state_dict.pt", map_location="cpu")})
        return model

    def _stock(self, method: str, *words: Any, **settings: Any) -> Any:
        return getattr(super(), method)(*words, **settings)
