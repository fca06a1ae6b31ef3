"""`msm pretrain`."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from transformers import AutoModel

from mergekit_speech.cli import main
from mergekit_speech.training.events import StepEvent
from mergekit_speech.training.progress import ProgressLine
from mergekit_speech.training.run_lock import locked
from tests.pretraining.melodies import write_melodies
from tests.speech.corpus import write_manifest

SIZE = ["--layers=2", "--dim=32", "--heads=2", "--feed-forward=48", "--channels=16"]
BUDGET = ["--clusters=4,5", "--steps=3,3", "--layer=1", "--batch-seconds=3"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_melodies(folder, "songs", count=8)
    write_melodies(folder, "judged", count=2, split="test")
    return folder


def invoke(data: Path, output: Path, *arguments: str) -> Result:
    given = ["pretrain", "--data", str(data), "--folder", "songs", "--output", str(output), *SIZE, *BUDGET, *arguments]
    return CliRunner().invoke(main, given)


def refuse(data: Path, output: Path, *arguments: str) -> tuple[int, str]:
    said = invoke(data, output, *arguments)
    assert said.stdout == ""
    assert said.stderr.count("Error: ") == 1
    return said.exit_code, said.stderr.splitlines()[-1].removeprefix("Error: ")


def test_two_rounds_and_an_interruption_on_the_command_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = invoke(data, tmp_path / "whole", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["encoder"] == f"{tmp_path}/whole/encoder"
    assert [set(best) for best in report["rounds"]] == [{"step", "loss", "accuracy"}] * 2
    lines = done.stderr.splitlines()
    assert lines[0] == "8 clips, 0 minutes"
    assert [line.split(":")[0] for line in lines[-3:]] == ["round 1", "round 2", "encoder"]
    assert AutoModel.from_pretrained(report["encoder"]).config.num_hidden_layers == 2

    def press(line: ProgressLine, event: StepEvent) -> None:
        if event.step == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressLine, "stepped", press)
        assert refuse(data, tmp_path / "broken") == (1, "stopped after step 2 of 3; --resume continues from here")
    assert invoke(data, tmp_path / "broken", "--resume", "--quiet").output == ""
    one, other = ((tmp_path / name / "encoder" / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert one == other


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (
            ["--folder=song"],
            3,
            "no manifest at {data}/song/manifest.jsonl: expected a file with one JSON object a line;",
        ),
        (["--steps=5"], 2, "clusters and steps need one number a round each, got '4,5' and '5'"),
        (["--layer=7"], 2, "the layer to cluster must be between 0 and 2, got 7: the encoder has 2 layers"),
        (["--dim=33"], 2, "dim must be a multiple of the 2 attention heads, got 33"),
        (["--lr=0"], 2, "learning_rate must be above 0, got 0.0"),
        (["--seed=-1"], 2, "seed must be between 0 and 2147483647, got -1"),
        (["--mask-span=0"], 2, "a masked span needs at least 1 frame, got 0"),
        (["--clusters=4000,5"], 2, "4000 clusters need as many frames, the clips have"),
        (
            ["--batch-seconds=0.5"],
            3,
            "{data}/songs/manifest.jsonl:6: clip 'songs5' lasts 1.1 s, more than a whole batch",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(
    data: Path, tmp_path: Path, arguments: list[str], code: int, text: str
) -> None:
    found, said = refuse(data, tmp_path / "run", *arguments)
    assert said.startswith(text.format(data=data))
    assert found == code


def test_held_out_clips_alone(data: Path, tmp_path: Path) -> None:
    output = ["pretrain", "--data", str(data), "--folder", "judged", "--output", str(tmp_path / "run")]
    said = CliRunner().invoke(main, output)
    assert said.exit_code == 3
    assert said.stderr == f"Error: no clip of judged in {data} is left for pre-training: all are held out\n"
    assert not (tmp_path / "run").exists()


def test_unreadable_clip(tmp_path: Path) -> None:
    write_melodies(tmp_path, "songs", count=2)
    write_manifest(tmp_path, "songs", [{"id": "songs0", "duration": 0.6}, {"id": "songs1", "duration": 0.7}])
    (tmp_path / "audio" / "songs1.wav").write_bytes(b"RIFF")
    code, said = refuse(tmp_path, tmp_path / "run")
    assert code == 3
    assert said.startswith(f"clip {tmp_path}/audio/songs1.wav cannot be decoded (")


def test_second_process_in_a_run_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        code, said = refuse(data, tmp_path / "run")
    assert code == 1
    assert said.startswith(f"{tmp_path}/run is being written by process ")


def test_data_and_folder_must_be_given(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["pretrain", "--output", str(tmp_path)])
    assert said.exit_code == 2
    assert "Missing option '--data'" in said.stderr


def test_help_shows_the_defaults() -> None:
    shown = CliRunner().invoke(main, ["pretrain", "--help"])
    assert shown.exit_code == 0
    assert "[default: 100,200; wav2vec2 has none]" in " ".join(shown.stdout.split())
