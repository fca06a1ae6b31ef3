"""The symbols that a head chooses from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mergekit_speech.errors import DataError
from mergekit_speech.speech.clip import Clip

BLANK = "<blank>"


@dataclass(frozen=True)
class Labels:
    """An ordered set of symbols; a symbol's place is its index among a head's outputs.

    Attributes:
        names: The symbols.
    """

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, symbols: Iterable[str], *, blank: bool = False) -> Labels:
        """Makes labels from all symbols that occur, sorted, behind the CTC blank if there is one."""
        return cls(((BLANK,) if blank else ()) + tuple(sorted(set(symbols))))

    def indices(self, symbols: Sequence[str], clip: Clip) -> list[int]:
        """Indices of a clip's symbols.

        Raises:
            DataError: A symbol is not among the labels.
        """
        known = {name: index for index, name in enumerate(self.names)}
        for symbol in symbols:
            if symbol not in known:
                near = difflib.get_close_matches(symbol, self.names, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise DataError(
                    f"{clip.source}: label {symbol!r} of {clip.split} clip {clip.id!r} does not occur in the training"
                    f" split, so no head can learn it: correct it, drop the clip, or add training clips{hint}"
                )
        return [known[symbol] for symbol in symbols]
