"""Whole runs: what they leave, how they resume, what they refuse."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from mergekit_speech.cli import main
from mergekit_speech.errors import CheckpointError, DataError, Interrupted, OutputError, SettingsError, StrategyError
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.finetuning.settings import FinetuneSettings
from mergekit_speech.registry import TASKS
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.training.events import EvaluationEvent, StepEvent

SETTINGS = FinetuneSettings(
    steps=6, learning_rate=1e-3, clips=4, accumulate=1, evaluate_every=2, head_only=0.34, seed=3
)


class StopAt:
    """Presses Ctrl-C when a step is done."""

    def __init__(self, step: int) -> None:
        self._step = step

    def start(self, done: int, steps: int) -> None:
        """Nothing to do."""

    def stepped(self, event: StepEvent) -> None:
        if event.step == self._step:
            signal.raise_signal(signal.SIGINT)

    def evaluated(self, event: EvaluationEvent) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture(scope="module")
def run(tiny_hubert: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the toy corpus."""
    folder = tmp_path_factory.mktemp("runs") / "ks"
    finetune(tiny_hubert, task="ks", data=toy, output=folder, settings=SETTINGS)
    return folder


def test_the_tuned_encoder_loads_in_transformers_and_keeps_the_bases_configuration(
    run: Path, tiny_hubert: Path
) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(run / "encoder")
    tensors = load_file(run / "encoder" / "model.safetensors")
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
    for name in ("config.json", "preprocessor_config.json"):
        assert (run / "encoder" / name).read_bytes() == (tiny_hubert / name).read_bytes()


def test_the_cnn_is_the_bases_bit_for_bit_and_the_rest_is_not(run: Path, tiny_hubert: Path) -> None:
    tuned = load_file(run / "encoder" / "model.safetensors")
    base = load_file(tiny_hubert / "model.safetensors")
    same = {name for name in base if torch.equal(base[name], tuned[name])}
    assert same == {name for name in base if name.startswith("feature_extractor.")} | {"masked_spec_embed"}


def test_the_record_tells_base_task_settings_data_and_result(run: Path, tiny_hubert: Path, toy: Path) -> None:
    record = json.loads((run / "record.json").read_text())
    assert record["base"] == {"path": str(tiny_hubert), "digest": weights_digest(tiny_hubert)}
    assert record["task"] == "ks"
    assert record["settings"]["head_only"] == 0.34
    assert record["data"]["path"] == str(toy)
    assert set(record["valid"]) == set(record["test"]) == {"acc"}
    assert record["versions"]["torch"]


def test_the_best_validation_after_the_thaw_is_kept(run: Path) -> None:
    record = json.loads((run / "record.json").read_text())
    # The encoder thaws with the fourth of six steps.
    candidates = [row for row in record["history"] if row["step"] >= 4]
    best = max(row["acc"] for row in candidates)
    assert record["kept"]["step"] == min(row["step"] for row in candidates if row["acc"] == best)
    assert record["valid"]["acc"] == best


def test_head_metrics_and_events_lie_beside_the_encoder(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert json.loads((run / "head" / "labels.json").read_text()) == {"labels": ["high", "low"]}
    assert load_file(run / "head" / "head.safetensors")["classify.weight"].shape == (2, 256)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4, 5, 6]
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Scalars("valid/acc")] == [2, 4, 6]


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_a_stopped_and_resumed_run_ends_bit_for_bit_where_the_whole_one_does(
    stop: int, run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    with pytest.raises(Interrupted, match=f"stopped after step {stop} of 6; --resume continues from here"):
        finetune(tiny_hubert, task="ks", data=toy, output=output, settings=SETTINGS, observers=[StopAt(stop)])
    assert not (output / "encoder").exists()
    finetune(tiny_hubert, task="ks", data=toy, output=output, settings=SETTINGS, resume=True)
    for name in ("encoder/model.safetensors", "head/head.safetensors"):
        assert (output / name).read_bytes() == (run / name).read_bytes()
    steps = [json.loads(line)["step"] for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert (
        json.loads((output / "record.json").read_text())["history"]
        == (json.loads((run / "record.json").read_text())["history"])
    )


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(
    run: Path, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    again = finetune(tiny_hubert, task="ks", data=toy, output=tmp_path / "again", settings=SETTINGS)
    other = finetune(
        tiny_hubert, task="ks", data=toy, output=tmp_path / "other", steps=6, learning_rate=1e-3, clips=4, seed=4
    )
    assert weights_digest(again.encoder) == weights_digest(run / "encoder") != weights_digest(other.encoder)


@pytest.mark.parametrize("task", ["pr", "asr", "ks", "sid", "er"])
def test_every_task_tunes_on_real_speech(task: str, tiny_hubert: Path, speech: Path, tmp_path: Path) -> None:
    data = _few(speech, task, tmp_path / "data")
    report = finetune(tiny_hubert, task=task, data=data, output=tmp_path / "run", steps=3, clips=2, head_only=0.34)
    assert all(value >= 0 for value in report.test.values())
    assert set(report.test) == {metric.name for metric in TASKS.load(task).metrics}
    assert weights_digest(report.encoder) != weights_digest(tiny_hubert)


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm"])
def test_other_families_tune_on_real_speech(
    family: str, tiny_encoders: dict[str, Path], speech: Path, tmp_path: Path
) -> None:
    data = _few(speech, "pr", tmp_path / "data")
    base = tiny_encoders[family]
    report = finetune(base, task="pr", data=data, output=tmp_path / "run", steps=3, clips=2, head_only=0.34)
    assert weights_digest(report.encoder) != weights_digest(base)


def _few(speech: Path, task: str, data: Path) -> Path:
    """A data folder with a few real clips of each split whose labels the training clips cover."""
    rows = [json.loads(line) for line in (speech / task / "manifest.jsonl").read_text().splitlines()]
    short = sorted((row for row in rows if row["duration"] < 4), key=lambda row: row["id"])
    train = [row for row in short if row["split"] == "train"][:150]
    field = {"pr": "phones", "asr": "text"}.get(task, "label")
    symbols = {symbol for row in train for symbol in _symbols(row[field])}
    chosen = train[:150]
    for split in ("valid", "test"):
        chosen += [row for row in short if row["split"] == split and symbols.issuperset(_symbols(row[field]))][:2]
    (data / task).mkdir(parents=True)
    lines = (json.dumps({**row, "path": str(speech / row["path"])}) for row in chosen)
    (data / task / "manifest.jsonl").write_text("\n".join(lines))
    return data


def _symbols(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) or " " in value else [value]


def _msm(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_prints_one_json_document(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    result = _msm(
        "finetune", tiny_hubert, "--task", "pr", "--data", toy, "--output", output, "--steps", 4, "--batch", 4, "--json"
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["encoder"] == str(output / "encoder")
    assert set(document["test"]) == {"per"}


def _unreadable(data: Path) -> None:
    (data / "valid0.wav").write_bytes(b"not audio")


def _gone(data: Path) -> None:
    (data / "valid1.wav").unlink()


def _edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def edit(data: Path) -> None:
        path = data / "ks" / "manifest.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            change(row)
        path.write_text("\n".join(map(json.dumps, rows)))

    return edit


def _drop_label(row: dict[str, Any]) -> None:
    if row["id"] == "valid2":
        del row["label"]


def _strange_label(row: dict[str, Any]) -> None:
    if row["id"] == "test1":
        row["label"] = "hihg"


def _half_of_the_labels(row: dict[str, Any]) -> None:
    if int(row["id"][-1]) % 2:
        del row["label"]


def _no_valid(row: dict[str, Any]) -> None:
    row["split"] = "train" if row["split"] == "valid" else row["split"]


def _no_test(row: dict[str, Any]) -> None:
    row["split"] = "train" if row["split"] == "test" else row["split"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_unreadable, r"clip .*valid0\.wav cannot be decoded"),
        (_gone, r"clip .*valid1\.wav does not exist"),
        (_edit(_drop_label), r"manifest\.jsonl:15: missing field 'label'"),
        (_edit(_strange_label), r"label 'hihg' of test clip 'test1' does not occur.*did you mean 'high'\?"),
        (_edit(_half_of_the_labels), r"manifest\.jsonl:2: missing field 'label'"),
        (_edit(_no_valid), r"no clip has split 'valid'; task ks needs train, valid and test"),
        (_edit(_no_test), r"no clip has split 'test'; task ks needs train, valid and test"),
    ],
)
def test_bad_data_is_one_line_and_leaves_no_encoder(
    spoil: Callable[[Path], None], message: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(toy, tmp_path / "data")
    spoil(data)
    output = tmp_path / "run"
    with pytest.raises(DataError, match=message):
        finetune(tiny_hubert, task="ks", data=data, output=output, settings=SETTINGS)
    assert not (output / "encoder").exists()
    result = _msm("finetune", tiny_hubert, "--task", "ks", "--data", data, "--output", tmp_path / "b", "--steps", 4)
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in result.output


def test_text_with_a_character_that_training_never_heard(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (toy / "ks" / "manifest.jsonl").read_text().splitlines()]
    (tmp_path / "data" / "asr").mkdir(parents=True)
    spelt = [{**row, "path": str(toy / row["path"]), "text": row["label"].upper()} for row in rows]
    spelt[-1]["text"] = "HIQH"
    (tmp_path / "data" / "asr" / "manifest.jsonl").write_text("\n".join(map(json.dumps, spelt)))
    with pytest.raises(DataError, match=r"'Q' of test clip 'test3' does not occur"):
        finetune(tiny_hubert, task="asr", data=tmp_path / "data", output=tmp_path / "run", settings=SETTINGS)
    assert not (tmp_path / "run").exists()


def test_a_run_is_tuned_on(run: Path, toy: Path, tmp_path: Path) -> None:
    finetune(run, task="ks", data=toy, output=tmp_path / "second", steps=2, clips=4, evaluate_every=2)
    record = json.loads((tmp_path / "second" / "record.json").read_text())
    assert record["base"] == {"path": str(run / "encoder"), "digest": weights_digest(run / "encoder")}


def test_a_folder_without_a_config_is_no_encoder(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"is not an encoder: expected a transformers directory with config\.json"
    ):
        finetune(tmp_path, task="ks", data=toy, output=tmp_path / "run", settings=SETTINGS)
    assert not (tmp_path / "run").exists()


def test_an_unknown_task_is_named_with_the_nearest(tiny_hubert: Path, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"'sidd'.*did you mean 'sid'"):
        finetune(tiny_hubert, task="sidd", data=toy, output=tmp_path / "run")


def test_a_finished_run_is_not_overwritten_unasked(run: Path, tiny_hubert: Path, toy: Path) -> None:
    with pytest.raises(OutputError, match=r"exists: continue that run with --resume, replace it with --overwrite"):
        finetune(tiny_hubert, task="ks", data=toy, output=run, settings=SETTINGS)


def test_a_run_resumes_only_as_it_was_started(run: Path, tiny_hubert: Path, toy: Path) -> None:
    with pytest.raises(SettingsError, match=r"was started with another settings"):
        finetune(tiny_hubert, task="ks", data=toy, output=run, steps=8, resume=True)
    with pytest.raises(SettingsError, match=r"was started with another task: it was 'ks', now it is 'pr'"):
        finetune(tiny_hubert, task="pr", data=toy, output=run, settings=SETTINGS, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        ({"clips": 0}, "clips must be at least 1, got 0"),
        ({"head_only": 1.5}, r"head_only is a fraction of the steps in \[0, 1\), got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_written(
    changes: dict[str, Any], message: str, tiny_hubert: Path, toy: Path, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        finetune(tiny_hubert, task="ks", data=toy, output=tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def folded(toy: Path, tmp_path: Path) -> Path:
    """A data folder with `er` in three folds."""
    lines = (json.loads(line) for line in (toy / "ks" / "manifest.jsonl").read_text().splitlines())
    rows = [{**row, "path": str(toy / row["path"]), "fold": place // 2 % 3 + 1} for place, row in enumerate(lines)]
    (tmp_path / "data" / "er").mkdir(parents=True)
    (tmp_path / "data" / "er" / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path / "data"


@pytest.mark.parametrize(("options", "fold"), [((), 1), (("--fold", 3), 3)])
def test_the_fold_left_out_stands_in_the_record(
    tiny_hubert: Path, folded: Path, tmp_path: Path, options: tuple[object, ...], fold: int
) -> None:
    where = ("--data", folded, "--output", tmp_path / "run")
    result = _msm("finetune", tiny_hubert, "--task", "er", *where, "--steps", 2, "--batch", 2, *options)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "run" / "record.json").read_text())["data"]["fold"] == fold


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("er", "expected one of the folds of task 'er' (1, 2, 3), came 7"),
        ("ks", "expected one of the folds of task 'ks' (it has none), came 7"),
    ],
)
def test_a_fold_that_is_not_there(
    tiny_hubert: Path, toy: Path, folded: Path, tmp_path: Path, task: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        finetune(tiny_hubert, task=task, data=folded if task == "er" else toy, output=tmp_path / "run", fold=7)
    assert str(caught.value) == said
