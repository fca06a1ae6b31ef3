"""What observers leave on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mergekit_speech.training.events import EvaluationEvent, StepEvent
from mergekit_speech.training.recording import JsonLines, TensorBoard

Scalars = dict[str, list[tuple[int, float]]]


def step(number: int) -> StepEvent:
    return StepEvent(
        number,
        loss=1 / number,
        learning_rate=0.5,
        gradient_norm=2.0,
        audio_seconds=8.0,
        seconds=4.0,
        memory=2_000_000_000,
    )


def record(observer: JsonLines | TensorBoard, first: int, last: int, done: int) -> None:
    observer.start(done, 9)
    for number in range(first, last + 1):
        observer.stepped(step(number))
    observer.evaluated(EvaluationEvent(last, {"per": 0.25}, best=True, base={"feature_cosine": 0.5}))
    observer.close()


def scalars(folder: Path) -> Scalars:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(row.step, row.value) for row in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_json_lines_hold_every_event(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    record(JsonLines(path), 1, 1, done=0)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "step": 1,
            "loss": 1.0,
            "learning_rate": 0.5,
            "gradient_norm": 2.0,
            "audio_seconds": 8.0,
            "seconds": 4.0,
            "waited": 0.0,
            "memory": 2_000_000_000,
        },
        {"step": 1, "valid": {"per": 0.25}, "base": {"feature_cosine": 0.5}, "best": True},
    ]
    assert list(tmp_path.iterdir()) == [path]


def test_json_lines_are_on_disk_at_once(tmp_path: Path) -> None:
    lines = JsonLines(tmp_path / "metrics.jsonl")
    lines.start(0, 9)
    lines.stepped(step(1))
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 1
    lines.close()


def test_json_lines_behind_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    record(JsonLines(path), 1, 4, done=0)
    record(JsonLines(path), 3, 5, done=2)
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 5]


def test_json_lines_of_a_new_run_replace_the_old(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    record(JsonLines(path), 1, 4, done=0)
    record(JsonLines(path), 1, 1, done=0)
    assert path.read_text().count("\n") == 2


def test_tensorboard_reads_the_scalars(tmp_path: Path) -> None:
    record(TensorBoard(tmp_path), 1, 2, done=0)
    assert scalars(tmp_path) == {
        "train/loss": [(1, 1.0), (2, 0.5)],
        "train/learning_rate": [(1, 0.5), (2, 0.5)],
        "train/gradient_norm": [(1, 2.0), (2, 2.0)],
        "train/audio_per_second": [(1, 2.0), (2, 2.0)],
        "train/memory_gb": [(1, 2.0), (2, 2.0)],
        "valid/per": [(2, 0.25)],
        "base/feature_cosine": [(2, 0.5)],
    }


def test_tensorboard_hides_events_behind_the_checkpoint(tmp_path: Path) -> None:
    record(TensorBoard(tmp_path), 1, 4, done=0)
    record(TensorBoard(tmp_path), 3, 5, done=2)
    assert [number for number, _ in scalars(tmp_path)["train/loss"]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", [JsonLines, TensorBoard])
def test_closing_what_never_started_is_harmless(tmp_path: Path, kind: type[JsonLines | TensorBoard]) -> None:
    kind(tmp_path / "never").close()
    assert list(tmp_path.iterdir()) == []
