"""The numbers that a pre-training run is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from mergekit_speech.encoders.family import family_of
from mergekit_speech.errors import SettingsError
from mergekit_speech.pretraining.masking import HUBERT, Masking
from mergekit_speech.training.rates import Trapezoid
from mergekit_speech.training.settings import LoopSettings, Precision

if TYPE_CHECKING:
    from transformers import PretrainedConfig

GROUPS = 16
"""Groups of the positional convolution, in every published encoder."""
Architecture = Literal["hubert", "wav2vec2", "wavlm"]
Norm = Literal["group", "layer"]
CONTRASTIVE = "wav2vec2"
"""The family that is pre-trained to tell the right code from others; the rest predict codes by name."""
QUANTIZER = {"num_codevectors_per_group": 64, "codevector_dim": 64, "proj_codevector_dim": 64, "num_negatives": 50}
"""wav2vec 2.0's quantizer, smaller by as much as the encoders that are made here."""
MOST_SEED = 2**31 - 1
"""scikit-learn takes seeds below 2**32, and each round adds its number."""


@dataclass(frozen=True)
class EncoderShape:
    """Architecture and size of an encoder.

    Attributes:
        family: "hubert", "wav2vec2" or "wavlm".
        norm: "group" as the published Base models: one group norm in the CNN, layer norms behind each module. "layer"
            as the Large ones: layer norms and biases in the CNN, layer norms before each module, scaled waveforms.
        layers: Transformer layers.
        dim: Dimensions of a hidden state.
        heads: Attention heads.
        feed_forward: Inner dimensions of the feed-forward modules.
        channels: Channels of the CNN.
        position_kernel: Frames that the positional convolution spans.
    """

    layers: int = 4
    dim: int = 192
    heads: int = 6
    feed_forward: int = 640
    channels: int = 64
    position_kernel: int = 64
    family: Architecture = "hubert"
    norm: Norm = "group"

    def __post_init__(self) -> None:
        """Refuses sizes that no encoder can have.

        Raises:
            SettingsError: A size is below 1, `dim` cannot be split among the heads or the positional groups, or family
                or norm is unknown.
        """
        for name, choices in {"family": get_args(Architecture), "norm": get_args(Norm)}.items():
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        for name, value in asdict(self).items():
            if isinstance(value, int) and value < 1:
                raise SettingsError(f"{name} must be at least 1, got {value!r}")
        for name, parts in {"attention heads": self.heads, "groups of the positional convolution": GROUPS}.items():
            if self.dim % parts:
                raise SettingsError(f"dim must be a multiple of the {parts} {name}, got {self.dim!r}")

    def config(self) -> PretrainedConfig:
        """The transformers configuration: Base or Large but for size, layer drop and attention dropout."""
        layered = self.norm == "layer"
        kind: Any = family_of(self.family, "the shape").model().config_class
        config: PretrainedConfig = kind(
            hidden_size=self.dim,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=self.feed_forward,
            conv_dim=(self.channels,) * 7,
            conv_bias=layered,
            feat_extract_norm=self.norm,
            do_stable_layer_norm=layered,
            num_conv_pos_embeddings=self.position_kernel,
            num_conv_pos_embedding_groups=GROUPS,
            hidden_dropout=0.1,
            attention_dropout=0.0,
            activation_dropout=0.0,
            feat_proj_dropout=0.1,
            layerdrop=0.0,
            **(QUANTIZER if self.family == CONTRASTIVE else {}),
        )
        return config


@dataclass(frozen=True)
class Round:
    """One round of pre-training.

    Attributes:
        clusters: Codes that k-means makes; None for wav2vec 2.0, which learns its own.
        steps: Optimizer steps.
        layer: Layer of the round before whose features are clustered; None clusters MFCCs.
    """

    clusters: int | None
    steps: int
    layer: int | None


@dataclass(frozen=True)
class PretrainSettings:
    """How to pre-train.

    Attributes:
        shape: Size of the encoder.
        rounds: In order; the first one clusters MFCCs.
        batch_seconds: Audio in a batch, seconds.
        learning_rate: Peak of Adam's rate, reached after 8 % of the steps, then falling to 0.
        dropout: Probability of dropout while pre-training.
        masking: How much is hidden.
        unmasked_weight: Weight of the loss over frames that are not hidden.
        restart: Each round starts from fresh weights, as the paper does; else from the round before.
        precision: Arithmetic of the forward pass.
        seed: Decides everything random.
    """

    shape: EncoderShape = EncoderShape()
    rounds: tuple[Round, ...] = (Round(100, 4000, None), Round(200, 8000, 3))
    batch_seconds: float = 32.0
    learning_rate: float = 5e-4
    dropout: float = 0.1
    masking: Masking = HUBERT
    unmasked_weight: float = 0.0
    restart: bool = True
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses rounds that make no sense.

        Raises:
            SettingsError: There is no round, one clusters a layer that the encoder lacks, or a number is out of range.
        """
        if not 0 <= self.seed <= MOST_SEED:
            raise SettingsError(f"seed must be between 0 and {MOST_SEED}, got {self.seed!r}")
        if not self.batch_seconds > 0:
            raise SettingsError(f"batch_seconds must be above 0, got {self.batch_seconds!r}")
        if not 0 <= self.dropout < 1:
            raise SettingsError(f"dropout is a probability in [0, 1), got {self.dropout!r}")
        if not self.unmasked_weight >= 0:
            raise SettingsError(f"unmasked_weight must be at least 0, got {self.unmasked_weight!r}")
        if not self.rounds:
            raise SettingsError("pre-training needs at least one round")
        contrastive = self.shape.family == CONTRASTIVE
        if contrastive and (len(self.rounds) > 1 or self.rounds[0].clusters is not None):
            raise SettingsError(f"{CONTRASTIVE} learns its codes in one round without clusters, got {self.rounds!r}")
        for turn in self.rounds[1:]:
            if turn.layer is None or not 0 <= turn.layer <= self.shape.layers:
                raise SettingsError(
                    f"the layer to cluster must be between 0 and {self.shape.layers}, got {turn.layer!r}: the encoder"
                    f" has {self.shape.layers} layers"
                )
        for number, turn in enumerate(self.rounds):
            if not contrastive and (turn.clusters is None or turn.clusters < 1):
                raise SettingsError(f"clusters must be at least 1, got {turn.clusters!r}")
            self.loop(number)

    def loop(self, number: int) -> LoopSettings:
        """Settings of the training loop in round `number`, counted from 0."""
        steps = self.rounds[number].steps
        return LoopSettings(
            steps=steps,
            learning_rate=self.learning_rate,
            rate=Trapezoid(warmup=0.08, hold=0.08),
            clip_norm=1.0,
            weight_decay=0.01,
            betas=(0.9, 0.98),
            evaluate_every=max(1, min(500, steps // 8)),
            precision=self.precision,
            seed=self.seed + number,
        )


def rounds(clusters: str | None, steps: str, layer: int) -> tuple[Round, ...]:
    """Reads rounds from two lists such as `100,200` and `4000,8000`.

    Args:
        clusters: Codes of each round; None for rounds without clusters.
        steps: Optimizer steps of each round.
        layer: Layer that every round but the first clusters.

    Raises:
        SettingsError: A list holds something else than positive numbers, or they differ in length.
    """
    lengths = _counts("steps", steps)
    codes = [None] * len(lengths) if clusters is None else _counts("clusters", clusters)
    if len(codes) != len(lengths):
        raise SettingsError(f"clusters and steps need one number a round each, got {clusters!r} and {steps!r}")
    pairs = enumerate(zip(codes, lengths, strict=True))
    return tuple(Round(code, length, layer if number else None) for number, (code, length) in pairs)


def _counts(name: str, text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise SettingsError(f"{name} must be positive numbers with commas between them, got {text!r}")
    return [int(part) for part in parts]
