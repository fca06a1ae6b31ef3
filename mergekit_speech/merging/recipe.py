"""What a merge is, as frozen objects; a YAML file, the command line and the Python API all end here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Encoder:
    """A tuned encoder in a recipe.

    Attributes:
        path: Its checkpoint folder.
        params: Settings of the strategy for this encoder alone, as they were given.
    """

    path: Path
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of a merged checkpoint.

    Attributes:
        base: Checkpoint folder of the base.
        tuned: The tuned encoders, in the order in which they are added up.
        strategy: Registry name of the strategy.
        params: Settings of the strategy, as they were given.
        dtype: Format of the merged weights, such as "float32" or "bfloat16"; None for the base's, one by one.
        keep: Glob patterns of the parameters that are copied from the base; a tuned encoder need not have them, and may
            have more that match.
        extrapolate: Lift the ranges of settings that allow it, such as α ≤ 1.
        seed: Seed of strategies that draw random numbers.
        base_digest: What `weights_digest` of the base must be; None for anything.
    """

    base: Path
    tuned: tuple[Encoder, ...]
    strategy: str = "linear"
    params: Mapping[str, Any] = field(default_factory=dict)
    dtype: str | None = None
    keep: tuple[str, ...] = ()
    extrapolate: bool = False
    seed: int = 0
    base_digest: str | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All checkpoint folders, the base first."""
        return (self.base, *(encoder.path for encoder in self.tuned))
