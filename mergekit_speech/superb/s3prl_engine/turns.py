"""The form of SD, which s3prl scores by a program that it downloads, choosing the threshold on the test clips.

Here the task scores, and chooses on validation clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import soundfile
import torch

from mergekit_speech.speech.address import Recording
from mergekit_speech.speech.audio import read_audio
from mergekit_speech.speech.clip import SAMPLE_RATE, Clip
from mergekit_speech.superb.s3prl_engine.form import Form
from mergekit_speech.superb.s3prl_engine.overrides import Overrides, Said
from mergekit_speech.superb.s3prl_engine.tables import Names, Row
from mergekit_speech.superb.s3prl_engine.utterances import predictions
from mergekit_speech.tasks.parts.activity import read_turns
from mergekit_speech.tasks.sd import SPEAKERS, DiarizationTask


class DiarizationOverrides(Overrides):
    """See above."""

    def evaluate(self, evaluate: Any, mode: str, task: Any, dataset: Any, *words: Any) -> Any:
        """Takes the probabilities of a test from where s3prl writes them, without the padding of the last chunk."""
        logs = super().evaluate(evaluate, mode, task, dataset, *words)
        if mode == "test":
            folder = Path(words[3])
            ends = {name: end for name, _, _, end in dataset.chunk_indices}
            found = [torch.load(folder / "prediction" / f"{name}.pt")[:end].numpy() for name, end in ends.items()]
            self.scene.tested[folder] = [{"unique_name": list(ends), "prediction": found}]
        return logs

    def scoring(self, *words: Any) -> None:
        """Leaves scores to the task."""


@dataclass(frozen=True)
class Turns(Form):
    """Turns of two speakers; the answer to a clip is the probability that each speaks."""

    overrides: ClassVar[type[Overrides]] = DiarizationOverrides

    def rows(self, task: DiarizationTask, names: Names, table: Path) -> list[Row]:
        """See `Form.rows`."""
        return [row for name, clip in names.items() for row in _rows(task, name, clip, table)]

    def answers(self, task: DiarizationTask, said: Said, names: Names) -> Mapping[str, Any]:
        """See `Form.answers`."""
        return predictions(said, names)


def _rows(task: DiarizationTask, name: str, clip: Clip, table: Path) -> list[Row]:
    path = _readable(clip, table.with_name(f"{table.stem}-{name}.wav"))
    turns = read_turns(clip, task.field)
    # s3prl's own loss knows two voices; the task scores them all.
    heard = sorted({turn.label for turn in turns})[: len(SPEAKERS)]
    return [
        {
            "record_id": name,
            "wav_path": str(path),
            # What the manifest says may be more than there is.
            "duration": str(soundfile.info(path).duration),
            "utt_id": f"{name}-{place}",
            "speaker": f"{name}-{heard.index(turn.label)}",
            "start_sec": str(turn.start),
            "end_sec": str(turn.end),
        }
        for place, turn in enumerate(turns)
        if turn.label in heard
    ]


def _readable(clip: Clip, copy: Path) -> Recording:
    """The recording as s3prl must find it for this task: mono, 16 kHz."""
    found = soundfile.info(clip.path)
    if (found.samplerate, found.channels) == (SAMPLE_RATE, 1):
        return clip.path
    soundfile.write(copy, read_audio(clip.path), SAMPLE_RATE, subtype="FLOAT")
    return copy
