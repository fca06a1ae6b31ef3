"""`msm bench` on data that cannot be used, or that it makes usable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mergekit_speech.cli import main
from mergekit_speech.speech import audio
from tests.speech.corpus import save, tone
from tests.superb.corpus import rewrite

MANIFEST = Path("er") / "manifest.jsonl"


@pytest.fixture
def data(tmp_path: Path, corpus: Path) -> Path:
    shutil.copytree(corpus, tmp_path / "data")
    return tmp_path / "data"


def bench(data: Path, *arguments: str, tasks: str = "er") -> Result:
    options = ["--data", str(data), "--tasks", tasks, "--steps", "2", "--batch", "4", "--accumulate", "1"]
    output = str(data.parent / "report")
    return CliRunner().invoke(main, ["bench", "logmel", *options, "--seeds", "0", "--output", output, *arguments])


def drop_split(data: Path) -> None:
    lines = (data / MANIFEST).read_text().splitlines()
    (data / MANIFEST).write_text("".join(f"{line}\n" for line in lines if json.loads(line)["split"] != "valid"))


def empty_clip(data: Path) -> None:
    for path in (data / "audio").glob("test-*"):
        save(path, np.zeros(0, dtype=np.float32))


def unknown_label(data: Path) -> None:
    rewrite(data, "er", {"label": "hgih"}, split="test")


def same_speaker(data: Path) -> None:
    rewrite(data, "er", {"speaker": "anna"})


def zero_seconds(data: Path) -> None:
    rewrite(data, "er", {"duration": 0}, split="test")


BAD: list[tuple[Callable[[Path], None], str]] = [
    (same_speaker, "is spoken by 'anna', as is train clip"),
    (drop_split, "no clip has split 'valid'; task er needs train, valid and test"),
    (unknown_label, "does not occur in the training split"),
    (zero_seconds, "duration must be a positive number of seconds, got 0"),
    (empty_clip, "holds no samples: drop it from the manifest"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_bad_data_is_named_and_exit_3(data: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(data)
    done = bench(data)
    assert done.exit_code == 3, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_task_that_the_folder_lacks(data: Path) -> None:
    done = bench(data, tasks="er,sid")
    assert done.exit_code == 3
    assert done.stderr.startswith("Error: task 'sid': no manifest at ")
    assert "has manifests for: er, ks, pr" in done.stderr


def test_speakers_of_sid_are_on_both_sides(data: Path) -> None:
    shutil.copytree(data / "er", data / "sid")
    rewrite(data, "sid", {"speaker": "anna"})
    done = bench(data, tasks="sid")
    assert done.exit_code == 0, done.output


def test_other_rates_and_channels_are_converted_and_said_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_known", {(16_000, 1)})
    for path in (data / "audio").glob("*-high-*"):
        save(path, np.stack([tone(0.5, 2700.0, 44_100)] * 2, axis=1), 44_100)
    done = bench(data)
    assert done.exit_code == 0, done.output
    said = [line for line in done.stderr.splitlines() if "44100 Hz and 2 channels" in line]
    assert len(said) == 1
    assert said[0].endswith(".wav, are converted to 16000 Hz and 1 channel as they are read")


def test_folds_are_chosen(data: Path) -> None:
    lines = [json.loads(line) for line in (data / MANIFEST).read_text().splitlines()]
    rows = [{**row, "fold": place // 3 % 3 + 1} for place, row in enumerate(lines)]
    (data / MANIFEST).write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = bench(data, "--folds", "2", "--json")
    assert done.exit_code == 0, done.output
    (probe,) = json.loads(done.stdout)["probes"]
    assert (len(probe["best_steps"]), probe["n"]) == (2, 12)
