"""s3prl's problems on our clips and encoders: every task runs, and figures are s3prl's own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mergekit_speech.demo import ENCODER
from mergekit_speech.registry import TASKS
from mergekit_speech.superb import layers
from mergekit_speech.superb.assignment import Assignment, read_assignments
from mergekit_speech.superb.bench import run_bench
from mergekit_speech.superb.named_encoder import read_encoders
from mergekit_speech.superb.s3prl_engine.forms import FORMS
from mergekit_speech.superb.s3prl_engine.job import Job
from mergekit_speech.superb.settings import Overrides
from tests.s3prl.agreement import ROOT, s3prl_folder
from tests.s3prl.corpus import write_corpus

Answer = tuple[layers.Tested, Mapping[str, float], Mapping[str, torch.Tensor]]
FEW = Overrides(steps=2, clips=4, accumulate=1, evaluate_every=1)
# s3prl's name of a metric, and ours; diarization is scored by the task alone.
SAME = {
    "pr": {"per": "per"},
    "asr": {"wer": "wer", "cer": "cer"},
    "ks": {"accuracy": "acc"},
    "sid": {"accuracy": "acc"},
    "er": {"accuracy": "acc"},
    "ic": {"accuracy": "acc"},
    "sf": {"slot_type_f1": "slot_type_f1"},
    "asv": {"EER": "eer", "minDCF": "min_dcf"},
    "sd": {},
}


def job(chosen: Assignment, seed: int, **changes: Any) -> Job:
    assert chosen.settings is not None
    return Job(chosen.task, chosen.folds[0], replace(chosen.settings, **changes), seed)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def answers(data: Path, tiny_hubert: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Answer]:
    """What came of a probe of each task, and of some on keyword spotting that say more."""
    require_s3prl()
    tasks = read_assignments(data, list(FORMS), FEW)
    jobs = {chosen.task.name: job(chosen, 0) for chosen in tasks}
    spotting = tasks[list(FORMS).index("ks")]
    jobs |= {f"seed {seed}": job(spotting, seed) for seed in (0, 1)}
    jobs["longer"] = job(spotting, 0, steps=40, learning_rate=1e-2, evaluate_every=20)
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs").write_bytes(pickle.dumps((read_encoders([tiny_hubert])[0], jobs)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(s3prl_folder())])}
    command = [sys.executable, "-m", "tests.s3prl.probe", str(folder / "jobs"), str(folder / "answers")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: Mapping[str, Answer] = pickle.loads((folder / "answers").read_bytes())
    return found


def require_s3prl() -> None:
    if not s3prl_folder().is_dir():
        reason = f"no s3prl at {str(s3prl_folder())!r}: run make test, or set MSM_S3PRL to a folder that holds it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.parametrize("task", FORMS)
def test_figures_are_those_of_s3prl(task: str, answers: Mapping[str, Answer]) -> None:
    tested, said, _ = answers[task]
    ours = TASKS.load(task).figures(tested.test)
    assert tested.best_step in (1, 2)
    assert len(tested.layer_weights) == 3
    for theirs, own in SAME[task].items():
        assert said[theirs] == pytest.approx(ours[own], abs=1e-6)
    assert set(ours) <= {metric.name for metric in TASKS.load(task).metrics}


def test_seeds_count_and_repeat(answers: Mapping[str, Answer]) -> None:
    same, again, other = (answers[name][2] for name in ("ks", "seed 0", "seed 1"))
    assert same.keys() == again.keys() == other.keys()
    assert all(torch.equal(same[name], again[name]) for name in same)
    drawn = [name for name in same if name.startswith("downstream")]
    assert drawn
    assert not any(torch.equal(same[name], other[name]) for name in drawn)


def test_heads_learn_and_checkpoints_hold_no_encoder(answers: Mapping[str, Answer]) -> None:
    tested, _, weights = answers["longer"]
    assert TASKS.load("ks").figures(tested.test)["acc"] == 1
    assert not [name for name in weights if name.startswith("upstream")]


def test_real_speech_through_the_bench(speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_s3prl()
    monkeypatch.setenv("MSM_S3PRL", str(s3prl_folder()))
    lines = (speech / "ks" / "manifest.jsonl").read_text().splitlines()
    few = [line.replace('"ks/audio', f'"{speech.resolve()}/ks/audio') for line in lines[::20]]
    (tmp_path / "ks").mkdir()
    (tmp_path / "ks" / "manifest.jsonl").write_text("\n".join(few))
    report = run_bench([ENCODER], tmp_path, ["ks"], seeds=[0], overrides=FEW, engine="s3prl")
    (result,) = report.probes
    assert (result.engine, result.n) == ("s3prl", len(result.rows["truth"]))
    assert 0 <= result.test["acc"] <= 1
