"""What is merged and probed in a sweep: paths and settings, small enough to be sent to any process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.recipe import Case, Merge, Recipe, Tuned
from mergekit_speech.merging.runs import is_run, recorded_digest
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.shards.reader import open_checkpoint
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.sweeping.grid import SHARE
from mergekit_speech.sweeping.groups import group_filter
from mergekit_speech.sweeping.point import SweepPoint


@dataclass(frozen=True)
class Job:
    """Everything that the trials of a sweep have in common.

    Attributes:
        base: Folder of the base.
        tuned: Folders of the tuned encoders.
        digests: Of the base's weights and of each tuned encoder's.
        data: Folder that holds `<task>/manifest.jsonl`.
        tasks: Names of tasks.
        overrides: What probes do otherwise than SUPERB.
        extrapolate: Allow an α beyond 0 to 1.
        seed: Of strategies that draw random numbers.
        cache: Bytes of hidden states to keep.
        force: Merge also if an encoder was hardly tuned from the base.
    """

    base: Path
    tuned: tuple[Path, ...]
    digests: tuple[str, ...]
    data: Path
    tasks: tuple[str, ...]
    overrides: Overrides
    extrapolate: bool
    seed: int
    cache: int
    force: bool = False

    def recipe(self, point: SweepPoint) -> Recipe:
        """The merge of a point; that of an end gives the same encoder."""
        chosen = range(len(self.tuned)) if point.tuned is None else point.tuned
        return Recipe(
            Merge(
                self.base,
                tuple(Tuned(self.tuned[number]) for number in chosen),
                point.strategy,
                {**point.settings, **self._alpha(point)},
                extrapolate=self.extrapolate,
            ),
            seed=self.seed,
            base_digest=self.digests[0],
            force=self.force,
        )

    def folder(self, point: SweepPoint) -> Path:
        """Where the encoder of an end lies."""
        return self.base if point.end == "base" else self.tuned[(point.tuned or (0,))[0]]

    def digest(self, point: SweepPoint) -> str:
        """A text that changes with a point's weights, without merging them."""
        chosen = range(len(self.tuned)) if point.tuned is None else point.tuned
        if point.end is not None:
            return self.digests[0] if point.end == "base" else self.digests[1 + chosen[0]]
        facts = {
            "inputs": [self.digests[0], *(self.digests[1 + number] for number in chosen)],
            "merge": [point.strategy, point.settings, point.alpha, point.groups, self.seed],
        }
        return f"merge:{blake3(json.dumps(facts, sort_keys=True).encode()).hexdigest()}"

    def check_inputs(self) -> None:
        """Checks that the encoders are those that the sweep was begun with.

        Raises:
            CheckpointError: One has changed since.
            ShardError: A file is missing or damaged.
        """
        for folder, digest in zip((self.base, *self.tuned), self.digests, strict=True):
            if (found := weights_digest(folder)) != digest:
                raise CheckpointError(
                    f"expected the encoder with digest {digest} in {folder}, came {found}: it is not the one that the"
                    " sweep was begun with; begin again with --overwrite"
                )

    def _alpha(self, point: SweepPoint) -> Mapping[str, Any]:
        if point.groups:
            names = list(open_checkpoint(self.base).parameters)
            cases = [Case(alpha, group_filter(name, names)) for name, alpha in point.groups.items()]
            return {SHARE: (*cases, Case(0.0))}
        if point.end is not None:
            return {SHARE: float(point.end == "tuned")}
        return {} if point.alpha is None else {SHARE: point.alpha}


def check_runs(runs: Iterable[Path], base: Path, digest: str) -> None:
    """Checks that runs were tuned from a base.

    Args:
        runs: What the user named: runs, or other encoders, of which nobody knows.
        base: Folder of the base.
        digest: Of its weights.

    Raises:
        CheckpointError: A run was tuned from another base, or its record is malformed.
    """
    for run in filter(is_run, runs):
        if (recorded := recorded_digest(run)) != digest:
            raise CheckpointError(
                f"expected runs that were tuned from {base}, with digest {digest}, came {run}, tuned from a base with"
                f" {recorded}; name that base with --base, or sweep this run by itself"
            )
