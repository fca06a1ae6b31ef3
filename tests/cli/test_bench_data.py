"""`msm bench` on data that cannot be used, or that it makes usable."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file, save_file

from mergekit_speech.cli import main
from mergekit_speech.speech import audio
from mergekit_speech.superb.results import ProbeResult
from mergekit_speech.superb.training import train_probe
from tests.speech.corpus import save, tone, write_manifest
from tests.superb.corpus import rewrite
from tests.sweeping.encoders import make_run

MANIFEST = Path("er") / "manifest.jsonl"


@pytest.fixture
def data(tmp_path: Path, corpus: Path) -> Path:
    shutil.copytree(corpus, tmp_path / "data")
    return tmp_path / "data"


def bench(data: Path, *arguments: str, tasks: str = "er") -> Result:
    options = ["--data", str(data), "--tasks", tasks, "--steps", "2", "--batch", "4", "--accumulate", "1"]
    output = str(data.parent / "report")
    return CliRunner().invoke(main, ["bench", "logmel", *options, "--seeds", "0", "--output", output, *arguments])


def figures_of(done: Result) -> list[tuple[str, int, dict[str, float]]]:
    return [(probe["task"], probe["seed"], probe["test"]) for probe in json.loads(done.stdout)["probes"]]


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


def trials_of_other_clips(data: Path) -> None:
    lines = [{"enroll": "clip9", "test": "clip90", "label": 1}]
    (data / "asv" / "trials.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def trials_of_other_speakers(data: Path) -> None:
    lines = [{"enroll": "clip9", "test": "clip10", "label": 1}]
    (data / "asv" / "trials.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def no_trials(data: Path) -> None:
    (data / "asv" / "trials.jsonl").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (trials_of_other_clips, "clip90"),
        (trials_of_other_speakers, "clip10"),
        (no_trials, "trials.jsonl"),
    ],
    ids=["other clips", "other speakers", "none"],
)
def test_trial_list_that_does_not_match_the_manifest(data: Path, spoil: Callable[[Path], None], said: str) -> None:
    rows = [
        {"split": split, "speaker": f"{split}{number % 2}", "duration": 3.0}
        for split in ("train", "valid", "test")
        for number in range(4)
    ]
    write_manifest(data, "asv", rows)
    spoil(data)
    done = bench(data, tasks="er,asv")
    assert done.exit_code == 3, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: task 'asv': ")
    assert said in line
    assert not (data.parent / "report").exists()


def test_features_that_are_not_finite_lose_no_other_encoder(data: Path, tiny_hubert: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_hubert, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    for end in ("weight", "bias"):
        weights[f"encoder.layers.1.final_layer_norm.{end}"] = np.full(32, 3e38, np.float32)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    done = bench(data, str(broken))
    assert done.exit_code == 3, done.output
    assert "failed: encoder broken: hidden states of" in done.stderr
    found = json.loads((data.parent / "report" / "results.json").read_text())
    assert [probe["encoder"] for probe in found["probes"]] == ["logmel"]
    assert [failure["encoder"] for failure in found["failures"]] == ["broken"]


def test_a_damaged_store_is_told_of_and_made_again(data: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    kept = ("--store", str(store), "--json", "--overwrite")
    first = bench(data, *kept, tasks="pr")
    assert first.exit_code == 0, first.output
    (file,) = store.glob("*/*.states")
    file.write_bytes(file.read_bytes()[:-7] + b"garbage")
    again = bench(data, *kept, tasks="pr")
    assert again.exit_code == 0, again.output
    assert f"{file} was damaged and is deleted: its hidden states are computed again" in again.stderr
    assert figures_of(again) == figures_of(first)


def test_an_interrupted_bench_resumes_with_the_same_figures(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--json", "--seeds", "0,1")
    whole = bench(data, *options, tasks="ks,pr")
    assert whole.exit_code == 0, whole.output
    shutil.rmtree(data.parent / "report")
    calls = count()

    def stop(*arguments: Any, **options: Any) -> ProbeResult:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return train_probe(*arguments, **options)

    monkeypatch.setattr("mergekit_speech.superb.round.train_probe", stop)
    stopped = bench(data, *options, tasks="ks,pr")
    assert stopped.exit_code == 1, stopped.output
    assert "stopped after 2 of 4 probes; what is done is in " in stopped.stderr
    resumed = bench(data, *options, "--resume", tasks="ks,pr")
    assert resumed.exit_code == 0, resumed.output
    assert resumed.stderr.count("(taken over)") == 2
    assert figures_of(resumed) == figures_of(whole)


@pytest.mark.parametrize("command", ["bench", "sweep"])
def test_a_leak_is_told_once(data: Path, tiny_hubert: Path, tmp_path: Path, command: str) -> None:
    lines = [json.loads(line) for line in (data / MANIFEST).read_text().splitlines()]
    rows = [{**row, "fold": place // 3 % 3 + 1} for place, row in enumerate(lines)]
    (data / MANIFEST).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    run = make_run(tiny_hubert, tmp_path / "run", 1)
    record = json.loads((run / "record.json").read_text())
    (run / "record.json").write_text(json.dumps({**record, "task": "er", "data": {"path": str(data), "fold": 1}}))
    few = ("--tasks", "er", "--seeds", "0", "--steps", "2", "--batch", "4", "--accumulate", "1")
    options = ("--data", str(data), "--output", str(tmp_path / "report"), *few)
    done = CliRunner().invoke(main, [command, str(run), *options, *(("--alphas", "0,1") if command == "sweep" else ())])
    assert done.exit_code == 0, done.output
    said = " ".join(f"{done.stdout} {done.stderr}".split())
    assert said.count("its figures on er flatter it") == 1
    assert "so folds 2, 3 held clips that it has learnt from" in said


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
