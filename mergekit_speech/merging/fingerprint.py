"""Whether a tuned encoder was tuned from the base that is given: told from a sample of their values.

Fine-tuning leaves weights where they were for the most part. Between an encoder and what was tuned from it the cosine
of a layer's weights is 0.9 and more, even after many steps; between encoders of different pre-trainings it is 0, and
the delta is larger than the base. Read are `PIECE` elements of each of `PIECES` weights of the layers and of all
convolutions, of either encoder: about a megabyte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.adapters import AdaptedCheckpoint
from mergekit_speech.merging.formats import to_values
from mergekit_speech.merging.plan import Plan
from mergekit_speech.merging.terms import Leaf
from mergekit_speech.shards.dtypes import SIZES
from mergekit_speech.shards.reader import Weights

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST_COSINE = 0.5
PIECES = 8
PIECE = 1 << 13
LAYERS, CNN = "encoder.layers.", "feature_extractor."


@dataclass(frozen=True)
class Compared:
    """A base and a tuned encoder, by a sample of their weights.

    Attributes:
        cosine: Mean cosine of pieces of weights in the layers; 1 for the same, 0 for unrelated ones.
        change: Mean of ‖tuned − base‖₂ / ‖base‖₂ of the same pieces.
        sampled: Number of those pieces.
        same: Number of weights of the CNN with the same values.
        convolutions: Number of weights of the CNN that were compared.
    """

    cosine: float
    change: float
    sampled: int
    same: int
    convolutions: int


@dataclass(frozen=True)
class _Pair:
    """One weight of both; its canonical name tells where in the encoder it is."""

    name: str
    base: Leaf
    tuned: Leaf


def check_base(plan: Plan) -> None:
    """Check that tuned encoders of known families were tuned from their base; anything else is not looked at.

    Raises:
        CheckpointError: An encoder was hardly tuned from its base; the message says what speaks against it.
        ShardError: A file cannot be read.
    """
    for (base, tuned), pairs in _find_pairs(plan).items():
        one, other = (plan.inputs[number].folder for number in (base, tuned))
        against = _list_evidence(plan, pairs)
        if against:
            raise CheckpointError(
                f"expected the base that {other} was tuned from, came {one}: {'; '.join(against)}; "
                "name the right base, or go on with --force (force: true in a recipe)"
            )


def _list_evidence(plan: Plan, pairs: Sequence[_Pair]) -> list[str]:
    against = []
    families = [_family(plan, leaf) for leaf in (pairs[0].base, pairs[0].tuned)]
    if None not in families and families[0] != families[1]:
        against.append(f"the base is a {families[0]} encoder, the other a {families[1]} one")
    found = compare(plan, pairs)
    if found.cosine < LEAST_COSINE:
        against.append(
            f"over {found.sampled} weights of the layers the cosine of the two is {found.cosine:.2f}, where tuning "
            f"leaves 0.9 and more, and the delta is {found.change:.2f} times as large as the base"
        )
        if found.convolutions:
            against.append(
                f"{found.same} of {found.convolutions} weights of the CNN are the same, where stable fine-tuning "
                "keeps all"
            )
    return against


def compare(plan: Plan, pairs: Sequence[_Pair]) -> Compared:
    """Read a sample of a base and a tuned encoder.

    Args:
        plan: Names the inputs.
        pairs: Weights that both have.

    Raises:
        ShardError: A file cannot be read.
    """
    layers = [pair for pair in pairs if pair.name.startswith(LAYERS)]
    chosen = layers[:: -(-len(layers) // PIECES)] if layers else []
    cnn = [pair for pair in pairs if pair.name.startswith(CNN)]
    with ExitStack() as stack:
        opened = {
            number: stack.enter_context(Weights(plan.inputs[number]))
            for number in (pairs[0].base.source, pairs[0].tuned.source)
        }
        cosines, changes = [], []
        for pair in chosen:
            one, other = (_read(leaf, opened) for leaf in (pair.base, pair.tuned))
            sizes = float(np.linalg.norm(one)), float(np.linalg.norm(other))
            # Of weights that are all zero or not finite no direction can be told.
            if all(0 < size < np.inf for size in sizes):
                cosines.append(float(one @ other) / (sizes[0] * sizes[1]))
                changes.append(float(np.linalg.norm(other - one)) / sizes[0])
        same = sum(np.array_equal(_read(pair.base, opened), _read(pair.tuned, opened)) for pair in cnn)
    if not cosines:
        return Compared(1.0, 0.0, 0, same, len(cnn))
    return Compared(float(np.mean(cosines)), float(np.mean(changes)), len(cosines), same, len(cnn))


def _read(leaf: Leaf, opened: Mapping[int, Weights]) -> npt.NDArray[np.float64]:
    dtype = leaf.parameter.dtype
    raw = np.empty(min(PIECE, leaf.parameter.elements) * SIZES[dtype], np.uint8)
    opened[leaf.source].read_into(leaf.parameter.name, raw.data)
    return to_values(raw, dtype).astype(np.float64)


def _find_pairs(plan: Plan) -> dict[tuple[int, int], list[_Pair]]:
    found: dict[tuple[int, int], list[_Pair]] = {}
    for step in plan.steps:
        for mix in step.mixes if len(step.parameter.shape) > 1 else ():
            base = mix.base
            for tuned in mix.tuned:
                if isinstance(base, Leaf) and isinstance(tuned, Leaf):
                    name = _canonical(plan, base)
                    # Slices may pair layers of different places.
                    if name is not None and name == _canonical(plan, tuned):
                        found.setdefault((base.source, tuned.source), []).append(_Pair(name, base, tuned))
    return found


def _canonical(plan: Plan, leaf: Leaf) -> str | None:
    # An adapter's weights are its base and a little more, whatever base that is.
    reading = None if isinstance(plan.inputs[leaf.source], AdaptedCheckpoint) else plan.readings[leaf.source]
    return None if reading is None else reading.canonical.get(leaf.parameter.name)


def _family(plan: Plan, leaf: Leaf) -> str | None:
    reading = plan.readings[leaf.source]
    return None if reading is None else reading.encoder.family
