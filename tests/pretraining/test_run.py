"""Pre-training from first to last: two rounds on melodies, broken and taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from mergekit_speech.errors import DataError, Interrupted, OutputError, SettingsError
from mergekit_speech.pretraining.run import PretrainReport, fresh_encoder, pretrain
from mergekit_speech.pretraining.selection import pretraining_clips
from mergekit_speech.pretraining.settings import PretrainSettings, Round
from mergekit_speech.speech.clip import Clip
from mergekit_speech.training.run_folder import read_json
from tests.pretraining.melodies import MINI, write_melodies
from tests.training.toy import Watcher, metrics


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    data = tmp_path_factory.mktemp("melodies")
    write_melodies(data, "songs")
    return pretraining_clips(data, ["songs"])


@pytest.fixture(scope="module")
def unbroken(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> PretrainReport:
    return pretrain(clips, tmp_path_factory.mktemp("unbroken") / "run", MINI)


def at_step(total: int, act: Callable[[], None]) -> Watcher:
    """Acts after the given step, counted over all rounds."""
    watcher = Watcher()
    watcher.act = lambda step: act() if len(watcher.steps) == total else None
    return watcher


def power_cut() -> None:
    raise ConnectionError("power cut")


def ctrl_c() -> None:
    import signal

    signal.raise_signal(signal.SIGINT)


def weights(report: PretrainReport) -> bytes:
    return (report.encoder / "model.safetensors").read_bytes()


def rounds(run: Path) -> list[list[dict[str, Any]]]:
    return [metrics(run / f"round-{number}") for number in (1, 2)]


def test_run_leaves_an_encoder_that_transformers_loads(unbroken: PretrainReport) -> None:
    model = AutoModel.from_pretrained(unbroken.encoder)
    assert type(model).__name__ == "HubertModel"
    assert model.config.hidden_size == 32
    with torch.no_grad():
        assert model(torch.zeros(1, 16_000)).last_hidden_state.isfinite().all()


def test_run_leaves_its_record_and_every_rounds_metrics(unbroken: PretrainReport) -> None:
    run = unbroken.encoder.parent
    record = read_json(run / "record.json")
    assert record["kind"] == "pretrain"
    assert record["settings"]["shape"]["dim"] == 32
    assert record["clips"] == 12
    assert record["hours"] == pytest.approx(2 * sum(range(6, 12)) / 10 / 3600)
    assert record["rounds"] == list(unbroken.rounds)
    for rows, best in zip(rounds(run), unbroken.rounds, strict=True):
        valid = [row["valid"]["loss"] for row in rows if "valid" in row]
        assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]
        assert best["loss"] == min(valid)
        assert 0 <= best["accuracy"] <= 1
    assert any((run / "round-1" / "tensorboard").iterdir())


def test_same_seed_gives_the_same_bits_and_another_others(
    clips: list[Clip], unbroken: PretrainReport, tmp_path: Path
) -> None:
    torch.manual_seed(77)
    assert weights(pretrain(clips, tmp_path / "same", MINI)) == weights(unbroken)
    assert weights(pretrain(clips, tmp_path / "other", replace(MINI, seed=4))) != weights(unbroken)


@pytest.mark.parametrize(("total", "broken"), [(2, power_cut), (3, ctrl_c), (4, ctrl_c), (5, power_cut), (7, ctrl_c)])
def test_broken_run_ends_in_the_same_bits(
    clips: list[Clip], unbroken: PretrainReport, tmp_path: Path, total: int, broken: Callable[[], None]
) -> None:
    run = tmp_path / "run"
    watcher = at_step(total, broken)
    try:
        pretrain(clips, run, MINI, observers=[watcher])
    except (ConnectionError, Interrupted):
        assert len(watcher.steps) == total
        assert not (run / "encoder").exists()
    else:
        # Ctrl-C in a round's last step lets that round end.
        assert total == 4
    torch.manual_seed(99)
    report = pretrain(clips, run, MINI, resume=True)
    assert weights(report) == weights(unbroken)
    assert report.rounds == unbroken.rounds
    assert rounds(run) == rounds(unbroken.encoder.parent)


def test_finished_run_is_not_trained_again(clips: list[Clip], tmp_path: Path) -> None:
    first = pretrain(clips, tmp_path / "run", MINI)
    kept, watcher = weights(first), Watcher()
    assert weights(pretrain(clips, tmp_path / "run", MINI, observers=[watcher], resume=True)) == kept
    assert watcher.steps == []


def test_later_rounds_may_go_on_from_the_weights_before(clips: list[Clip], tmp_path: Path) -> None:
    heard: list[float] = []
    for restart in (True, False):
        settings = replace(MINI, restart=restart, rounds=(Round(4, 4, None), Round(4, 1, 1)), learning_rate=1e-9)
        report = pretrain(clips, tmp_path / str(restart), settings)
        last = torch.cat(
            [tensor.flatten() for tensor in AutoModel.from_pretrained(report.encoder).state_dict().values()]
        )
        before = AutoModel.from_pretrained(tmp_path / str(restart) / "round-1" / "encoder").state_dict()
        heard.append(float((last - torch.cat([tensor.flatten() for tensor in before.values()])).abs().max()))
    assert heard[0] > 0.01
    assert heard[1] < 1e-6


def test_masked_frames_of_melodies_are_learnt(clips: list[Clip], tmp_path: Path) -> None:
    settings = replace(MINI, rounds=(Round(4, 40, None),), learning_rate=5e-3, batch_seconds=6.0)
    report = pretrain(clips, tmp_path / "run", settings)
    valid = [row["valid"]["loss"] for row in metrics(tmp_path / "run" / "round-1") if "valid" in row]
    assert report.rounds[0]["loss"] < 0.8 * valid[0]


def test_configuration_keeps_its_dropout_whatever_pretraining_used(clips: list[Clip], tmp_path: Path) -> None:
    settings = replace(MINI, dropout=0.0, rounds=(Round(4, 1, None),))
    config = json.loads((pretrain(clips, tmp_path / "run", settings).encoder / "config.json").read_text())
    assert (config["hidden_dropout"], config["apply_spec_augment"]) == (0.1, True)


def test_fresh_encoders_depend_on_their_seed() -> None:
    one, same, other = (fresh_encoder(MINI.shape, seed).model.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_run_in_the_way(clips: list[Clip], unbroken: PretrainReport) -> None:
    run = unbroken.encoder.parent
    with pytest.raises(OutputError, match=r"exists: continue that run with --resume, replace it with --overwrite"):
        pretrain(clips, run, MINI)
    with pytest.raises(SettingsError, match=r"was started with another clips: it was 12, now it is 11; resume with"):
        pretrain(clips[1:], run, MINI, resume=True)


def test_single_clip_is_too_few(clips: list[Clip], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^no clip to train on: the training split is empty$"):
        pretrain(clips[:1], tmp_path / "run", MINI)


def test_clip_that_is_gone(clips: list[Clip], tmp_path: Path) -> None:
    gone = replace(clips[0], path=tmp_path / "gone.wav")
    with pytest.raises(DataError, match=r"gone\.wav does not exist: check the manifest's path and the data folder"):
        pretrain([gone, *clips[1:]], tmp_path / "run", MINI)


def test_settings_have_sensible_defaults() -> None:
    defaults = PretrainSettings()
    assert [turn.layer for turn in defaults.rounds] == [None, 3]
    assert defaults.restart
