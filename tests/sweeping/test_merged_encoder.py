"""The encoder whose weights become those of point after point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.engine import run_plan
from mergekit_speech.merging.plan import make_plan
from mergekit_speech.shards.digest import weights_digest
from mergekit_speech.superb.settings import Overrides
from mergekit_speech.sweeping.grid import Grid, lay_out
from mergekit_speech.sweeping.job import Job, check_runs
from mergekit_speech.sweeping.merged_encoder import MergedEncoder
from mergekit_speech.sweeping.point import SweepPoint
from tests.sweeping.encoders import make_run


def job_of(base: Path, *runs: Path) -> Job:
    tuned = tuple(run / "encoder" for run in runs)
    digests = (weights_digest(base), *map(weights_digest, tuned))
    return Job(base, tuned, digests, Path("data"), ("ks",), Overrides(), extrapolate=False, seed=0, cache=0)


def same(merged: MergedEncoder, folder: Path) -> bool:
    ours, theirs = merged.encoder.model.state_dict(), load_encoder(folder).model.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_ends_are_base_and_tuned_to_the_bit(tiny_hubert: Path, runs: tuple[Path, Path]) -> None:
    merged = MergedEncoder(job_of(tiny_hubert, runs[0]))
    points = lay_out([Grid((0.0, 0.5, 1.0))], "base", ["one"])
    assert [point.label for point in points] == ["base", "one", "linear α=0.5"]
    for point in (*points, *points):
        merged.become(point)
        assert same(merged, tiny_hubert) == (point.alpha == 0)
        assert same(merged, runs[0] / "encoder") == (point.alpha == 1)


@pytest.mark.parametrize(
    "point",
    [
        SweepPoint("linear", alpha=0.25),
        SweepPoint("one of two", alpha=0.25, tuned=(1,)),
        SweepPoint("ties", "ties", {"density": 0.3}, alpha=0.5),
        SweepPoint("groups", groups={"attention": 0.5, "lower": 1.0}),
    ],
    ids=lambda point: point.label,
)
def test_merges_are_those_that_merge_writes(
    tiny_hubert: Path, runs: tuple[Path, Path], tmp_path: Path, point: SweepPoint
) -> None:
    job = job_of(tiny_hubert, *runs)
    run_plan(make_plan(job.recipe(point)), tmp_path / "out")
    merged = MergedEncoder(job)
    merged.become(point)
    assert same(merged, tmp_path / "out")
    assert not any(parameter.requires_grad for parameter in merged.encoder.parameters())


def test_groups_leave_the_rest_as_in_the_base(tiny_hubert: Path, runs: tuple[Path, Path]) -> None:
    merged = MergedEncoder(job_of(tiny_hubert, runs[0]))
    merged.become(SweepPoint("groups", groups={"attention": 0.5}))
    base = load_encoder(tiny_hubert).model.state_dict()
    moved = {name for name, each in merged.encoder.model.state_dict().items() if not torch.equal(each, base[name])}
    assert moved == {name for name in base if ".attention." in name}


def test_digests_change_with_the_weights_alone(tiny_hubert: Path, runs: tuple[Path, Path]) -> None:
    job = job_of(tiny_hubert, *runs)
    points = [SweepPoint("a", alpha=0.25), SweepPoint("b", alpha=0.5), SweepPoint("c", alpha=0.25, tuned=(0,))]
    points += [SweepPoint("d", "ties", alpha=0.25), SweepPoint("e", groups={"cnn": 0.25})]
    assert len({job.digest(point) for point in points}) == len(points)
    assert job.digest(points[0]) == job.digest(replace(points[0], label="renamed"))
    assert job.digest(SweepPoint("base", tuned=(0,), end="base")) == job.digests[0]
    assert job.digest(SweepPoint("two", tuned=(1,), end="tuned")) == job.digests[2]


def test_encoders_that_have_changed_are_refused(tiny_hubert: Path, runs: tuple[Path, Path]) -> None:
    job = job_of(tiny_hubert, runs[0])
    job.check_inputs()
    with pytest.raises(CheckpointError, match=r"expected the encoder with digest blake3:0 in .*it is not the one that"):
        replace(job, digests=("blake3:0", *job.digests[1:])).check_inputs()


def test_runs_of_another_base_are_refused(tiny_hubert: Path, runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_run(tiny_hubert, tmp_path / "other", 3, digest="blake3:0")
    digest = weights_digest(tiny_hubert)
    check_runs([*runs, tiny_hubert], tiny_hubert, digest)
    with pytest.raises(
        CheckpointError, match=r"expected runs that were tuned from .*, came .*other, tuned from a base"
    ):
        check_runs([runs[0], other], tiny_hubert, digest)
