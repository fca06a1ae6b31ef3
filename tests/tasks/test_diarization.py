"""From probabilities to turns, and diarization errors: by hand, and against SciPy's filter and pyannote."""

from __future__ import annotations

import numpy as np
import pytest

from mergekit_speech.tasks.parts.diarization import Decision, Errors, choose, count_errors, turns_of
from mergekit_speech.tasks.parts.stretches import Stretch


def columns(*rows: str) -> np.ndarray:
    """One row a speaker, one character a frame, `#` where she speaks."""
    return np.array([[frame == "#" for frame in row] for row in rows]).T


def test_threshold_parts_speech_from_silence() -> None:
    probabilities = np.array([[0.2, 0.65], [0.5, 0.8]], dtype=np.float32)
    assert Decision(0.5, 1).speech(probabilities).tolist() == [[False, True], [False, True]]
    assert Decision(0.3, 1).speech(probabilities).tolist() == [[False, True], [True, True]]


def test_median_drops_what_is_short_and_bridges_gaps() -> None:
    rough = columns("..#......##########.##########..........").astype(np.float32)
    smooth = columns(".........#####################..........")
    assert np.array_equal(Decision(0.5, 11).speech(rough), smooth)


def test_turns_by_hand() -> None:
    speech = columns("##..#", ".###.")
    assert turns_of(speech, duration=10.0) == [Stretch(0, 4, "0"), Stretch(8, 10, "0"), Stretch(2, 8, "1")]
    assert turns_of(columns("...", "..."), duration=1.0) == []


def test_errors_by_hand() -> None:
    spoken = [Stretch(0, 5, "ann"), Stretch(4, 8, "bob")]
    said = [Stretch(0, 4.5, "0"), Stretch(5, 9, "1")]
    # Nobody is confused; ann's last half second and bob's first second are missed, a second is invented.
    assert count_errors(spoken, said, 10.0) == Errors(missed=1.5, false_alarm=1.0, confusion=0.0, speech=9.0)


def test_confusion_is_counted_under_the_best_naming() -> None:
    spoken = [Stretch(0, 6, "ann"), Stretch(6, 10, "bob")]
    errors = count_errors(spoken, [Stretch(0, 10, "1")], 10.0)
    assert (errors.missed, errors.false_alarm, errors.confusion) == (0, 0, 4)
    assert count_errors(spoken, [Stretch(0, 6, "1"), Stretch(6, 10, "0")], 10.0) == Errors(0, 0, 0, 10)


def test_one_speaker_who_overlaps_herself_speaks_once() -> None:
    assert count_errors([Stretch(0, 5, "ann"), Stretch(4, 8, "ann")], [], 10.0) == Errors(8, 0, 0, 8)


def test_more_speakers_than_columns_are_missed() -> None:
    spoken = [Stretch(0, 4, "ann"), Stretch(0, 4, "bob"), Stretch(0, 4, "cem")]
    errors = count_errors(spoken, [Stretch(0, 4, "0"), Stretch(0, 4, "1")], 4.0)
    assert errors == Errors(missed=4, false_alarm=0, confusion=0, speech=12)


def test_decision_is_the_one_with_the_fewest_wrong_frames() -> None:
    truth = columns("##########......................", "............####################")
    probabilities = np.where(truth, 0.65, 0.35).astype(np.float32)
    # 0.35 counts as speech at 0.3, so 0.4 is the first threshold that is right; a median of 1 comes first.
    assert choose([probabilities[:, ::-1]], [truth]) == Decision(0.4, 1)
    probabilities[20, 0] = 0.9
    assert choose([probabilities], [truth]) == Decision(0.4, 11)


def test_decision_counts_frames_over_all_recordings() -> None:
    truth = [columns("####", "...."), columns("########", "........")]
    said = [np.where(truth[0], 0.35, 0.1), np.where(truth[1], 0.9, 0.45)]
    # At 0.3 the second recording's eight frames are false alarms; at 0.4 the first one's four are missed as well.
    assert choose([row.astype(np.float32) for row in said], truth) == Decision(0.5, 1)


@pytest.mark.parametrize("seed", range(3))
def test_frame_errors_agree_with_those_in_seconds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, said = rng.random((40, 2)) < 0.5, rng.random((40, 2)) < 0.4
    errors = count_errors(turns_of(truth, 40.0), turns_of(said, 40.0), 40.0)
    from mergekit_speech.tasks.parts.diarization import _wrong_frames

    assert errors.missed + errors.false_alarm + errors.confusion == pytest.approx(_wrong_frames(said, truth))
