"""Recipes in YAML: mergekit's schema for merges of whole models, and what speech encoders add to it.

Every fault is reported at once, with its line. Understood: merge_method, base_model, models with parameters,
parameters, dtype, out_dtype; and keep (base: glob patterns), extrapolate, seed.
Source: https://github.com/arcee-ai/mergekit, docs/merge_methods.md and README, "Merge configuration".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from mergekit_speech.errors import MsmError, RecipeError
from mergekit_speech.merging.arguments import Fault, Place, check_arguments
from mergekit_speech.merging.recipe import Encoder, Recipe
from mergekit_speech.merging.runs import encoder_folder
from mergekit_speech.registry import STRATEGIES, suggestion

LONGEST_RECIPE = 1 << 20
# mergekit merges these over the listed models alone: no scale, and a base that is listed counts as one of them.
WITHOUT_BASE = {"linear"}
# These say how mergekit computes, not what.
NO_EFFECT = {"int8_mask"}
NOT_FOR_SPEECH = {"tokenizer", "tokenizer_source", "chat_template"}
NOT_UNDERSTOOD = {"slices", "modules"}

Dtype = Literal["float16", "bfloat16", "float32", "float64"]


def _single(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"{value!r:.80}")
    return value


Parameters = dict[str, Annotated[Any, AfterValidator(_single)]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _WithParameters(_Part):
    parameters: Parameters = Field(default_factory=dict)


class _Model(_WithParameters):
    model: str


class _Keep(_Part):
    base: list[str] = Field(default_factory=list)


class _Document(_WithParameters):
    merge_method: str
    base_model: str | None = None
    models: list[_Model] = Field(min_length=1)
    dtype: Dtype | None = None
    out_dtype: Dtype | None = None
    keep: _Keep = Field(default_factory=_Keep)
    extrapolate: bool = False
    seed: int = 0


def read_recipe(path: Path) -> Recipe:
    """Read a recipe and check all of it.

    Args:
        path: The YAML file; relative paths in it are relative to the working directory, as in mergekit.

    Raises:
        RecipeError: The file cannot be read, or has faults; the message lists all of them with their lines.
    """
    text = _read_text(path)
    lines: dict[Place, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        faults = _walk(node, (), lines) if node is not None else []
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise RecipeError(f"{path}: {line}expected YAML, came {_one_line(error)}") from error
    document = None if faults else _validate(content, faults)
    recipe = _build(document, faults) if document is not None else None
    if recipe is None or faults:
        raise RecipeError(f"{path}: {'; '.join(_locate(fault, lines) for fault in faults)}")
    return recipe


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > LONGEST_RECIPE:
            raise RecipeError(f"expected a recipe of at most {LONGEST_RECIPE} bytes, came {len(data)} in {path}")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}; check the path") from error


def _walk(node: yaml.Node, place: Place, lines: dict[Place, int]) -> list[Fault]:
    faults: list[Fault] = []
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            if inner in lines:
                faults.append(
                    Fault(inner, f"expected {key.value!r} once, came again in line {key.start_mark.line + 1}")
                )
            lines[inner] = key.start_mark.line + 1
            faults += _walk(value, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            faults += _walk(value, (*place, index), lines)
    return faults


def _validate(content: object, faults: list[Fault]) -> _Document | None:
    if not isinstance(content, dict):
        faults.append(Fault((), f"expected merge_method, models and so on, came {content!r:.80}"))
        return None
    try:
        return _Document.model_validate(content)
    except ValidationError as error:
        faults += [
            Fault(each["loc"], _explain(each["type"], each["loc"], each["msg"], each["input"]))
            for each in error.errors()
        ]
        return None


def _explain(kind: str, place: Place, message: str, value: object) -> str:
    key = str(place[-1])
    if kind == "missing":
        return f"expected {key}, which is missing"
    if kind == "extra_forbidden":
        return _explain_key(key, place)
    if kind == "value_error":
        came = message.removeprefix("Value error, ")
        return f"expected a single value of {key}, came {came}; values over layers and filters are not understood"
    return f"{key}: {message[0].lower()}{message[1:]}, came {value!r:.80}"


def _explain_key(key: str, place: Place) -> str:
    if key in NOT_FOR_SPEECH:
        return f"{key!r} means nothing for speech encoders, which have no tokenizer to merge; remove it"
    if key in NOT_UNDERSTOOD:
        return f"{key!r} is not understood; list whole encoders under 'models'"
    kinds: dict[int, type[BaseModel]] = {1: _Document, 2: _Keep, 3: _Model}
    known = kinds[len(place)].model_fields
    return f"unknown key {key!r}{suggestion(key, known)}; expected one of {', '.join(known)}"


def _build(document: _Document, faults: list[Fault]) -> Recipe | None:
    try:
        strategy = STRATEGIES.load(document.merge_method)
    except MsmError as error:
        faults.append(Fault(("merge_method",), str(error)))
        return None
    without_base = document.merge_method in WITHOUT_BASE
    if document.base_model is None and not without_base:
        faults.append(Fault(("merge_method",), f"{document.merge_method} needs base_model, which is missing"))
    listed = [each for each in document.models if without_base or each.model != document.base_model]
    common = _effective(document.parameters)
    if without_base and not {"scale", "alpha"} & set(common):
        common["scale"] = 1.0
    own = [_effective(each.parameters) for each in listed]
    _, found = check_arguments(document.merge_method, strategy, common, own, extrapolate=document.extrapolate)
    places = [index for index, each in enumerate(document.models) if each in listed]
    faults += [_renumber(fault, places) for fault in found]
    return Recipe(
        base=Path(document.base_model or document.models[0].model),
        tuned=tuple(
            Encoder(encoder_folder(Path(each.model)), params) for each, params in zip(listed, own, strict=True)
        ),
        strategy=document.merge_method,
        params=common,
        dtype=document.out_dtype or document.dtype,
        keep=tuple(document.keep.base),
        extrapolate=document.extrapolate,
        seed=document.seed,
    )


def _effective(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in NO_EFFECT}


def _renumber(fault: Fault, places: list[int]) -> Fault:
    # Faults count the tuned encoders; the file's list may hold the base among them.
    match fault.place:
        case ("models", int(index), *rest):
            return Fault(("models", places[index], *rest), fault.text)
    return fault


def _locate(fault: Fault, lines: Mapping[Place, int]) -> str:
    place = fault.place
    while place not in lines and place:
        place = place[:-1]
    return f"line {lines.get(place, 1)}: {fault.text}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
