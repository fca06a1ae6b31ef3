"""Turns probabilities of speech into turns, and counts their errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from mergekit_speech.tasks.parts.stretches import Stretch

Probabilities = npt.NDArray[np.float32]
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
MEDIANS = (1, 11)


@dataclass(frozen=True)
class Decision:
    """How probabilities become speech.

    Attributes:
        threshold: Speech is what lies above it, in (0, 1).
        median: Frames, an odd number, over which the majority then decides.
    """

    threshold: float
    median: int

    def speech(self, probabilities: Probabilities) -> npt.NDArray[np.bool_]:
        """Whether each speaker speaks, shape `(frames, speakers)` as the probabilities."""
        from scipy.ndimage import median_filter

        active: npt.NDArray[np.bool_] = probabilities > self.threshold
        return active if self.median == 1 else median_filter(active, (self.median, 1), mode="constant")


def choose(probabilities: Sequence[Probabilities], truth: Sequence[npt.NDArray[np.bool_]]) -> Decision:
    """The decision with the fewest wrong frames, counted as diarization error counts them, the first of equals.

    Args:
        probabilities: Of each validation recording, shape `(frames, speakers)`.
        truth: Who speaks, same shapes.
    """
    decisions = [Decision(threshold, median) for threshold in THRESHOLDS for median in MEDIANS]
    wrong = [
        sum(_wrong_frames(decision.speech(said), spoken) for said, spoken in zip(probabilities, truth, strict=True))
        for decision in decisions
    ]
    return decisions[int(np.argmin(wrong))]


def _wrong_frames(said: npt.NDArray[np.bool_], spoken: npt.NDArray[np.bool_]) -> int:
    """Missed, invented and confused speech under the best naming of the speakers, in frames."""
    right = max(int((said[:, list(order)] & spoken).sum()) for order in permutations(range(said.shape[1])))
    return int(np.maximum(said.sum(axis=1), spoken.sum(axis=1)).sum()) - right


def turns_of(speech: npt.NDArray[np.bool_], duration: float) -> list[Stretch]:
    """Turns of what was decided, shape `(frames, speakers)`, over a recording of `duration` seconds."""
    seconds = duration / len(speech)
    turns = []
    for number, column in enumerate(speech.T):
        (changes,) = np.diff(column.astype(np.int8), prepend=0, append=0).nonzero()
        spans = changes.reshape(-1, 2) * seconds
        turns += [Stretch(float(start), float(end), str(number)) for start, end in spans]
    return turns


@dataclass(frozen=True)
class Errors:
    """Diarization errors of one recording.

    Attributes:
        missed: Seconds of speech that were not found, each speaker's counted.
        false_alarm: Seconds of speech that nobody spoke.
        confusion: Seconds given to the wrong speaker.
        speech: Seconds of speech in truth, each speaker's counted.
    """

    missed: float
    false_alarm: float
    confusion: float
    speech: float


def count_errors(spoken: Iterable[Stretch], said: Iterable[Stretch], duration: float) -> Errors:
    """Compares turns under the best naming of the speakers, without a collar, overlapping speech included.

    Source: pyannote.metrics, set as SUPERB sets dscore (md-eval without `-c` and `-1`).
    """
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    count = DiarizationErrorRate(collar=0.0, skip_overlap=False).compute_components(
        _annotation(spoken), _annotation(said), uem=Timeline([Segment(0, duration)])
    )
    return Errors(count["missed detection"], count["false alarm"], count["confusion"], count["total"])


def _annotation(turns: Iterable[Stretch]) -> object:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for track, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), track] = turn.label
    return annotation.support()
