"""Runs a plan, and leaves the whole output or none."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mergekit_speech.errors import CheckpointError, SettingsError
from mergekit_speech.merging.fingerprint import check_base
from mergekit_speech.merging.inputs import combine_input
from mergekit_speech.merging.leavings import copy_companions, write_documents
from mergekit_speech.merging.matching import Naming
from mergekit_speech.merging.output import open_output
from mergekit_speech.merging.plan import Plan, Step, check_output
from mergekit_speech.merging.process import Digests, Process
from mergekit_speech.merging.provenance import describe_metadata
from mergekit_speech.shards.folder import check_free, whole_folder

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class MergeReport:
    """What a merge did.

    Attributes:
        output: The merged checkpoint.
        strategy: Registry name of the strategy of the last merge of the recipe.
        merged: Number of parameters that were merged.
        copied: Number of parameters that were copied.
        digests: Digest of the weights of each input of the plan, as `weights_digest` gives it; empty without digests.
        bytes_read: Bytes of weights that were read.
        bytes_written: Bytes of weights that were written.
        seconds: Wall time.
        nonfinite: Where NaN and infinity were found, one line each; only if they were allowed.
        resumed: Number of parameters that an interrupted merge had left.
        namings: What became of the names of each input that is an encoder of a known family.
        kept: Why parameters were copied, by name.
    """

    output: Path
    strategy: str
    merged: int
    copied: int
    digests: tuple[str, ...]
    bytes_read: int
    bytes_written: int
    seconds: float
    nonfinite: tuple[str, ...] = ()
    resumed: int = 0
    namings: tuple[Naming, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)


def run_plan(
    plan: Plan,
    output: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    digest: bool = True,
    sync: bool = True,
    allow_nonfinite: bool = False,
    progress: Progress | None = None,
) -> MergeReport:
    """Do what a plan says.

    Args:
        plan: What to do.
        output: Folder to make.
        overwrite: Replace the folder if it exists.
        resume: Continue what an interrupted merge left, and leave as much when interrupted.
        digest: Whether to digest the inputs while they are read.
        sync: Whether to wait until the output is on the disk; without, a power failure may leave it with holes.
        allow_nonfinite: Merge NaN and infinity like any other value, and report where they are.
        progress: Called after every parameter with the number of steps done and of all steps.

    Raises:
        OutputError: The output exists, lies in an input, is being written by another process, or the disk is full; or
            another merge was interrupted here.
        ShardError: An input is cut short, or holds NaN or infinity.
        StrategyError: The strategy failed, or gave NaN or infinity.
        CheckpointError: The base is not the one that the recipe expects, or an encoder was hardly tuned from it.
        SettingsError: A merged value does not fit the dtype; or the base is to be checked without digests.
    """
    began = time.perf_counter()
    if plan.recipe.base_digest is not None and not digest:
        raise SettingsError("expected digests to check the base of the run, came --no-digest; leave it out")
    check_free(output, overwrite=overwrite)
    check_output(output, plan.recipe.inputs)
    if not plan.recipe.force:
        check_base(plan)
    nonfinite: list[str] = []
    with (
        whole_folder(output, overwrite=overwrite, keep=resume, sync=sync) as partial,
        open_output(plan, partial, resume=resume, digest=digest, sync=sync) as out,
    ):
        done = dict(out.done)
        process = Process(plan, out, digest, nonfinite.append if allow_nonfinite else None)
        found = process.run(done, _counting(plan, len(done), out.finish, progress))
        digests = _combine(plan, found) if digest else ()
        _check_base(plan, digests)
        out.close(describe_metadata(plan.recipe, plan.rules, plan.inputs, digests))
        copy_companions(plan, partial)
        write_documents(plan, digests, partial)
    copied = sum(bool(step.copied) for step in plan.steps)
    return MergeReport(
        output=output,
        strategy=plan.recipe.merge.strategy,
        merged=len(plan.steps) - copied,
        copied=copied,
        digests=digests,
        bytes_read=plan.bytes_read,
        bytes_written=plan.bytes_written,
        seconds=time.perf_counter() - began,
        nonfinite=tuple(dict.fromkeys(nonfinite)),
        resumed=len(done),
        namings=plan.namings,
        kept={step.parameter.name: step.copied for step in plan.steps if step.copied},
    )


def _counting(
    plan: Plan, before: int, finish: Callable[[Step, Digests], None], progress: Progress | None
) -> Callable[[Step, Digests], None]:
    count = before

    def counting(step: Step, digests: Digests) -> None:
        nonlocal count
        finish(step, digests)
        count += 1
        if progress is not None:
            progress(count, len(plan.steps))

    return counting


def _combine(plan: Plan, found: Digests) -> tuple[str, ...]:
    return tuple(
        combine_input(checkpoint, {name: found[number, name] for name in checkpoint.parameters})
        for number, checkpoint in enumerate(plan.inputs)
    )


def _check_base(plan: Plan, digests: Sequence[str]) -> None:
    expected = plan.recipe.base_digest
    if expected is not None and digests[0] != expected:
        raise CheckpointError(
            f"expected the base that the run was tuned from, with digest {expected}, came {plan.recipe.inputs[0]} "
            f"with {digests[0]}; find that base, or name this one with --base"
        )
