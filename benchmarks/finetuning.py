"""CTC fine-tuning of a HuBERT Base: seconds of audio per second, beside a plain transformers Trainer.

Both train the same weights (random, of HuBERT Base's shapes; all but the CNN move) on the same clips of phoneme
recognition, at the same precision and with as many seconds of audio in a batch, as a user would write each of them:
`msm` groups clips of similar length, the script draws them at random and pads. Clips are one to four sentences of a
speaker, so that lengths are mixed as in LibriSpeech or TED-LIUM. The programs take turns; the first steps are left out.
Before that, both hear the same on one clip.

Bars: at least 1.2 times as many seconds of audio per second on a CPU and 1.5 times on a GPU; at most 5 % of the time
spent waiting for audio.

    python -m benchmarks.finetuning --data FOLDER [--steps 6] [--precision bf16]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.origin import ROOT
from benchmarks.records import record
from mergekit_speech.finetuning.run import finetune
from mergekit_speech.registry import TASKS
from mergekit_speech.speech.audio import read_audio
from mergekit_speech.speech.clip import SAMPLE_RATE, Clip
from mergekit_speech.training.events import EvaluationEvent, StepEvent

SCRIPT = ROOT / "benchmarks" / "scripts" / "trainer_ctc.py"
BATCH_SECONDS = 24.0
MOST_SENTENCES = 4
LEFT_OUT = 2
"""Steps before both have warmed up."""
LEAST = {"cpu": 1.2, "cuda": 1.5}
MOST_WAITING = 0.05
MEASURED = ("mergekit_speech", "benchmarks/finetuning.py", "benchmarks/scripts/trainer_ctc.py")
BASE_SIZES: Mapping[str, Any] = {}
EVALUATED = 2
"""Clips of the validation and of the test split: how fast those are is not measured."""


@dataclass(frozen=True)
class Pace:
    """How fast one program was.

    Attributes:
        audio_seconds: Of the steps that count, without padding.
        seconds: Their wall time.
    """

    audio_seconds: float
    seconds: float

    @property
    def speed(self) -> float:
        """Seconds of audio per second."""
        return self.audio_seconds / self.seconds


class Marks:
    """Notes when each step of msm was done, and how much it had heard."""

    def __init__(self) -> None:
        """Nothing is done yet."""
        self.marks: list[tuple[float, float]] = []
        self._heard = 0.0

    def start(self, done: int, steps: int) -> None:
        """See `Observer.start`."""

    def stepped(self, event: StepEvent) -> None:
        """See `Observer.stepped`."""
        self._heard += event.audio_seconds
        self.marks.append((time.perf_counter(), self._heard))

    def evaluated(self, event: EvaluationEvent) -> None:
        """See `Observer.evaluated`."""

    def close(self) -> None:
        """See `Observer.close`."""


def pace_of(marks: Sequence[Sequence[float]]) -> Pace:
    """Give the pace between the last step that is left out and the last step."""
    (first, before), (last, after) = marks[LEFT_OUT - 1], marks[-1]
    return Pace(after - before, last - first)


def configure(labels: int, sizes: Mapping[str, Any]) -> Any:
    """Give the configuration of a HuBERT Base that drops no layer and masks nothing: both programs do the same work.

    Args:
        labels: Outputs of the head.
        sizes: What is smaller than in HuBERT Base.
    """
    from transformers import HubertConfig

    return HubertConfig(vocab_size=labels, layerdrop=0.0, apply_spec_augment=False, ctc_zero_infinity=True, **sizes)


def write_model(folder: Path, labels: int, sizes: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write a model with random weights, as an encoder and with the linear map of CTC.

    Returns:
        The folders of the encoder and of the model with its head.
    """
    from transformers import HubertForCTC

    torch.manual_seed(0)
    model = HubertForCTC(configure(labels, sizes))
    encoder, whole = folder / "encoder", folder / "with_head"
    model.hubert.save_pretrained(encoder)
    model.save_pretrained(whole)
    return encoder, whole


def write_clips(data: Path, folder: Path) -> tuple[Sequence[Clip], int]:
    """Write the manifest with few clips to evaluate, and the list of training clips that the script reads.

    Returns:
        The training clips, and the number of labels.
    """
    task = TASKS.load("pr")
    manifest = task.manifest(data)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["path"] = str((data / row["path"]).resolve())
    kept = join_sentences([row for row in rows if row["split"] == "train"], folder)
    for split in ("valid", "test"):
        kept += [row for row in rows if row["split"] == split][:EVALUATED]
    (folder / "pr").mkdir()
    (folder / "pr" / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    clips = task.folds(folder)[0].train
    labels = task.labels(clips)
    targets = [target.tolist() for target in task.targets(clips, labels)]
    listed = [{"path": str(clip.path), "labels": target} for clip, target in zip(clips, targets, strict=True)]
    (folder / "clips.json").write_text(json.dumps(listed), encoding="utf-8")
    return clips, len(labels)


def join_sentences(rows: Sequence[Mapping[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Write recordings of one to four sentences of a speaker, and give their rows; the same for the same rows."""
    import numpy as np
    import soundfile

    draw = np.random.default_rng(0)
    left: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        left.setdefault(row["speaker"], []).append(row)
    joined = list[dict[str, Any]]()
    for speaker, own in left.items():
        while own:
            count = int(draw.integers(1, MOST_SENTENCES + 1))
            some, own = own[:count], own[count:]
            samples = np.concatenate([read_audio(Path(row["path"])) for row in some])
            path = folder / f"{speaker}-{len(joined)}.wav"
            soundfile.write(path, samples, SAMPLE_RATE)
            phones = [phone for row in some for phone in row["phones"]]
            row = {"id": path.stem, "path": str(path), "duration": len(samples) / SAMPLE_RATE, "speaker": speaker}
            joined.append({**row, "phones": phones, "split": "train"})
    return joined


def check_same(encoder: Path, whole: Path, clip: Clip) -> None:
    """Hold the two models against each other on a clip.

    Raises:
        SystemExit: They hear something else.
    """
    from transformers import HubertForCTC

    from mergekit_speech.encoders.pretrained import load_encoder
    from mergekit_speech.speech.audio import read_clip
    from mergekit_speech.speech.batches import pad

    batch = pad([clip], [read_clip(clip)])
    with torch.no_grad():
        ours = load_encoder(encoder).eval()(batch.waveforms, batch.lengths).last
        theirs = HubertForCTC.from_pretrained(whole).eval().hubert(batch.waveforms).last_hidden_state
    if not torch.allclose(ours, theirs, atol=1e-4):
        raise SystemExit(f"the encoders differ by {float((ours - theirs).abs().max())}")


def run_msm(encoder: Path, folder: Path, steps: int, precision: str, seed: int) -> tuple[Pace, float]:
    """Fine-tune with the toolkit.

    Returns:
        Its pace, and the share of the time that it waited for audio.
    """
    marks = Marks()
    report = finetune(
        encoder,
        data=folder,
        output=folder / "run",
        task="pr",
        overwrite=True,
        steps=steps,
        batch_seconds=BATCH_SECONDS,
        accumulate=1,
        evaluate_every=steps,
        head_only=0.0,
        precision=precision,
        seed=seed,
        observers=[marks],
    )
    return pace_of(marks.marks), report.waited


def run_trainer(whole: Path, folder: Path, clips: int, steps: int, precision: str, seed: int) -> Pace:
    """Fine-tune with the plain script, in a process of its own."""
    command = [sys.executable, str(SCRIPT), whole, folder / "clips.json", clips, steps, precision, seed]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return pace_of(json.loads(done.stdout.splitlines()[-1]))


def count_flops(config: Any, seconds: float) -> float:
    """Count the floating-point operations of a training step on one clip, by second of audio; no weights are made."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import HubertForCTC

    with torch.device("meta"):
        model = HubertForCTC(config)
        model.freeze_feature_encoder()
        audio = torch.zeros(1, round(seconds * 16_000))
    counter = FlopCounterMode(display=False)
    with counter:
        model(audio).logits.sum().backward()
    return float(counter.get_total_flops()) / seconds


def measure_peak(precision: str, device: str) -> float:
    """Measure the operations per second of a large matrix product."""
    side = 2048 if device == "cpu" else 8192
    square = torch.randn(side, side, dtype=torch.bfloat16 if precision == "bf16" else torch.float32, device=device)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        product = square @ square
        float(product[0, 0])
        times.append(time.perf_counter() - began)
    return float(2 * side**3 / min(times))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the line, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with pr/manifest.jsonl")
    parser.add_argument("--steps", type=int, default=6, help=f"of each program; the first {LEFT_OUT} do not count")
    parser.add_argument("--rounds", type=int, default=3, help="how often they take turns")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        figures = measure(options.data, Path(name), options.steps, options.rounds, options.precision)
    reached = figures["times_faster"] >= LEAST[figures["device"]] and figures["waited"] <= MOST_WAITING
    record("finetuning", figures, reached, ("accelerate", "lhotse"), measured=MEASURED)


def measure(
    data: Path, folder: Path, steps: int, rounds: int, precision: str, sizes: Mapping[str, Any] = BASE_SIZES
) -> dict[str, Any]:
    """Measure both programs in turn.

    Returns:
        What is recorded; times faster is the median over rounds.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clips, labels = write_clips(data, folder)
    encoder, whole = write_model(folder, labels, sizes)
    check_same(encoder, whole, clips[0])
    average = statistics.fmean(clip.duration for clip in clips)
    ours, theirs, waited = list[Pace](), list[Pace](), list[float]()
    for seed in range(rounds):
        pace, share = run_msm(encoder, folder, steps, precision, seed)
        ours.append(pace)
        waited.append(share)
        theirs.append(run_trainer(whole, folder, max(1, round(BATCH_SECONDS / average)), steps, precision, seed))
    paces = {"msm": ours, "transformers": theirs}
    speeds = {name: statistics.median(pace.speed for pace in each) for name, each in paces.items()}
    flops, peak = count_flops(configure(labels, sizes), average), measure_peak(precision, device)
    return {
        "device": device,
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "precision": precision,
        "steps": steps - LEFT_OUT,
        "rounds": rounds,
        "batch_seconds": BATCH_SECONDS,
        "clip_seconds": {"mean": average, "deviation": statistics.pstdev(clip.duration for clip in clips)},
        "audio_seconds_per_second": speeds,
        "times_faster": round(statistics.median(a.speed / b.speed for a, b in zip(ours, theirs, strict=True)), 2),
        "waited": statistics.median(waited),
        "model_flops_per_audio_second": flops,
        "matmul_flops_per_second": peak,
        "model_flops_use": {name: speed * flops / peak for name, speed in speeds.items()},
    }


if __name__ == "__main__":
    main()
