"""From one document of a recipe to a `Merge`."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, cast

from mergekit_speech.errors import CheckpointError
from mergekit_speech.hub.names import read_id
from mergekit_speech.merging.arguments import Fault, Place
from mergekit_speech.merging.documents.roles import Listed, settle_base
from mergekit_speech.merging.documents.schema import ChoicePart, Document, ModelPart, ModulePart, SlicePart
from mergekit_speech.merging.documents.setting_schema import WherePart
from mergekit_speech.merging.documents.settings import build_filter, build_settings, filter_faults
from mergekit_speech.merging.filters import fault_of
from mergekit_speech.merging.recipe import (
    Choice,
    Filter,
    Keep,
    Merge,
    Named,
    Params,
    Slice,
    SliceSource,
    Source,
    Tuned,
)
from mergekit_speech.merging.runs import encoder_folder
from mergekit_speech.merging.settings import overlay


def build_merge(number: int, document: Document, names: Container[str], faults: list[Fault]) -> Merge:
    """Read one merge.

    Args:
        number: That of the document; places of faults begin with it.
        document: What the file says.
        names: Names of the other merges of the file.
        faults: What is wrong is added here.

    Returns:
        The merge; with faults, it is of no use.
    """
    found: list[Fault] = []
    merge = _Builder(names, found).build(document)
    faults += [Fault((number, *fault.place), fault.text) for fault in dict.fromkeys(found)]
    return merge


@dataclass(frozen=True)
class _Builder:
    names: Container[str]
    faults: list[Fault]

    def build(self, document: Document) -> Merge:
        above, body = _find_body(document)
        layers: list[tuple[Place, Params]] = [((), self._settings(document.parameters, ()))]
        if isinstance(body, ModulePart):
            layers.append((above, self._settings(body.parameters, above)))
        models = [self._tuned(part, (*above, "models", index)) for index, part in enumerate(body.models or [])]
        slices = [self._slice(part, (*above, "slices", index)) for index, part in enumerate(body.slices or [])]
        merge = Merge(
            base=self._base(document.base_model, ()),
            tuned=tuple(models),
            strategy=document.merge_method,
            params=reduce(overlay, (params for _, params in layers)),
            choices=tuple(self._choice(part, index) for index, part in enumerate(document.strategies)),
            keep=tuple(self._kept(document)),
            slices=tuple(slices),
            extrapolate=document.extrapolate,
            effective_weight_norm=document.effective_weight_norm,
        )
        return settle_base(merge, _list(merge, above, layers), self.faults)

    def _tuned(self, part: ModelPart, place: Place) -> Tuned:
        statistics = None if part.statistics is None else Path(part.statistics)
        if part.statistics is not None and not _exists(part.statistics):
            text = f"expected a folder of statistics, came {part.statistics!r:.200}, which does not exist"
            self.faults.append(Fault((*place, "statistics"), f"{text}; make it with `msm statistics`"))
        return Tuned(self._source(part.model, (*place, "model")), self._settings(part.parameters, place), statistics)

    def _slice(self, part: SlicePart, place: Place) -> Slice:
        sources = []
        for index, each in enumerate(part.sources):
            inner = (*place, "sources", index)
            source, params = self._source(each.model, (*inner, "model")), self._settings(each.parameters, inner)
            sources.append(SliceSource(source, each.layer_range[0], each.layer_range[1], params))
        return Slice(tuple(sources), self._settings(part.parameters, place), self._base(part.base_model, place))

    def _choice(self, part: ChoicePart, index: int) -> Choice:
        place = ("strategies", index)
        params = self._settings(part.parameters, place)
        return Choice(self._filter(part, place), part.merge_method, params)

    def _kept(self, document: Document) -> Iterable[Keep]:
        if document.keep is None:
            return
        for index, part in enumerate(document.keep.base):
            yield Keep(self._filter(part, ("keep", "base", index)), "base")
        for index, part in enumerate(document.keep.tuned):
            yield Keep(self._filter(part, ("keep", "tuned", index)), "tuned")

    def _filter(self, part: WherePart | str, place: Place) -> Filter:
        where = cast("Filter", build_filter(part))
        text = fault_of(where)
        if text:
            self.faults.append(Fault(place, text))
        return where

    def _settings(self, parameters: Mapping[str, Any] | None, place: Place) -> Params:
        self.faults.extend(filter_faults(parameters, (*place, "parameters")))
        return build_settings(parameters)

    def _base(self, text: str | None, place: Place) -> Source | None:
        return None if text is None else self._source(text, (*place, "base_model"))

    def _source(self, text: str, place: Place) -> Source:
        if text in self.names:
            return Named(text)
        if not _exists(text) and read_id(text) is None:
            self.faults.append(Fault(place, _explain_missing(text)))
            return Path(text)
        try:
            return encoder_folder(Path(text))
        except CheckpointError as error:
            self.faults.append(Fault(place, str(error)))
            return Path(text)


def _find_body(document: Document) -> tuple[Place, Document | ModulePart]:
    for name, module in (document.modules or {}).items():
        return ("modules", name), module
    return (), document


def _list(merge: Merge, above: Place, layers: Sequence[tuple[Place, Params]]) -> list[Listed]:
    if merge.tuned:
        sources = tuple(each.source for each in merge.tuned)
        own = tuple(each.params for each in merge.tuned)
        return [Listed((*above, "models"), sources, own, tuple(layers), merge.base)]
    found = []
    for index, piece in enumerate(merge.slices):
        place = (*above, "slices", index)
        sources = tuple(each.source for each in piece.sources)
        own = tuple(each.params for each in piece.sources)
        within = (*layers, (place, piece.params))
        found.append(Listed((*place, "sources"), sources, own, within, piece.base or merge.base))
    return found


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).exists()
    except OSError:
        # Too long for a name, for one.
        return False


def _explain_missing(text: str) -> str:
    came = f"expected a checkpoint, or the name of another merge in this file, came {text!r:.200}, which does not exist"
    if "+" in text:
        return f"{came}; give the adapter's own folder as the model"
    if "@" in text:
        return f"{came}; download that revision and give its folder"
    return f"{came}; relative paths begin at the working directory"
