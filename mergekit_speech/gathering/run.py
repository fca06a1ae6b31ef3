"""Gathers statistics of an encoder from speech, and writes the folder that merging reads them from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mergekit_speech.encoders.pretrained import PretrainedEncoder, load_encoder
from mergekit_speech.encoders.source import encoder_digest
from mergekit_speech.errors import DataError, SettingsError
from mergekit_speech.gathering.fisher import measure_fisher
from mergekit_speech.gathering.gram import measure_gram
from mergekit_speech.gathering.names import merged_names
from mergekit_speech.gathering.settings import FISHER, GatherSettings
from mergekit_speech.gathering.tuned_head import TunedHead, read_head, recorded_task
from mergekit_speech.hub.names import lasting_name
from mergekit_speech.merging.runs import encoder_folder, is_run
from mergekit_speech.registry import TASKS
from mergekit_speech.shards.folder import check_free, whole_folder
from mergekit_speech.shards.header import Parameter
from mergekit_speech.shards.writer import ShardWriter, lay_out
from mergekit_speech.speech.audio import AudioStore
from mergekit_speech.speech.clip import Clip
from mergekit_speech.speech.manifest import read_manifest
from mergekit_speech.training.run_folder import write_json
from mergekit_speech.training.versions import versions

Progress = Callable[[str, int, int], None]
"""Called after each clip with the kind, the number of clips heard and that of all."""


@dataclass(frozen=True)
class GatherReport:
    """What was gathered.

    Attributes:
        output: The folder: `<kind>.safetensors` for each kind, and `statistics.json`.
        parameters: How many parameters there are statistics of, by kind.
        clips: How many clips were heard.
        seconds: How long they last together.
    """

    output: Path
    parameters: Mapping[str, int]
    clips: int
    seconds: float


@dataclass(frozen=True)
class _Job:
    checkpoint: Path
    encoder: PretrainedEncoder
    head: TunedHead | None
    clips: Sequence[Clip]
    progress: Progress | None


def gather_statistics(
    encoder: str | Path,
    *,
    data: str | Path,
    output: str | Path,
    settings: GatherSettings | None = None,
    task: str | None = None,
    head: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> GatherReport:
    """Gathers the statistics that the strategies fisher and regmean need.

    Args:
        encoder: The encoder's directory, or file in any layout that tells its settings, its name on the hub, or the run
            of `msm finetune` that made it.
        data: Folder that holds `<task>/manifest.jsonl`.
        output: The folder to write.
        settings: What to gather, and from how much.
        task: Name of the manifest's folder; None for the task of the head.
        head: Run whose task head gives the loss for fisher; None for that of `encoder`, if it is a run.
        overwrite: Replace what is in `output`.
        progress: Told of every clip.

    Raises:
        SettingsError: A setting makes no sense, there is no head for fisher, or it is for another task.
        StrategyError: The task of the head is unknown.
        CheckpointError: The encoder or the head cannot be read.
        ShardError: The encoder's weights are damaged.
        DataError: The data cannot be used.
        OutputError: `output` is taken, or the disk is full.
    """
    chosen, place = settings or GatherSettings(), Path(output)
    check_free(place, overwrite=overwrite)
    checkpoint, run = _find_encoder(Path(encoder))
    run = run if head is None else Path(head)
    name = _find_task(task, run, chosen)
    clips = _draw_clips(Path(data), name, chosen)
    built = load_encoder(checkpoint)
    tuned = read_head(run, built.dim) if run is not None and FISHER in chosen.kinds else None
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    built.to(device)
    if tuned is not None:
        tuned.module.to(device)
    job = _Job(checkpoint, built, tuned, clips, progress)
    with whole_folder(place, overwrite=overwrite) as partial:
        counts = {kind: _gather(job, kind, partial) for kind in chosen.kinds}
        write_json(partial / "statistics.json", _record(job, run, Path(data), name, chosen))
    return GatherReport(place, counts, len(clips), sum(clip.duration for clip in clips))


def _find_encoder(path: Path) -> tuple[Path, Path | None]:
    return encoder_folder(path), path if is_run(path) else None


def _find_task(task: str | None, run: Path | None, settings: GatherSettings) -> str:
    if run is None:
        if FISHER in settings.kinds:
            raise SettingsError("expected a task head for fisher, came none: name a run of msm finetune with --head")
        if task is None:
            raise SettingsError("expected a task to hear, came none: name a folder of the data with --task")
        return task
    known = recorded_task(run)
    if FISHER in settings.kinds and task not in (None, known):
        raise SettingsError(f"expected the task of the head of {run}, {known!r}, came {task!r}: leave --task out")
    return task or known


def _draw_clips(data: Path, task: str, settings: GatherSettings) -> list[Clip]:
    fields = [TASKS.load(task).field] if FISHER in settings.kinds else []
    clips = read_manifest(data, task, fields)
    found = [clip for clip in clips if clip.split == settings.split]
    if not found:
        splits = ", ".join(sorted({clip.split for clip in clips}))
        raise DataError(f"no clip of {data / task} has split {settings.split!r}: choose --split out of {splits}")
    order = np.random.default_rng(settings.seed).permutation(len(found))
    return [found[index] for index in sorted(order[: settings.clips])]


def _gather(job: _Job, kind: str, folder: Path) -> int:
    audio, count = AudioStore(), 0

    def heard() -> None:
        nonlocal count
        count += 1
        if job.progress is not None:
            job.progress(kind, count, len(job.clips))

    if kind == FISHER and job.head is not None:
        found = measure_fisher(job.encoder, job.head, job.clips, audio, heard)
    else:
        found = measure_gram(job.encoder, job.clips, audio, heard)
    # What the checkpoint lacks and the model needs not, is merged with nothing.
    names = merged_names(job.checkpoint, found.keys() - set(job.encoder.filled))
    _write(folder / f"{kind}.safetensors", {names[name]: tensor for name, tensor in found.items() if name in names})
    return len(names)


def _write(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    metadata = {"format": "pt"}
    (shard,) = lay_out([Parameter(name, "F32", tuple(each.shape)) for name, each in tensors.items()], metadata)
    with ShardWriter(path.parent, [replace(shard, file=path.name)]) as writer:
        for name, tensor in tensors.items():
            writer.write(name, tensor.contiguous().numpy().reshape(-1).view(np.uint8).data)
        writer.finish(metadata)


def _record(job: _Job, run: Path | None, data: Path, task: str, settings: GatherSettings) -> dict[str, Any]:
    manifest = (data / task / "manifest.jsonl").read_bytes()
    return {
        "kind": "statistics",
        "encoder": {"path": lasting_name(job.checkpoint), "digest": encoder_digest(job.checkpoint)},
        "head": None if job.head is None or run is None else str(run.resolve()),
        "task": task,
        "data": {"path": str(data.resolve()), "manifest": f"sha256:{hashlib.sha256(manifest).hexdigest()}"},
        "settings": asdict(settings),
        "clips": len(job.clips),
        "versions": versions(),
    }
