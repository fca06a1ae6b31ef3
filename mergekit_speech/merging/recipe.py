"""What a merge is, as frozen objects; a YAML file, the command line and the Python API all end here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mergekit_speech.api import Value


@dataclass(frozen=True)
class Named:
    """The result of an earlier merge of the same recipe, which never touches the disk.

    Attributes:
        name: The name that the recipe gives it.
    """

    name: str


Source: TypeAlias = Path | Named
"""Where values come from: a checkpoint folder, or an earlier merge."""


@dataclass(frozen=True)
class Filter:
    """Which parameters something holds for.

    Attributes:
        pattern: What is looked for in a parameter's name.
        kind: How: anywhere in the name, as a glob over the whole name, as a regular expression anywhere in it, or as
            the name of a part of an encoder, such as "attention".
    """

    pattern: str
    kind: Literal["substring", "glob", "regex", "module"] = "substring"


@dataclass(frozen=True)
class Gradient:
    """A setting that changes from the first layer to the last: values spread evenly, straight lines between them.

    Attributes:
        values: At least one; words and flags jump instead of sliding.
    """

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Case:
    """One value of a setting and where it holds; of several cases, the first that matches counts.

    Attributes:
        value: The value there.
        where: Parameters that it holds for; None for all.
    """

    value: Value | Gradient
    where: Filter | None = None


Params: TypeAlias = Mapping[str, Any]
"""Settings as they were given: a `Value`, a `Gradient`, a tuple of `Case`, or a list with a value for each encoder."""


@dataclass(frozen=True)
class Tuned:
    """A tuned encoder in a merge.

    Attributes:
        source: Its checkpoint folder, its adapter folder, or an earlier merge.
        params: Settings of the strategy for this encoder alone.
        statistics: Folder of its statistics, for strategies that need them.
    """

    source: Source
    params: Params = field(default_factory=dict)
    statistics: Path | None = None


@dataclass(frozen=True)
class Keep:
    """Parameters that are not merged but copied.

    Attributes:
        where: Which; the side that is not copied need not have them, and may have more that match.
        side: From the base, or from the only tuned encoder.
    """

    where: Filter
    side: Literal["base", "tuned"] = "base"


@dataclass(frozen=True)
class Choice:
    """A strategy of its own for some parameters; of several choices, the first that matches counts.

    Attributes:
        where: Which parameters.
        strategy: Registry name of the strategy.
        params: Its settings.
    """

    where: Filter
    strategy: str
    params: Params = field(default_factory=dict)


@dataclass(frozen=True)
class SliceSource:
    """Layers of one encoder that go into a slice.

    Attributes:
        source: The encoder.
        first: Its first layer that is taken, from 0.
        end: The layer behind the last that is taken.
        params: Settings of the strategy for this encoder in this slice.
    """

    source: Source
    first: int
    end: int
    params: Params = field(default_factory=dict)


@dataclass(frozen=True)
class Slice:
    """A run of layers of the result, merged from as many layers of each source.

    Attributes:
        sources: One or more; the base may be among them.
        params: Settings of the strategy in this slice.
        base: The base of this slice; None for that of the merge.
    """

    sources: tuple[SliceSource, ...]
    params: Params = field(default_factory=dict)
    base: Source | None = None


@dataclass(frozen=True)
class Merge:
    """One merge of a recipe.

    Attributes:
        base: What deltas refer to; None for strategies that can do without.
        tuned: The tuned encoders, in the order in which they are added up; empty if there are slices.
        strategy: Registry name of the strategy.
        params: Settings of the strategy for all encoders.
        choices: Strategies of their own for parts of the encoder.
        keep: What is copied instead of merged.
        slices: The layers of the result, run by run; empty for the layers that the inputs have.
        extrapolate: Lift the ranges of settings that allow it, such as α ≤ 1.
        effective_weight_norm: Merge the weight that length and direction of weight norm make, instead of the two.
    """

    base: Source | None
    tuned: tuple[Tuned, ...]
    strategy: str = "linear"
    params: Params = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    keep: tuple[Keep, ...] = ()
    slices: tuple[Slice, ...] = ()
    extrapolate: bool = False
    effective_weight_norm: bool = False

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything it reads, the base first, each once; the first lends the result its names and files."""
        listed = [self.base, *(each.source for each in self.tuned)]
        for piece in self.slices:
            listed += [piece.base, *(each.source for each in piece.sources)]
        return tuple(dict.fromkeys(each for each in listed if each is not None))


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the bytes of a merged checkpoint.

    Attributes:
        merge: The merge whose result is written.
        named: Earlier merges by name, in an order in which each needs only those before it.
        dtype: Format of the merged weights, such as "float32" or "bfloat16"; None for that of the base, or of the first
            encoder where there is no base, parameter by parameter.
        seed: Seed of strategies that draw random numbers.
        base_digest: What `weights_digest` of the first input must be; None for anything.
        force: Merge encoders also if they were hardly tuned from their base.
    """

    merge: Merge
    named: Mapping[str, Merge] = field(default_factory=dict)
    dtype: str | None = None
    seed: int = 0
    base_digest: str | None = None
    force: bool = False

    @property
    def inputs(self) -> tuple[Path, ...]:
        """All checkpoint folders, each once; the first lends the result its configuration and its order of names."""
        return tuple(dict.fromkeys(self._paths(self.merge)))

    def _paths(self, merge: Merge) -> list[Path]:
        found: list[Path] = []
        for source in merge.sources:
            found += [source] if isinstance(source, Path) else self._paths(self.named[source.name])
        return found
