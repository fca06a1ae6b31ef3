"""Whole or absent, beside what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mergekit_speech.errors import DataError, OutputError, SettingsError
from mergekit_speech.registry import CORPORA
from mergekit_speech.speech.corpora.parts.corpus import Corpus, Entry, Folder, Source, read_lines
from mergekit_speech.speech.corpora.parts.preparing import prepare
from tests.speech.corpora.trees import librispeech, prepared, sound, speech_commands, write


def corpus(*entries: Entry) -> Corpus:
    return Corpus("Toy", "all", "none", "small", "https://toy.org", {"a": lambda source: Folder(entries)})


def make(root: Path, *entries: Entry) -> None:
    prepare(corpus(*entries), Source("toy", "https://toy.org", root), root / "data")


def test_several_corpora_share_a_data_folder(tmp_path: Path) -> None:
    prepared("librispeech", librispeech(tmp_path / "in"), tmp_path / "data", ["asr"])
    before = (tmp_path / "data/asr/manifest.jsonl").read_bytes()
    prepared("speech_commands", speech_commands(tmp_path / "in"), tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["asr", "ks"]
    assert (tmp_path / "data/asr/manifest.jsonl").read_bytes() == before


def test_what_is_there_is_refused_or_overwritten(tmp_path: Path) -> None:
    name, source = "librispeech", CORPORA.load("librispeech")
    root = librispeech(tmp_path / "in")
    write(tmp_path / "data/pr/manifest.jsonl", "{}")
    with pytest.raises(OutputError, match="data/pr"):
        prepared(name, root, tmp_path / "data")
    assert not (tmp_path / "data/asr").exists()
    prepare(source, Source(name, source.url, root), tmp_path / "data", overwrite=True)
    first = (tmp_path / "data/pr/manifest.jsonl").read_bytes()
    prepare(source, Source(name, source.url, root), tmp_path / "data", overwrite=True)
    assert (tmp_path / "data/pr/manifest.jsonl").read_bytes() == first


def test_a_recording_that_is_missing_leaves_nothing(tmp_path: Path) -> None:
    root = librispeech(tmp_path / "in")
    (root / "LibriSpeech/test-clean/61/7/61-7-0001.flac").unlink()
    with pytest.raises(
        DataError, match=r"librispeech: 1 of 6 recordings cannot be used, the first: .*61-7-0001.flac does not exist"
    ):
        prepared("librispeech", root, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_recordings_that_cannot_be_used(tmp_path: Path) -> None:
    broken = Entry("b", write(tmp_path / "b.wav", "no sound"), "train", {})
    with pytest.raises(
        DataError, match=r"toy: 1 of 1 .*b.wav cannot be decoded \(.*unpack the corpus again, from https"
    ):
        make(tmp_path, broken)
    with pytest.raises(DataError, match=r"c.wav holds no samples"):
        make(tmp_path, Entry("c", sound(tmp_path / "c.wav", 0), "train", {}))


def test_a_cut_behind_the_end_leaves_nothing(tmp_path: Path) -> None:
    cut = Entry("a", sound(tmp_path / "a.wav", 0.5), "train", {}, (1.0, 2.0))
    with pytest.raises(DataError, match=r"a.wav: expected a recording of at least 2 s, came 0.5 s, so clip 'a'"):
        make(tmp_path, cut)
    assert not (tmp_path / "data").exists()


def test_two_clips_of_one_name(tmp_path: Path) -> None:
    entry = Entry("a", sound(tmp_path / "a.wav"), "train", {})
    with pytest.raises(DataError, match=r"toy: two clips of a are called 'a', .*a.wav and .*: keep one of them"):
        make(tmp_path, entry, entry)


def test_a_folder_that_the_corpus_does_not_serve(tmp_path: Path) -> None:
    said = "expected tasks that librispeech serves (asr, pr), came 'prr' (did you mean 'pr'?)"
    with pytest.raises(SettingsError, match=re.escape(said)):
        prepared("librispeech", tmp_path, tmp_path / "data", ["prr"])


def test_a_root_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"librispeech: expected a folder .*none, came none: get it from https"):
        prepared("librispeech", tmp_path / "none", tmp_path / "data")


def test_text_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected a text file .*none.txt, came none"):
        read_lines(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match=r"latin.txt: not UTF-8 \(.* at byte 4\)"):
        read_lines(tmp_path / "latin.txt")
