"""The form of a recipe's documents: mergekit's schema, and what speech encoders add to it.

Source: https://github.com/arcee-ai/mergekit, README, "Merge configuration", and docs/multimerge.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from mergekit_speech.merging.documents.setting_schema import (
    CASE,
    CASES,
    EACH,
    CasePart,
    EachPart,
    Part,
    Settings,
    SomewherePart,
)

Dtype = Literal["float16", "bfloat16", "float32", "float64"]


def _refuse_not_one(part: Part, keys: tuple[str, ...]) -> None:
    given = [key for key in keys if getattr(part, key) is not None]
    if len(given) != 1:
        text = f"expected exactly one of {', '.join(keys)}, came {' and '.join(given) or 'none'}"
        raise ValueError(text)


class ModelPart(Part):
    """One of the encoders to merge."""

    model: str = Field(description="A checkpoint, an adapter or a run, or the name of an earlier merge.")
    parameters: Settings | None = None
    statistics: str | None = Field(None, description="Folder of its statistics, which `msm statistics` writes.")


class SourcePart(Part):
    """Layers of one encoder."""

    model: str = Field(description="A checkpoint, or the name of an earlier merge.")
    layer_range: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=2, max_length=2, description="First layer, from 0, and the layer behind the last."
    )
    parameters: Settings | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> SourcePart:
        first, end = self.layer_range
        if first >= end:
            raise ValueError(f"expected a layer_range of one layer or more, came [{first}, {end}]")
        return self


class SlicePart(Part):
    """A run of layers of the result."""

    sources: list[SourcePart] = Field(min_length=1, description="Layers to merge, as many from each encoder.")
    base_model: str | None = Field(None, description="Base of this slice alone.")
    parameters: Settings | None = None


class ModulePart(Part):
    """mergekit's way to merge parts of a model apart; encoders have one part."""

    models: list[ModelPart] | None = Field(None, min_length=1)
    slices: list[SlicePart] | None = Field(None, min_length=1)
    parameters: Settings | None = None

    @model_validator(mode="after")
    def _one_list(self) -> ModulePart:
        _refuse_not_one(self, ("models", "slices"))
        return self


class ChoicePart(SomewherePart):
    """A strategy of their own for some parameters."""

    merge_method: str = Field(description="Name of the strategy.")
    parameters: Settings | None = None


PATTERN, WHERE = "\0pattern", "\0where"


def _kind_of_kept(value: object) -> str | None:
    if isinstance(value, dict):
        return WHERE
    return PATTERN if isinstance(value, str) else None


Kept = Annotated[
    Annotated[str, Tag(PATTERN)] | Annotated[SomewherePart, Tag(WHERE)],
    Discriminator(
        _kind_of_kept, custom_error_type="value", custom_error_message="expected a filter, or a key such as module"
    ),
]


class KeepPart(Part):
    """What is copied instead of merged."""

    base: list[Kept] = Field([], description="Copied from the base.")
    tuned: list[Kept] = Field([], description="Copied from the only tuned encoder.")


class Document(Part):
    """One merge."""

    name: str | None = Field(
        None,
        pattern=r"^\w[\w. -]*$",
        max_length=100,
        description="Name under which later merges of the file use the result; the last merge has none.",
    )
    merge_method: str = Field(description="Name of the strategy; `msm strategies` lists them.")
    base_model: str | None = Field(
        None, description="What deltas refer to: a checkpoint, or the name of an earlier merge."
    )
    models: list[ModelPart] | None = Field(None, min_length=1, description="The encoders to merge.")
    slices: list[SlicePart] | None = Field(None, min_length=1, description="The layers of the result, run by run.")
    modules: dict[str, ModulePart] | None = Field(
        None, min_length=1, description="models or slices under the name of the only module."
    )
    parameters: Settings | None = None
    strategies: list[ChoicePart] = Field(
        [], description="Strategies of their own for parts of the encoder; the first that matches counts."
    )
    keep: KeepPart | None = Field(None, description="What is copied instead of merged.")
    dtype: Dtype | None = Field(None, description="mergekit's name for out_dtype; everything is computed in float32.")
    out_dtype: Dtype | None = Field(None, description="Format of the merged weights; the base's if none is given.")
    extrapolate: bool = Field(False, description="Lift the ranges of settings that allow it, such as alpha up to 1.")
    effective_weight_norm: bool = Field(
        False, description="Merge the weight that weight norm's length and direction make, instead of the two."
    )
    seed: int = Field(0, ge=0, lt=1 << 63, description="Seed of strategies that draw random numbers.")
    base_digest: str | None = Field(
        None, pattern=r"^blake3:[0-9a-f]{64}$", description="What the digest of the first input's weights must be."
    )
    force: bool = Field(False, description="Merge also if an encoder was hardly tuned from the base.")

    @model_validator(mode="after")
    def _one_list(self) -> Document:
        _refuse_not_one(self, ("models", "slices", "modules"))
        if self.modules is not None and len(self.modules) > 1:
            listed = ", ".join(self.modules)
            raise ValueError(f"expected one module, as encoders have no more, came {listed}")
        return self


PARTS: Mapping[str, type[Part]] = {
    "models": ModelPart,
    "slices": SlicePart,
    "sources": SourcePart,
    "modules": ModulePart,
    "strategies": ChoicePart,
    "keep": KeepPart,
    CASE: CasePart,
    CASES: CasePart,
    EACH: EachPart,
    WHERE: SomewherePart,
}


def known_keys(place: tuple[Any, ...]) -> tuple[str, ...]:
    """Give the keys that are known at a place of a document, as pydantic's errors name places."""
    inner = next((PARTS[key] for key in reversed(place[:-1]) if key in PARTS), Document)
    return tuple(inner.model_fields)
