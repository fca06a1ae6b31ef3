"""From a recipe and headers to the term of every parameter of the result; every problem is noted, none stops it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mergekit_speech.api import Strategy
from mergekit_speech.errors import PairingError, RecipeError, SettingsError, StrategyError
from mergekit_speech.merging.adapters import is_adapter
from mergekit_speech.merging.filters import matches
from mergekit_speech.merging.inputs import Inputs
from mergekit_speech.merging.layers import Stack, find_stack
from mergekit_speech.merging.matching import Matched, Naming, Side, describe_naming, match
from mergekit_speech.merging.pairing import check_keep, check_pairs, kept_side
from mergekit_speech.merging.parts import Entry, Part, split_into_parts
from mergekit_speech.merging.problems import Problems
from mergekit_speech.merging.reading import Reading
from mergekit_speech.merging.recipe import Merge, Named, Params, Recipe, Source, Tuned
from mergekit_speech.merging.rules import RuleBook
from mergekit_speech.merging.settings import params_at
from mergekit_speech.merging.terms import Leaf, Length, Mix
from mergekit_speech.merging.weight_norm import merge_weights
from mergekit_speech.shards.dtypes import FLOATS
from mergekit_speech.shards.header import Parameter


class Outliner:
    """Works out what every parameter of a recipe's merges is made of.

    Attributes:
        rules: The rules of the merges.
        namings: What became of the names of each input that is an encoder.
    """

    def __init__(self, recipe: Recipe, inputs: Inputs, problems: Problems) -> None:
        self.rules = RuleBook(problems)
        self.namings: dict[Source, Naming] = {}
        self._recipe = recipe
        self._inputs = inputs
        self._problems = problems
        self._outlines: dict[str, Mapping[str, Entry]] = {}
        self._merges = 0

    def entries(self, source: Source, base: Source | None = None) -> Mapping[str, Entry]:
        """Give the parameters of a source by name; none, and a problem noted, if it cannot be read.

        Args:
            source: A checkpoint, an adapter, or an earlier merge.
            base: What an adapter is put on.
        """
        if not isinstance(source, Named):
            return self._inputs.entries(source, base)
        if source.name not in self._outlines:
            # A name that needs itself would not end.
            self._outlines[source.name] = {}
            self._outlines[source.name] = self.outline(self._recipe.named[source.name])
        return self._outlines[source.name]

    def outline(self, merge: Merge) -> Mapping[str, Entry]:
        """Give the parameters of a merge's result by name, in the order in which they are to be written."""
        self._merges += 1
        number = self._merges
        _check_encoders(merge, self._problems)
        self._check_statistics(merge)
        matched = self._match(merge)
        known = dict(zip(merge.sources, matched.entries, strict=True))
        parts = split_into_parts(merge, lambda source: known[source], self._problems)
        found: dict[str, Entry] = {}
        for part in parts:
            found |= _Outline(merge, part, matched.kept, number, self.rules, self._inputs, self._problems).entries()
        if not self._problems:
            with self._problems.caught():
                names = [name for part in parts for each in (part.base or {}, *part.tuned) for name in each]
                _check_weight_norm(merge, found)
                check_keep([*names, *(name for each in matched.left_out for name in each)], merge.keep)
        return found

    def _match(self, merge: Merge) -> Matched:
        sides = [
            Side(_label(source), self.entries(source, merge.base), self._reading(source, merge.base))
            for source in merge.sources
        ]
        try:
            matched = match(sides, merge.keep, whole=not merge.slices and not merge.keep)
        except PairingError as error:
            self._problems.add(error)
            return Matched(tuple({} for _ in sides))
        for source, side, left_out in zip(merge.sources, sides, matched.left_out, strict=True):
            like = sides[0].reading
            if isinstance(source, Path) and side.reading is not None and like is not None and not is_adapter(source):
                first = source == self._recipe.inputs[0]
                self.namings.setdefault(source, describe_naming(side.reading, left_out, like, first=first))
        return matched

    def _reading(self, source: Source, base: Source | None) -> Reading | None:
        if isinstance(source, Path):
            return self._inputs.reading(source, base)
        # The result of a merge has the names of its first encoder.
        merge = self._recipe.named[source.name]
        return self._reading(merge.sources[0], merge.base)

    def _check_statistics(self, merge: Merge) -> None:
        given = [str(each.statistics) for each in merge.tuned if each.statistics is not None]
        words = dict.fromkeys((merge.strategy, *(each.strategy for each in merge.choices)))
        loaded = [strategy for word in words if (strategy := self.rules.strategy(word)) is not None]
        # Of a strategy that is unknown nobody can say what it needs.
        if given and len(loaded) == len(words) and not any(each.needs.auxiliary for each in loaded):
            self._problems.add(
                StrategyError(f"{', '.join(words)} uses no statistics, came {', '.join(given)}; leave them out")
            )


@dataclass(frozen=True)
class _Outline:
    """One part of one merge."""

    merge: Merge
    part: Part
    kept: Mapping[str, str]
    number: int
    rules: RuleBook
    inputs: Inputs
    problems: Problems

    def entries(self) -> dict[str, Entry]:
        part, keep = self.part, self.merge.keep
        if not part.tuned or not all(part.tuned) or part.base == {}:
            # Inputs that could not be opened: that is noted already.
            return {}
        like = part.tuned[0] if part.base is None else part.base
        found = dict(self._entries(like))
        for name, entry in part.tuned[0].items():
            if name not in found and kept_side(name, keep) == "tuned":
                found[name] = replace(entry, copied="kept from the tuned")
        if not self._pair(like):
            return {}
        if not self.merge.effective_weight_norm:
            return found
        with self.problems.caught():
            return merge_weights(found, self.part, lambda mix: self.rules.rules[mix.rule].strategy)
        return {}

    def _pair(self, like: Mapping[str, Entry]) -> bool:
        labels = [str(each) for each in self.part.labels]
        named = {label: _parameters(each) for label, each in zip(labels, self.part.tuned, strict=True)}
        called = "the base" if self.part.base is not None else labels[0]
        wanted = {name: entry for name, entry in like.items() if name not in self.kept}
        try:
            check_pairs(_parameters(wanted), named, self.merge.keep, like=called)
        except PairingError as error:
            self.problems.add(error)
            return False
        return True

    def _entries(self, like: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
        stack = find_stack(like)
        for name, entry in like.items():
            side = kept_side(name, self.merge.keep)
            if side == "tuned":
                if name in self.part.tuned[0]:
                    yield name, replace(self.part.tuned[0][name], copied="kept from the tuned")
            elif copied := _why_copied(entry, side, self.kept.get(name)):
                yield name, replace(entry, copied=copied)
            elif mixed := self._mix(name, entry, stack):
                yield name, mixed

    def _mix(self, name: str, entry: Entry, stack: Stack) -> Entry | None:
        choice = next((each for each in self.merge.choices if matches(each.where, name)), None)
        word = self.merge.strategy if choice is None else choice.strategy
        strategy = self.rules.strategy(word)
        if strategy is None or any(name not in each for each in self.part.tuned):
            return None
        if strategy.needs.base == "required" and self.part.base is None:
            self.problems.add(
                StrategyError(f"{word} needs a base, came none; name the encoder that all were tuned from")
            )
            return None
        position = self.part.position(stack.layer_of(name))
        own = [params_at(each.params, name, position) for each in self.part.encoders]
        if choice is None:
            common = params_at(self.part.params, name, position)
        else:
            common = params_at(choice.params, name, position)
            own = [_settings_of(strategy, each, common) for each in own]
        rule = self.rules.number(
            self.number,
            word,
            common,
            own,
            extrapolate=self.merge.extrapolate,
            has_base=self.part.base is not None,
        )
        base = self.part.base[name].term if self.part.base is not None and strategy.needs.base != "unused" else None
        auxiliary = self._auxiliary(word, strategy, name)
        if rule is None or auxiliary is None:
            return None
        tuned = tuple(each[name].term for each in self.part.tuned)
        mix = Mix(
            rule, name, entry.shape, base, tuned, stack.layer_of(name), self.part.layers or stack.count, auxiliary
        )
        return replace(entry, term=mix, copied="")

    def _auxiliary(self, word: str, strategy: Strategy, name: str) -> dict[str, tuple[Leaf | None, ...]] | None:
        found: dict[str, tuple[Leaf | None, ...]] = {}
        for kind in strategy.needs.auxiliary:
            leaves = []
            for encoder, entries in zip(self.part.encoders, self.part.tuned, strict=True):
                statistics = self._statistics(word, kind, encoder)
                if statistics is None:
                    return None
                term = entries[name].term
                leaves.append(statistics.get(term.parameter.name if isinstance(term, Leaf) else name))
            found[kind] = tuple(leaves)
        return found

    def _statistics(self, word: str, kind: str, encoder: Tuned) -> Mapping[str, Leaf] | None:
        if encoder.statistics is not None:
            return self.inputs.statistics(encoder.statistics, kind)
        self.problems.add(
            StrategyError(
                f"{word} needs {kind} statistics of every tuned encoder, came none for {_label(encoder.source)}; "
                "gather them with msm statistics and give the folder with --statistics"
            )
        )
        return None


def _check_weight_norm(merge: Merge, found: Mapping[str, Entry]) -> None:
    if merge.effective_weight_norm and not any(isinstance(entry.term, Length) for entry in found.values()):
        raise SettingsError(
            "expected weight norm in what is merged, such as that of the positional convolution, came none; "
            "leave out --effective-weight-norm"
        )


def _check_encoders(merge: Merge, problems: Problems) -> None:
    if not merge.tuned and not merge.slices:
        problems.add(RecipeError("expected at least one tuned encoder, came none; name one"))
    if any(each.side == "tuned" for each in merge.keep) and len(merge.tuned) != 1:
        problems.add(
            RecipeError(
                f"keeping from the tuned encoder needs exactly one, came {len(merge.tuned)}; keep from the base"
            )
        )
    given = [_label(each.source) for each in merge.tuned]
    for label in dict.fromkeys(given):
        if given.count(label) > 1:
            problems.add(
                RecipeError(
                    f"expected each tuned encoder once, came {label} {given.count(label)} times; "
                    "give it a larger weight instead"
                )
            )
        if merge.base is not None and label == _label(merge.base):
            problems.add(RecipeError(f"expected tuned encoders other than their base, came {label} as both"))


def _why_copied(entry: Entry, side: str | None, beside: str | None) -> str:
    if entry.dtype not in FLOATS:
        return f"{entry.dtype} is not merged"
    if side == "base":
        return "kept from the base"
    if beside is not None:
        return f"kept from the base, {beside}"
    return "" if 0 not in entry.shape else "empty"


def _settings_of(strategy: Strategy, own: Params, common: Params) -> dict[str, Any]:
    # A choice has its own strategy: settings of an encoder hold where that strategy has them too and says no other.
    names = {alias: name for name, param in strategy.params.items() for alias in (name, *param.aliases)}
    said = {names.get(key) for key in common}
    return {
        key: value
        for key, value in own.items()
        if key in names and names[key] not in said and strategy.params[names[key]].per_encoder
    }


def _parameters(entries: Mapping[str, Entry]) -> dict[str, Parameter]:
    return {name: Parameter(name, entry.dtype, entry.shape) for name, entry in entries.items()}


def _label(source: Source) -> str:
    return repr(source.name) if isinstance(source, Named) else str(source.resolve())
