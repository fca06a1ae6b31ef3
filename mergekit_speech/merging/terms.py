"""What one merged parameter is made of: values of the inputs, and rules that make new values of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mergekit_speech.shards.header import Parameter


@dataclass(frozen=True)
class Leaf:
    """A parameter as an input holds it.

    Attributes:
        source: Index of the input among those of the plan.
        parameter: Its name there, its format and its shape.
    """

    source: int
    parameter: Parameter

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from all others of a plan."""
        return self.source, self.parameter.name


@dataclass(frozen=True)
class Mix:
    """What a rule makes of other terms. One object stands for one result, wherever it is used.

    Attributes:
        rule: Index of the rule among those of the plan.
        name: Name of the parameter that results.
        shape: Its shape.
        base: What deltas refer to; None for rules that can do without.
        tuned: The tuned encoders' terms.
        layer: Index of the transformer layer; None outside of them.
        layers: Number of transformer layers of the result.
        auxiliary: For each kind of statistics, that of every tuned encoder.
    """

    rule: int
    name: str
    shape: tuple[int, ...]
    base: Term | None
    tuned: tuple[Term, ...]
    layer: int | None = None
    layers: int = 0
    auxiliary: Mapping[str, tuple[Leaf | None, ...]] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[Term, ...]:
        """All that it is made of; statistics come last."""
        statistics = [leaf for leaves in self.auxiliary.values() for leaf in leaves if leaf is not None]
        return (*(() if self.base is None else (self.base,)), *self.tuned, *statistics)


@dataclass(frozen=True)
class Effective:
    """The weight that length and direction of weight norm make.

    Attributes:
        length: The length g.
        direction: The direction v; the weight has its shape.
    """

    length: Term
    direction: Term

    @property
    def terms(self) -> tuple[Term, ...]:
        """All that it is made of."""
        return self.direction, self.length


@dataclass(frozen=True)
class Length:
    """The length g that belongs to a merged weight which is stored as its own direction.

    Attributes:
        weight: The merged weight.
        shape: Shape of g.
    """

    weight: Term
    shape: tuple[int, ...]

    @property
    def terms(self) -> tuple[Term, ...]:
        """All that it is made of."""
        return (self.weight,)


Term: TypeAlias = Leaf | Mix | Effective | Length


def leaves(term: Term) -> dict[tuple[int, str], Leaf]:
    """Give all leaves of a term by their keys, each once, in the order of their use."""
    if isinstance(term, Leaf):
        return {term.key: term}
    return {key: leaf for each in term.terms for key, leaf in leaves(each).items()}


def mixes(term: Term) -> tuple[Mix, ...]:
    """Give all mixes of a term, each once, and each behind those that it is made of."""
    return tuple({id(each): each for each in walk(term) if isinstance(each, Mix)}.values())


def measured(term: Term) -> tuple[Mix, ...]:
    """Give those mixes that count in sums over all parameters: what a length is taken of counts where it is written."""
    return tuple({id(each): each for each in walk(term, lengths=False) if isinstance(each, Mix)}.values())


def has_weight_norm(term: Term) -> bool:
    """Say whether weights of weight norm are worked out in a term, which are whole then."""
    return any(isinstance(each, Effective | Length) for each in walk(term))


def effective(length: Term, direction: Term) -> Term:
    """Give the weight that a length and a direction make."""
    if isinstance(length, Length) and length.weight is direction:
        return direction
    return Effective(length, direction)


def walk(term: Term, *, lengths: bool = True) -> Iterator[Term]:
    """Give a term and all terms in it, each behind those that it is made of.

    Args:
        term: Where to begin.
        lengths: Whether to look into lengths too.
    """
    if not isinstance(term, Leaf) and (lengths or not isinstance(term, Length)):
        for each in term.terms:
            yield from walk(each, lengths=lengths)
    yield term
