"""Pairs of clips of which a task asks whether one speaker spoke both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mergekit_speech.errors import DataError
from mergekit_speech.registry import suggestion
from mergekit_speech.speech.clip import Clip


@dataclass(frozen=True)
class Trial:
    """One question.

    Attributes:
        enroll: The clip that the speaker is known by.
        test: The clip in question.
        target: Whether it is the same speaker.
    """

    enroll: Clip
    test: Clip
    target: bool


def read_trials(path: Path, clips: Sequence[Clip], speaker: str) -> list[Trial]:
    """Reads a trial list: a line `{"enroll": id, "test": id, "label": 0 or 1}` for each trial.

    Args:
        path: The list.
        clips: The test clips.
        speaker: Their field that names the speaker.

    Raises:
        DataError: The list is absent or malformed, names a clip that is no test clip, contradicts the manifest's
            speakers, or lacks trials of one or of two speakers.
    """
    if not path.is_file():
        raise DataError(f"no trial list at {path}: expected a line {_LINE} for each trial")
    known = {clip.id: clip for clip in clips}
    lines = enumerate(path.read_bytes().split(b"\n"), start=1)
    trials = [_trial(line, known, speaker, f"{path}:{number}") for number, line in lines if line.strip()]
    for target, pair in ((True, "of one speaker (label 1)"), (False, "of two speakers (label 0)")):
        if not any(trial.target is target for trial in trials):
            raise DataError(f"{path}: expected trials of both kinds, came none {pair}: no error rate can be measured")
    return trials


def pair_all(clips: Sequence[Clip], speaker: str) -> list[Trial]:
    """Every clip against every other one, once."""
    return [Trial(one, other, one.fields[speaker] == other.fields[speaker]) for one, other in combinations(clips, 2)]


_LINE = '{"enroll": id, "test": id, "label": 0 or 1}'


def _trial(line: bytes, known: Mapping[str, Clip], speaker: str, source: str) -> Trial:
    try:
        row = json.loads(line)
        enroll, test, label = str(row["enroll"]), str(row["test"]), row["label"]
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise DataError(f"{source}: expected {_LINE}, got {line.decode(errors='replace')!r:.60}") from fault
    for name in (enroll, test):
        if name not in known:
            raise DataError(
                f"{source}: trial names clip {name!r}, which is no test clip of the manifest"
                f"{suggestion(name, known)}: list and manifest must belong together"
            )
    if isinstance(label, bool) or label not in (0, 1):
        raise DataError(f"{source}: label must be 0 (two speakers) or 1 (one speaker), got {label!r:.60}")
    trial = Trial(known[enroll], known[test], label == 1)
    speakers = [clip.fields[speaker] for clip in (trial.enroll, trial.test)]
    if (speakers[0] == speakers[1]) is not trial.target:
        raise DataError(
            f"{source}: label {label} contradicts the manifest, where {enroll!r} is spoken by {speakers[0]!r} and"
            f" {test!r} by {speakers[1]!r}: list and manifest must belong together"
        )
    return trial
