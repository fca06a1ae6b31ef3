"""How fine-tuning holds on to the base: the methods that Speech-FT is compared with, as options of one run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from mergekit_speech.errors import SettingsError

AdapterKind = Literal["lora", "dora"]


@dataclass(frozen=True)
class L2:
    """An L2 penalty on the distance to the base, as a part of the loss.

    Attributes:
        weight: λ of λ/2 · ‖θ − θ0‖².
        layers: Factors of it for each transformer layer, the first one first; None for 1 everywhere. Parameters outside
            of the layers have 1.
    """

    weight: float
    layers: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuses weights that push away.

        Raises:
            SettingsError: A weight is not a number of at least 0.
        """
        for value in (self.weight, *(self.layers or ())):
            if not value >= 0:
                raise SettingsError(f"the weight of the distance to the base must be at least 0, got {value!r}")


@dataclass(frozen=True)
class Adapter:
    """Low-rank matrices that are trained in place of the encoder, and added to it at the end.

    Attributes:
        kind: "lora" (arXiv 2106.09685) or "dora" (arXiv 2402.09353).
        rank: Of the matrices.
        alpha: Their product is scaled by `alpha / rank`; None for twice the rank.
        targets: Last parts of the names of the linear layers that get one; empty for those of attention and
            feed-forward modules.
    """

    kind: AdapterKind
    rank: int = 8
    alpha: int | None = None
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses adapters that cannot be.

        Raises:
            SettingsError: The kind is unknown, the rank is below 1, or the scale not above 0.
        """
        if self.kind not in get_args(AdapterKind):
            raise SettingsError(f"an adapter is one of {', '.join(get_args(AdapterKind))}, got {self.kind!r}")
        if self.rank < 1:
            raise SettingsError(f"the rank of an adapter must be at least 1, got {self.rank!r}")
        if self.alpha is not None and not self.alpha > 0:
            raise SettingsError(f"alpha of an adapter must be above 0, got {self.alpha!r}")


@dataclass(frozen=True)
class Method:
    """What a run does otherwise than stable fine-tuning.

    Attributes:
        train_cnn: Move the downsampling module too.
        l2: Pull the encoder towards its base.
        adapter: Train an adapter in place of the encoder.
        ema: Decay of an exponential moving average over the steps, in (0, 1), which is judged and kept in place of the
            weights themselves.
        early: Keep the encoder as it is after this fraction of the steps too, in (0, 1).
    """

    train_cnn: bool = False
    l2: L2 | None = None
    adapter: Adapter | None = None
    ema: float | None = None
    early: float | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot go together.

        Raises:
            SettingsError: A fraction is out of range, or an adapter is to move what it does not touch.
        """
        for name, value in {"ema": self.ema, "early": self.early}.items():
            if value is not None and not 0 < value < 1:
                raise SettingsError(f"{name} is a fraction in (0, 1), got {value!r}")
        if self.adapter and (self.train_cnn or self.l2):
            raise SettingsError("an adapter leaves the encoder as it is: leave out train_cnn and l2, or the adapter")

    def document(self) -> dict[str, object]:
        """Plain data for a record: what is chosen, and nothing where nothing is."""
        return {name: value for name, value in asdict(self).items() if value not in (None, False)}


STABLE = Method()
"""Stable fine-tuning as it is."""
