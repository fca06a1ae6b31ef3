"""Merging checkpoint folders, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from mergekit_speech.errors import SettingsError
from mergekit_speech.hub.fetch import resolve
from mergekit_speech.merging.engine import MergeReport, run_plan
from mergekit_speech.merging.plan import MEMORY, Limits, make_plan
from mergekit_speech.merging.recipe import Filter, Keep, Merge, Recipe, Tuned
from mergekit_speech.merging.runs import encoder_folder, is_run, recorded_base
from mergekit_speech.registry import STRATEGIES


def merge(
    base: str | PathLike[str] | None,
    tuned: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    output: str | PathLike[str],
    strategy: str = "linear",
    dtype: str | None = None,
    keep: Sequence[str] = (),
    statistics: Sequence[str | PathLike[str]] = (),
    extrapolate: bool = False,
    effective_weight_norm: bool = False,
    force: bool = False,
    seed: int = 0,
    memory: int = MEMORY,
    threads: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    resume: bool = False,
    **params: Any,
) -> MergeReport:
    """Merge tuned encoders into their base and write a checkpoint that `AutoModel.from_pretrained` loads.

    Args:
        base: Checkpoint of the base in any layout, or its name on the hub; None to take the one that the records of
            tuned runs name, or to do without where the strategy can.
        tuned: Checkpoint of a tuned encoder in any layout, its adapter folder, its name on the hub, or a run that
            `finetune` left; or several.
        output: Folder to make; it appears whole or not at all.
        strategy: Registry name of the strategy.
        dtype: Format of the merged weights, such as "float16"; None for that of the base.
        keep: Glob patterns of parameters that are copied from the base.
        statistics: Folder of the statistics of each tuned encoder, for strategies that need them.
        extrapolate: Allow an α beyond 0 to 1.
        effective_weight_norm: Merge the weight that length and direction of weight norm make, instead of the two.
        force: Merge also if an encoder was hardly tuned from the base.
        seed: Seed of strategies that draw random numbers.
        memory: Bytes for blocks in flight.
        threads: Parameters in work at the same time; 0 for one per core.
        device: Where strategies compute, such as "cuda".
        overwrite: Replace `output` if it exists.
        resume: Continue what an interrupted merge left, and leave as much when interrupted.
        **params: Settings of the strategy, such as `alpha=0.25` or `density=[0.2, 0.3]`.

    Returns:
        What was done.

    Raises:
        MsmError: Anything is not as it should be; nothing is written then. `make_plan` and `run_plan` list the cases.

    Example:
        >>> merge("hubert-base", "hubert-tuned", alpha=0.25, output="hubert-merged")  # doctest: +SKIP
    """
    paths = [Path(tuned)] if isinstance(tuned, str | PathLike) else [Path(each) for each in tuned]
    found, digest = (resolve(base), None) if base is not None else find_base(paths, strategy)
    recipe = Recipe(
        merge=Merge(
            base=found,
            tuned=list_tuned(paths, [Path(each) for each in statistics]),
            strategy=strategy,
            params=params,
            keep=tuple(Keep(Filter(pattern, "glob")) for pattern in keep),
            extrapolate=extrapolate,
            effective_weight_norm=effective_weight_norm,
        ),
        dtype=dtype,
        seed=seed,
        base_digest=digest,
        force=force,
    )
    plan = make_plan(recipe, Limits(memory=memory, threads=threads, device=device), output=Path(output))
    return run_plan(plan, Path(output), overwrite=overwrite, resume=resume)


def list_tuned(paths: Sequence[Path], statistics: Sequence[Path] = ()) -> tuple[Tuned, ...]:
    """Put folders of tuned encoders, or runs, together with their statistics.

    Raises:
        SettingsError: There are statistics, but not one folder for each encoder.
    """
    if statistics and len(statistics) != len(paths):
        raise SettingsError(
            f"expected a folder of statistics for each of {len(paths)} tuned encoders, came {len(statistics)}; "
            "give as many, in the same order"
        )
    given: Sequence[Path | None] = statistics or [None] * len(paths)
    return tuple(Tuned(encoder_folder(path), statistics=each) for path, each in zip(paths, given, strict=True))


def find_base(tuned: Sequence[Path], strategy: str) -> tuple[Path | None, str | None]:
    """Find the base of tuned encoders where none is named.

    Args:
        tuned: What was tuned from it: runs that say so, or, for a strategy that can do without a base, any checkpoints.
        strategy: Registry name of the strategy.

    Returns:
        The base and the digest of its weights; None and None if there is none.

    Raises:
        CheckpointError: The strategy needs a base, and an encoder is no run; or runs do not agree on a base.
        StrategyError: The strategy is unknown.
    """
    if any(is_run(path) for path in tuned) or STRATEGIES.load(strategy).needs.base == "required":
        return recorded_base(tuned)
    return None, None
