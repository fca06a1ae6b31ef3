"""`check_task` accepts what keeps the contract, and finds what does not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mergekit_speech.registry import TASKS
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.classification import ClassificationTask
from mergekit_speech.tasks.parts.ctc import CtcTask
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows
from mergekit_speech.tasks.parts.splits import Splits
from mergekit_speech.tasks.parts.task import Task
from mergekit_speech.testing import check_task
from tests.speech.corpus import make_clip, write_manifest
from tests.tasks.few import aligned_phones

NAMES = ("a", "b", "c", "d", "e", "f")
CLIPS = [make_clip(name, label="yes" if place % 2 else "no") for place, name in enumerate(NAMES)]
SPLITS = Splits(CLIPS[:2], CLIPS[2:4], CLIPS[4:])
KS: ClassificationTask = TASKS.load("ks")
FIELDS = {field.name: getattr(KS, field.name) for field in fields(KS)}


def few(clips: Sequence[Clip]) -> Sequence[Clip]:
    """Two clips with different answers, and some more."""
    return clips[:: max(1, len(clips) // 6)]


@pytest.mark.parametrize("name", ["pr", "ks", "sid", "er", "ic", "sd"])
def test_builtins_keep_the_contract_on_real_data(speech: Path, name: str) -> None:
    task: Task = TASKS.load(name)
    splits = task.splits(speech)
    check_task(task, Splits(few(splits.train), few(splits.valid), few(splits.test)))


def test_frames_keep_the_contract(speech: Path, tmp_path: Path) -> None:
    task: Task = TASKS.load("pc")
    check_task(task, task.splits(aligned_phones(speech, tmp_path)))


def test_verification_keeps_the_contract(tmp_path: Path) -> None:
    rows = [
        {"split": split, "speaker": f"{split}{speaker}", "duration": 3.0}
        for split in ("train", "valid", "test")
        for speaker in (0, 1, 0, 1)
    ]
    path = write_manifest(tmp_path, "asv", rows)
    pairs = (("clip9", "clip11", 1), ("clip9", "clip10", 0), ("clip10", "clip11", 0), ("clip10", "clip12", 1))
    lines = [json.dumps({"enroll": one, "test": other, "label": label}) for one, other, label in pairs]
    path.with_name("trials.jsonl").write_text("\n".join(lines))
    task: Task = TASKS.load("asv")
    check_task(task, task.splits(tmp_path))


def test_search_keeps_the_contract(tmp_path: Path) -> None:
    rows = [{"split": split, "label": label} for split in ("query", "query_valid", "doc") for label in "abab"]
    write_manifest(tmp_path, "qbe", rows)
    task: Task = TASKS.load("qbe")
    splits = task.splits(tmp_path)
    check_task(task, splits)
    with pytest.raises(AssertionError, match="expected at least two test clips to check with, came 1"):
        check_task(task, replace(splits, test=splits.test[:1]))


def test_smallest_data_suffice() -> None:
    check_task(KS, SPLITS)


def refuse(task: Task, splits: Splits = SPLITS) -> str:
    with pytest.raises(AssertionError) as caught:
        check_task(task, splits)
    return str(caught.value)


def test_one_clip_is_too_few() -> None:
    assert refuse(KS, replace(SPLITS, valid=CLIPS[:1])) == "expected at least two valid clips to check with, came 1"


def test_title_of_two_lines() -> None:
    assert refuse(replace(KS, title="a\nb")) == "expected a name and a title of one line, came 'ks' and 'a\\nb'"


def test_metrics_are_stated_once() -> None:
    assert refuse(replace(KS, metrics=())) == "expected at least one metric, each once, came []"


class Deaf(nn.Module):
    """Learns nothing."""

    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        self.outputs, self.weight = outputs, nn.Parameter(torch.zeros(1))

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return hidden.new_zeros(len(hidden), self.outputs) + 0 * self.weight


class Hasty(nn.Module):
    """Hears the padding."""

    def __init__(self, dim: int, outputs: int) -> None:
        super().__init__()
        self.classify = nn.Linear(dim, outputs)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.classify(hidden.mean(dim=1))
        return output


def test_head_that_learns_nothing() -> None:
    said = refuse(replace(KS, probe_head=Deaf))
    assert said.startswith(
        "probe_head: expected a loss that falls while two clips are learnt by heart, came 0.6931 and"
    )


@dataclass(frozen=True, kw_only=True)
class Reversed(ClassificationTask):
    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[str]:
        return [labels.names[::-1][index] for index in output.argmax(dim=-1).tolist()]


@dataclass(frozen=True, kw_only=True)
class Forgetful(CtcTask):
    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[list[str]]:
        return [symbols[:-1] for symbols in super().decode(output, lengths, labels)]


def test_decoding_that_does_not_invert_targets() -> None:
    assert refuse(Reversed(**FIELDS)) == (
        "probe_head: expected that decoding inverts targets, acc 1 of an output with next to no loss, came 0"
    )
    phones = [make_clip(name, phones=["AA", "B", "B", name]) for name in ("c", "d", "c", "d", "c", "d")]
    pr: CtcTask = TASKS.load("pr")
    splits = Splits(phones[:2], phones[2:4], phones[4:])
    check_task(pr, splits)
    forgetful = Forgetful(**{field.name: getattr(pr, field.name) for field in fields(pr)})
    assert refuse(forgetful, splits).endswith("per 0 of an output with next to no loss, came 0.25")


def test_head_that_hears_padding() -> None:
    said = refuse(replace(KS, tuning_head=Hasty))
    assert said.startswith("tuning_head: expected a loss that does not depend on what lies behind a clip's end, came")


@dataclass(frozen=True, kw_only=True)
class Endless(ClassificationTask):
    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        return super().loss(output, lengths, targets) * float("inf")


@dataclass(frozen=True, kw_only=True)
class Short(ClassificationTask):
    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[str]:
        return super().decode(output, lengths, labels)[:1]


@dataclass(frozen=True, kw_only=True)
class Aimless(ClassificationTask):
    def targets(self, clips: Sequence[Any], labels: Labels) -> list[torch.Tensor]:
        return super().targets(clips, labels)[:1]


@dataclass(frozen=True, kw_only=True)
class Uneven(ClassificationTask):
    def measure(self, answers: Mapping[str, Any], clips: Sequence[Any], decision: Any = None) -> Rows:
        return {**super().measure(answers, clips, decision), "more": np.zeros(9)}


@dataclass(frozen=True, kw_only=True)
class Moody(ClassificationTask):
    def measure(self, answers: Mapping[str, Any], clips: Sequence[Any], decision: Any = None) -> Rows:
        return {**super().measure(answers, clips, decision), "more": np.random.default_rng().random(len(clips))}


@dataclass(frozen=True, kw_only=True)
class Secretive(ClassificationTask):
    def figures(self, rows: Rows) -> Mapping[str, float]:
        return {**super().figures(rows), "other": 1.0}


@dataclass(frozen=True, kw_only=True)
class Orderly(ClassificationTask):
    def figures(self, rows: Rows) -> Mapping[str, float]:
        return {"acc": float(rows["truth"][0] == "yes")}


@dataclass(frozen=True, kw_only=True)
class Adrift(ClassificationTask):
    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        return {"acc": np.full(len(counts), 0.25)}


@dataclass(frozen=True, kw_only=True)
class Careless(ClassificationTask):
    def figures(self, rows: Rows) -> Mapping[str, float]:
        found = super().figures(rows)
        rows["truth"][:] = ""
        return found


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Endless, "probe_head: expected a loss of one finite number, came tensor(inf"),
        (Aimless, "expected a target for each of 2 clips, came 1"),
        (Short, "expected an answer for each of 2 clips, came 1"),
        (Uneven, "expected rows about one number of items, at least one, came {'truth': 2, 'answer': 2, 'more': 9}"),
        (Moody, "expected the same rows from the same answers, came others"),
        (Secretive, "expected figures among the metrics ['acc'], the first one at least, came ['acc', 'other']"),
        (Orderly, "expected the same figures from other order, {'acc': 0.0}, came {'acc': 1.0}"),
        (Adrift, "expected the same figures from draws of each item once, {'acc':"),
        (Careless, "expected"),
    ],
)
def test_what_breaks_the_contract_is_named(kind: type[ClassificationTask], said: str) -> None:
    assert refuse(kind(**FIELDS)).startswith(said)
