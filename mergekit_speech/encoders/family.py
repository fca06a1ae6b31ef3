"""What the toolkit must know of an encoder family beyond what its model class says."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mergekit_speech.encoders.native_parts import do_without_native_parts
from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.names import NEVER_MERGED

_HERE = "mergekit_speech.encoders"


class Padding(enum.Enum):
    """Which frames of a padded row the transformer may look at."""

    CONVOLUTION = "those whose window lies in the audio"
    SLOTS = "those whose slot holds audio, where the batch's samples are cut into as many slots as there are frames"
    EXACT = "those that the front end makes of the row alone"
    NONE = "all of them: the model knows no mask"


class Scaling(enum.Enum):
    """How loudness is taken out of what a model hears."""

    FLAG = "waveforms to zero mean and unit variance, where the checkpoint's flag says so"
    CLIP = "log-mel bands to zero mean and unit variance, over each clip"
    WINDOW = "log-mel bands cut 80 dB below the loudest of each window"


@dataclass(frozen=True)
class Size:
    """A size in which a family was published.

    Attributes:
        name: What papers and cards call it.
        dim: Dimensions of a hidden state.
        layers: Number of transformer layers.
        layer_norm: Whether its CNN has layer norms in place of one group norm; None if all of this size are alike.
    """

    name: str
    dim: int
    layers: int
    layer_norm: bool | None = None


@dataclass(frozen=True)
class Family:
    """One encoder architecture.

    Attributes:
        model_type: The word in `config.json` that names the family.
        title: The name that papers use.
        model_class: Dotted name of the bare encoder's class.
        encoder_class: Name of the `Encoder` around it, `module.Class` in this package.
        frozen: Prefixes of the parameters that stable fine-tuning never moves: the downsampling module (the CNN) where
            the family has one, and what is no part of the encoder.
        padding: Which frames fairseq lets the transformer look at; transformers has `CONVOLUTION` in place of `SLOTS`.
        scaling: How loudness is taken out of its input.
        sizes: Those in which it was published.
        frame_rate: Hidden states a second, in Hz.
        cnn: Those of the prefixes in `frozen` that belong to the downsampling module; regular fine-tuning moves it.
    """

    model_type: str
    title: str
    model_class: str
    encoder_class: str
    frozen: tuple[str, ...]
    padding: Padding
    scaling: Scaling
    sizes: tuple[Size, ...]
    frame_rate: int = 50
    cnn: tuple[str, ...] = ("feature_extractor.",)

    def size_of(self, dim: int, layers: int, *, layer_norm: bool) -> str | None:
        """Name the published size of an encoder; None if there was none such.

        Args:
            dim: Dimensions of a hidden state.
            layers: Number of transformer layers.
            layer_norm: Whether its CNN has layer norms.
        """
        found = (each for each in self.sizes if (each.dim, each.layers) == (dim, layers))
        return next((each.name for each in found if each.layer_norm in (None, layer_norm)), None)

    @property
    def never_merged(self) -> tuple[str, ...]:
        """Modules that exist only for pre-training and keep the base's values in a merge."""
        return NEVER_MERGED[self.model_type]

    def model(self) -> Any:
        """The bare encoder's class, with its configuration's class as `config_class`."""
        return _import(self.model_class)

    def encoder(self) -> Any:
        """The class that puts the bare encoder behind the toolkit's interface."""
        return _import(f"{_HERE}.{self.encoder_class}")


MODULES = ("hubert", "wav2vec2", "wavlm", "decoar2", "data2vec_audio", "unispeech_sat", "wav2vec2_bert", "whisper")


def families() -> dict[str, Family]:
    """The families by the `model_type` of their `config.json`."""
    known: list[Family] = [import_module(f"{_HERE}.{name}").FAMILY for name in MODULES]
    return {family.model_type: family for family in known}


def family_of(model_type: object, where: object) -> Family:
    """Finds the family that a `config.json` names.

    Raises:
        CheckpointError: No family has that `model_type`.
    """
    known = families()
    if not isinstance(model_type, str) or model_type not in known:
        raise CheckpointError(
            f"{where}: model_type {model_type!r} is not a speech encoder of this toolkit; known: {', '.join(known)}"
        )
    return known[model_type]


def _import(dotted: str) -> Any:
    do_without_native_parts()
    module, _, name = dotted.rpartition(".")
    return getattr(import_module(module), name)
