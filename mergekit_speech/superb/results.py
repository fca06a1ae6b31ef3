"""What a bench found, and how `results.json` says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mergekit_speech.superb.settings import ProbeSettings
from mergekit_speech.tasks.parts.task import Metric


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
    """

    label: str
    source: str
    digest: str
    depth: int
    dim: int
    parameters: int


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
    settings: ProbeSettings
    clips: Mapping[str, int]
    manifest: str


@dataclass(frozen=True)
class ProbeResult:
    """One trained and tested probe.

    Attributes:
        encoder: Label of the encoder.
        task: Name of the task.
        seed: Decided head and order of clips.
        settings: How it was trained.
        best_step: Step of the tested checkpoint: the best on the validation split.
        valid: Its metrics on the validation split, fractions.
        test: Its metrics on the test split, fractions.
        n: Test clips.
        layer_weights: Share of each hidden state in the weighted sum.
        seconds: Wall time of training and test.
    """

    encoder: str
    task: str
    seed: int
    settings: ProbeSettings
    best_step: int
    valid: Mapping[str, float]
    test: Mapping[str, float]
    n: int
    layer_weights: Sequence[float]
    seconds: float

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def read(cls, document: Mapping[str, Any], encoder: str) -> ProbeResult:
        """Takes back what `document` gave, under the label that the encoder has now.

        Raises:
            KeyError, TypeError: The document is something else.
        """
        settings = ProbeSettings(**document["settings"])
        return replace(cls(**document), encoder=encoder, settings=settings)


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
    """

    encoders: tuple[ProbedEncoder, ...]
    tasks: tuple[ProbedTask, ...]
    seeds: tuple[int, ...]
    probes: tuple[ProbeResult, ...]
    references: str
    data: Path
    versions: Mapping[str, str]

    def values(self, encoder: str, task: str, metric: str) -> list[float]:
        """A test metric of one encoder on one task, in the order of the seeds."""
        found = {
            probe.seed: probe.test[metric] for probe in self.probes if (probe.encoder, probe.task) == (encoder, task)
        }
        return [found[seed] for seed in self.seeds]
