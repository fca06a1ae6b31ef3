"""What a bench found, and how `results.json` says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mergekit_speech.superb.settings import ProbeSettings
from mergekit_speech.tasks.parts.rows import Rows
from mergekit_speech.tasks.parts.task import Metric

NATIVE = "native"


@dataclass(frozen=True)
class ProbedEncoder:
    """An encoder of a bench.

    Attributes:
        label: Its name in tables.
        source: What the user called it.
        digest: Changes with its weights.
        depth: Number of hidden states.
        dim: Dimensions of a hidden state.
        parameters: Number of its weights.
        origin: What made it, as far as its folder tells: the record of a run, or the recipe of a merge.
    """

    label: str
    source: str
    digest: str
    depth: int
    dim: int
    parameters: int
    origin: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ProbedTask:
    """A task of a bench.

    Attributes:
        name: As on the command line.
        title: In words.
        metrics: What was measured; the first one picked the checkpoints.
        settings: How its probes were trained.
        clips: Number of clips by split.
        manifest: Digest of its manifest.
    """

    name: str
    title: str
    metrics: tuple[Metric, ...]
    settings: ProbeSettings | None
    clips: Mapping[str, int]
    manifest: str


@dataclass(frozen=True)
class Trial:
    """A learning rate that was tried and validated, but not tested.

    Attributes:
        learning_rate: The rate.
        valid: Metrics on the validation split, fractions.
    """

    learning_rate: float
    valid: Mapping[str, float]


@dataclass(frozen=True)
class Failure:
    """What did not come to an end, so that its figures are missing.

    Attributes:
        encoder: Label of the encoder.
        task: Name of the task; None if the encoder failed before any task.
        seed: Of the probe; None if no probe of the task could begin.
        message: Why.
    """

    encoder: str
    task: str | None
    seed: int | None
    message: str


@dataclass(frozen=True)
class ProbeResult:
    """One trained and tested probe.

    Attributes:
        encoder: Label of the encoder.
        task: Name of the task.
        seed: Decided head and order of clips.
        settings: How it was trained; None where the task trains no head.
        best_steps: Step of the tested checkpoint of each fold, the best on its validation split; none without a head.
        valid: Metrics on the validation split, fractions; those of all folds where there are several.
        test: Metrics on the test split, likewise.
        n: Test clips.
        layer_weights: Share of each hidden state in the weighted sum, the mean over folds.
        seconds: Wall time of training and test.
        rows: Its test rows, from which `Task.figures` makes `test`: arrays whose first axis is the test items.
        engine: What trained it.
        tried: Every learning rate that was tried, if there were several; the best on the validation split was tested.
    """

    encoder: str
    task: str
    seed: int
    settings: ProbeSettings | None
    best_steps: Sequence[int]
    valid: Mapping[str, float]
    test: Mapping[str, float]
    n: int
    layer_weights: Sequence[float]
    seconds: float
    # Equal rows give equal figures, and arrays have no truth value.
    rows: Rows = field(default_factory=dict, compare=False, repr=False)
    engine: str = NATIVE
    tried: tuple[Trial, ...] = ()

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        rows = {name: np.asarray(values).tolist() for name, values in self.rows.items()}
        return asdict(replace(self, rows={})) | {"rows": rows}

    @classmethod
    def read(cls, document: Mapping[str, Any], encoder: str) -> ProbeResult:
        """Takes back what `document` gave, under the label that the encoder has now.

        Raises:
            KeyError, TypeError: The document is something else.
        """
        settings = document["settings"] and ProbeSettings(**document["settings"])
        rows = {name: np.asarray(values) for name, values in document.get("rows", {}).items()}
        tried = tuple(Trial(**trial) for trial in document.get("tried", ()))
        return replace(cls(**document), encoder=encoder, settings=settings, rows=rows, tried=tried)


@dataclass(frozen=True)
class BenchReport:
    """Every probe of a bench; the first encoder is the one that deltas refer to.

    Attributes:
        encoders: In the order of the rows.
        tasks: In the order of the columns.
        seeds: One probe each, for every encoder and task.
        probes: All of them.
        references: Name of the set of reference figures of the SUPERB score.
        data: The data folder.
        versions: Of Python and of the packages that figures depend on.
        failures: What did not come to an end.
    """

    encoders: tuple[ProbedEncoder, ...]
    tasks: tuple[ProbedTask, ...]
    seeds: tuple[int, ...]
    probes: tuple[ProbeResult, ...]
    references: str
    data: Path
    versions: Mapping[str, str]
    failures: tuple[Failure, ...] = ()

    def values(self, encoder: str, task: str, metric: str) -> list[float]:
        """A test metric of one encoder on one task, in the order of the seeds."""
        found = {
            probe.seed: probe.test[metric] for probe in self.probes if (probe.encoder, probe.task) == (encoder, task)
        }
        return [found[seed] for seed in self.seeds]
