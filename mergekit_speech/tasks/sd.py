"""SD: speaker diarization of two speakers. Manifest field `segments`: a list of [start, end, speaker], seconds.

Threshold and median filter are chosen on validation clips; SUPERB chooses them on the test clips. Clips of splits that
are called `ami_…` are an out-of-domain test with any number of speakers: nothing is trained or chosen on them, they
give a figure of their own, and speakers beyond two count as missed. DER counts every second: no collar, and speech of
both speakers at once is scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip
from mergekit_speech.tasks.parts.activity import as_fractions, as_frames, order_free_loss, read_turns
from mergekit_speech.tasks.parts.diarization import Decision, choose, count_errors, turns_of
from mergekit_speech.tasks.parts.labels import Labels
from mergekit_speech.tasks.parts.rows import Counts, Drawn, Rows, counted_once, ratios
from mergekit_speech.tasks.parts.splits import Splits, split_by_name
from mergekit_speech.tasks.parts.task import Budget, Metric, Task

SPEAKERS = ("first speaker", "second speaker")
CHUNK = 2000
"""Frames after which the head starts anew."""
MEETINGS = "ami_"
DER = Metric("der", "DER", lower_is_better=True)
DER_AMI = Metric("der_ami", "DER on AMI", lower_is_better=True)


class Diarizer(nn.Module):
    """An LSTM that reads chunks of 2000 frames, and a linear map at each frame.

    Source: s3prl's `SuperbDiarizationModel`.
    """

    def __init__(self, dim: int, speakers: int, *, hidden: int = 512) -> None:
        """Maps `dim` through `hidden` units to a logit for each speaker."""
        super().__init__()
        self.lstm = nn.LSTM(dim, hidden, batch_first=True)
        self.classify = nn.Linear(hidden, speakers)

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Maps `(batch, frames, dim)` to `(batch, frames, speakers)`."""
        states = torch.cat([self.lstm(chunk)[0] for chunk in torch.split(hidden, CHUNK, dim=1)], dim=1)
        logits: torch.Tensor = self.classify(states)
        return logits


@dataclass(frozen=True, kw_only=True)
class DiarizationTask(Task):
    """Says who speaks when, in whatever order of the speakers.

    The answer to a clip is the probability that each speaker speaks, float32, shape `(frames, 2)`. Rows, seconds:
    `missed`, `false_alarm`, `confusion` and `speech`; and `meeting`, whether the clip is out of domain.
    """

    def labels(self, train: Sequence[Clip]) -> Labels:
        """See `Task.labels`: two speakers, whoever they are."""
        return Labels(SPEAKERS)

    def targets(self, clips: Sequence[Clip], labels: Labels) -> list[torch.Tensor]:
        """See `Task.targets`: the turns as `activity.as_fractions` gives them, which fit any frame rate."""
        return [self._turns(clip) for clip in clips]

    def loss(self, output: torch.Tensor, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `Task.loss`; `output` has shape `(batch, frames, speakers)`."""
        frames = zip(targets, lengths.tolist(), strict=True)
        return order_free_loss(output, lengths, [as_frames(turns, length, output.shape[2]) for turns, length in frames])

    def items(self, lengths: torch.Tensor, targets: Sequence[torch.Tensor]) -> int:
        """See `Task.items`: frames."""
        return int(lengths.sum())

    def decode(self, output: torch.Tensor, lengths: torch.Tensor, labels: Labels) -> list[npt.NDArray[np.float32]]:
        """See `Task.decode`."""
        probabilities = output.float().sigmoid().cpu().numpy()
        return [row[:length] for row, length in zip(probabilities, lengths.tolist(), strict=True)]

    def decide(self, answers: Mapping[str, Any], clips: Sequence[Clip]) -> Decision:
        """See `Task.decide`: threshold and median filter with the fewest wrong frames."""
        said = [answers[clip.id] for clip in clips]
        truth = [as_frames(self._turns(clip), *row.shape).bool().numpy() for clip, row in zip(clips, said, strict=True)]
        return choose(said, truth)

    def measure(self, answers: Mapping[str, Any], clips: Sequence[Clip], decision: Any = None) -> Rows:
        """See `Task.measure`; without a decision speech is what is likelier than not."""
        decide = (decision or Decision(0.5, 1)).speech
        errors = [
            count_errors(read_turns(clip, self.field), turns_of(decide(answers[clip.id]), clip.duration), clip.duration)
            for clip in clips
        ]
        return {
            "missed": np.array([each.missed for each in errors]),
            "false_alarm": np.array([each.false_alarm for each in errors]),
            "confusion": np.array([each.confusion for each in errors]),
            "speech": np.array([each.speech for each in errors]),
            "meeting": np.array([_is_meeting(clip) for clip in clips]),
        }

    def figures(self, rows: Rows) -> Mapping[str, float]:
        """See `Task.figures`: seconds of error over seconds of speech."""
        return counted_once(self.draws, rows)

    def draws(self, rows: Rows, counts: Counts) -> Drawn:
        """See `Task.draws`."""
        wrong, meeting = rows["missed"] + rows["false_alarm"] + rows["confusion"], rows["meeting"]
        columns = {"wrong": wrong * ~meeting, "speech": rows["speech"] * ~meeting}
        parts = {DER.name: ("wrong", "speech")}
        if meeting.any():
            columns |= {"wrong there": wrong * meeting, "speech there": rows["speech"] * meeting}
            parts |= {DER_AMI.name: ("wrong there", "speech there")}
        return ratios(columns, counts, parts)

    def folds(self, data: Path) -> Sequence[Splits]:
        """See `Task.folds`: clips of meetings are test clips."""
        clips = self.clips(data)
        splits = split_by_name(clips)
        splits = replace(splits, test=[*splits.test, *filter(_is_meeting, clips)])
        self.check(splits, data)
        return [splits]

    def check(self, splits: Splits, data: Path) -> None:
        """See `Task.check`; outside of meetings, two speakers at most."""
        super().check(splits, data)
        for clip in splits.clips:
            speakers = {turn.label for turn in read_turns(clip, self.field)}
            if len(speakers) > len(SPEAKERS) and not _is_meeting(clip):
                raise DataError(
                    f"{clip.source}: task {self.name} tells {len(SPEAKERS)} speakers apart, clip {clip.id!r} of split"
                    f" {clip.split!r} has {len(speakers)}: drop it, or put it into a split called {MEETINGS}…"
                )

    def _turns(self, clip: Clip) -> torch.Tensor:
        return as_fractions(read_turns(clip, self.field), clip.duration)


def _is_meeting(clip: Clip) -> bool:
    return clip.split.startswith(MEETINGS)


TASK = DiarizationTask(
    name="sd",
    title="speaker diarization",
    field="segments",
    metrics=(DER, DER_AMI),
    needs="splits train, valid and test, perhaps ami_test",
    probe_head=Diarizer,
    tuning_head=Diarizer,
    probing=Budget(steps=30_000, learning_rate=1e-4, clips=8, accumulate=4, evaluate_every=500),
    tuning=Budget(steps=30_000, learning_rate=1e-4, clips=8, accumulate=4, evaluate_every=1000),
)
