"""How much of a parameter is in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mergekit_speech.errors import SettingsError
from mergekit_speech.merging.apply import Rule
from mergekit_speech.merging.terms import Effective, Leaf, Term, has_weight_norm, leaves, mixes, walk
from mergekit_speech.shards.dtypes import FLOATS, SIZES
from mergekit_speech.shards.header import Parameter

# Inputs, temporaries and output of such a block stay in a core's second-level cache.
CACHED_BYTES = 1 << 23
CACHED_ELEMENTS = 1 << 17
# Copying to a device and back is fast in large pieces.
SENT_ELEMENTS = 1 << 22
# Every cut falls between the bytes of a bit-packed mask.
ALIGNED_ELEMENTS = 1 << 12


@dataclass(frozen=True)
class Size:
    """How one parameter goes through memory.

    Attributes:
        block: Elements that are computed and written at a time.
        held: Whether its inputs are read once, as a whole, and then measured and merged from memory.
        memory: Most bytes that this takes.
    """

    block: int
    held: bool
    memory: int


@dataclass(frozen=True)
class Sizer:
    """Finds sizes that fit.

    Attributes:
        rules: The rules of the plan.
        share: Bytes that each of the threads may take.
        memory: Bytes that all of them may take together.
        slots: Blocks that each thread has in memory at a time: more than one where a device computes.
    """

    rules: Sequence[Rule]
    share: int
    memory: int
    slots: int = 1

    def size(self, term: Term, written: Parameter) -> Size:
        """Find the size of the blocks of one parameter.

        Raises:
            SettingsError: The parameter must be whole, and does not fit into memory.
        """
        if has_weight_norm(term):
            return Size(max(1, written.elements), self._is_measured(term), self._fit(self._whole(term), written))
        elements = max(1, written.elements)
        fixed, each = self._fixed(term, written), self._per_element(term, written)
        if all(self.rules[mix.rule].cuts for mix in mixes(term)):
            raw = sum(leaf.parameter.size for leaf in leaves(term).values())
            best = min(CACHED_ELEMENTS, CACHED_BYTES // each) if self.slots == 1 else SENT_ELEMENTS
            block = max(ALIGNED_ELEMENTS, min(best, (self.share - fixed) // each))
            block -= block % ALIGNED_ELEMENTS
            held = self._is_measured(term) and raw + fixed + block * each <= self.share
            return Size(block, held, fixed + min(block, elements) * each + (raw if held else 0))
        return Size(elements, self._is_measured(term), self._fit(fixed + elements * each, written))

    def _fit(self, needed: int, written: Parameter) -> int:
        if needed > self.memory:
            least = -(-needed // (1 << 20))
            raise SettingsError(
                f"parameter {written.name!r} needs {least} MB at once, the limit is {self.memory >> 20} MB; "
                f"give --memory {least}MB or more"
            )
        return needed

    def _whole(self, term: Term) -> int:
        # What is read, the weight that each length and direction make, and what rules and norms hold meanwhile.
        read = leaves(term).values()
        weights = sum(isinstance(each, Effective) for each in walk(term))
        copies = [self.rules[mix.rule].strategy.copies for mix in mixes(term)]
        widest = max(leaf.parameter.elements for leaf in read)
        made = 4 * widest * (weights + len(copies) + max(copies))
        return made + self.slots * sum(leaf.parameter.elements * _held_bytes(leaf) for leaf in read)

    def _is_measured(self, term: Term) -> bool:
        return any(self.rules[mix.rule].passes for mix in mixes(term))

    def _per_element(self, term: Term, written: Parameter) -> int:
        alike = [leaf for leaf in leaves(term).values() if leaf.parameter.shape == written.shape]
        read = self.slots * sum(map(_held_bytes, alike))
        if isinstance(term, Leaf):
            return max(1, read) + SIZES[written.dtype]
        copies = [self.rules[mix.rule].strategy.copies for mix in mixes(term)]
        # Results of inner mixes stay until the outer one is done, whose own result is one of its copies.
        made = 4 * (len(copies) - 1 + max(copies) + self.slots - 1)
        return read + made + (0 if written.dtype == "F32" else SIZES[written.dtype])

    def _fixed(self, term: Term, written: Parameter) -> int:
        # Statistics of a shape of their own are given whole to every block.
        own = [leaf for leaf in leaves(term).values() if leaf.parameter.shape != written.shape]
        return sum(leaf.parameter.elements * _held_bytes(leaf) for leaf in own)


def _held_bytes(leaf: Leaf) -> int:
    dtype = leaf.parameter.dtype
    return SIZES[dtype] + (0 if dtype == "F32" or dtype not in FLOATS else 4)
