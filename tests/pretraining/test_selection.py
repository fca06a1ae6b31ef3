"""Which clips may be heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.pretraining.selection import pretraining_clips
from tests.speech.corpus import write_manifest


def row(name: str, split: str = "train", **fields: object) -> dict[str, object]:
    return {"id": name, "split": split, **fields}


def chosen(data: Path, folders: list[str], *held_out: str) -> list[str]:
    return [clip.id for clip in pretraining_clips(data, folders, held_out)]


def test_training_clips_alone_are_heard(tmp_path: Path) -> None:
    write_manifest(tmp_path, "asr", [row("a"), row("b", "valid"), row("c", "test"), row("d", "doc")])
    write_manifest(tmp_path, "sd", [row("e", "ami_train"), row("f", "ami_test")])
    assert chosen(tmp_path, ["asr", "sd"]) == ["a", "e"]


def test_recording_that_any_manifest_holds_out_is_left_out(tmp_path: Path) -> None:
    write_manifest(tmp_path, "asr", [row("a"), row("b"), row("c")])
    write_manifest(tmp_path, "sid", [row("b", "test"), row("c", "valid", path="elsewhere.wav")])
    assert chosen(tmp_path, ["asr"]) == ["a", "c"]


def test_recording_of_several_tasks_is_heard_once(tmp_path: Path) -> None:
    write_manifest(tmp_path, "asr", [row("a"), row("b")])
    write_manifest(tmp_path, "pr", [row("b"), row("c")])
    assert chosen(tmp_path, ["asr", "pr"]) == ["a", "b", "c"]
    assert chosen(tmp_path, ["pr"]) == ["b", "c"]


def test_speakers_that_are_judged_later_are_left_out(tmp_path: Path) -> None:
    sd = [row("m", "test", speaker=["s1", 2]), row("n", "train", speaker=["s3"]), row("o", "valid", speaker="s4")]
    write_manifest(tmp_path, "sd", sd)
    others = [row(f"x{speaker}", speaker=speaker) for speaker in ("s1", 2, "s3", "s4", "s5")]
    write_manifest(tmp_path, "unlabelled", [*others, row("silence", speaker=None), row("unknown")])
    assert chosen(tmp_path, ["unlabelled"], "sd") == ["xs3", "xs5", "silence", "unknown"]
    assert len(chosen(tmp_path, ["unlabelled"])) == 7


def test_nothing_left(tmp_path: Path) -> None:
    write_manifest(tmp_path, "asr", [row("a", "test")])
    write_manifest(tmp_path, "pr", [row("a")])
    with pytest.raises(DataError) as caught:
        pretraining_clips(tmp_path, ["asr", "pr"])
    assert str(caught.value) == f"no clip of asr, pr in {tmp_path} is left for pre-training: all are held out"


@pytest.mark.parametrize(("folders", "held_out"), [(["sdd"], []), (["asr"], ["sdd"])])
def test_unknown_folder_lists_those_there_are(tmp_path: Path, folders: list[str], held_out: list[str]) -> None:
    write_manifest(tmp_path, "asr", [row("a")])
    with pytest.raises(DataError, match=r"^no manifest at .*/sdd/manifest\.jsonl.* has manifests for: asr$"):
        pretraining_clips(tmp_path, folders, held_out)


def test_broken_manifest_of_another_task_is_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, "asr", [row("a")])
    path = write_manifest(tmp_path, "ks", [row("b", duration=-1)])
    with pytest.raises(DataError, match=f"^{path}:1: duration must be a positive number"):
        pretraining_clips(tmp_path, ["asr"])


def test_real_speech_keeps_what_tasks_judge_by_unheard(speech: Path) -> None:
    from mergekit_speech.speech.manifest import manifest_folders, read_manifest

    clips = pretraining_clips(speech, ["asr", "unlabelled_en", "unlabelled_zh"], ["sd"])
    heard = {clip.path for clip in clips}
    everything = [clip for folder in manifest_folders(speech) for clip in read_manifest(speech, folder)]
    assert not heard & {clip.path for clip in everything if not clip.split.endswith("train")}
    judged = {
        name
        for clip in read_manifest(speech, "sd")
        if clip.split in ("valid", "test")
        for name in clip.fields["speaker"]
    }
    assert judged
    assert not judged & {str(clip.fields.get("speaker")) for clip in clips}
    assert len(heard) == len(clips) > 500
