"""Pre-trained encoders in transformers' directories: loading, freezing, saving."""

from __future__ import annotations

import abc
import copy
import json
import shutil
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from torch import nn

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.encoders.family import Family, family_of
from mergekit_speech.encoders.source import as_directory
from mergekit_speech.encoders.weights import first_line, load_model
from mergekit_speech.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = "model.safetensors"


Conventions = Literal["fairseq", "transformers"]
"""Whose arithmetic an encoder of waveforms follows where the two differ: padding and the scaling of waveforms."""


class PretrainedEncoder(Encoder):
    """A pre-trained model behind the toolkit's interface.

    Nothing masks the input and no layer is dropped, in training mode either; dropout acts as configured.

    Attributes:
        model: The bare model, of transformers or built from its parts.
        family: What `model` is.
        conventions: Whose padding and scaling of waveforms it follows; only encoders that read waveforms differ.
        filled: Names of parameters that the checkpoint lacked and that are zeros here; `save_encoder` leaves them out.
    """

    model: PreTrainedModel
    family: Family
    conventions: Conventions = "fairseq"
    filled: tuple[str, ...] = ()

    def __init__(self, model: Any, family: Family, *, stride: int) -> None:
        """Wraps a bare model, which is owned from here on."""
        super().__init__()
        self.model = model
        self.family = family
        config: Any = model.config
        config.apply_spec_augment = False
        config.layerdrop = 0.0
        self.dim = config.hidden_size
        self.depth = config.num_hidden_layers + 1
        self.stride = stride

    @classmethod
    @abc.abstractmethod
    def open(cls, model: Any, family: Family, folder: Path) -> Self:
        """Wraps a model as the preprocessor's configuration in `folder` says.

        Raises:
            CheckpointError: That configuration is damaged.
        """

    @abc.abstractmethod
    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """Frames that clips of `lengths` samples give, same shape."""

    @abc.abstractmethod
    def write_preprocessor(self, folder: Path) -> None:
        """Writes the preprocessor's configuration that `open` reads, if the family has one."""

    def freeze(self, *, cnn: bool = True) -> None:
        """Stops gradients into what stable fine-tuning never moves, for good.

        Args:
            cnn: Freeze the downsampling module too, where the family has one.
        """
        frozen = tuple(prefix for prefix in self.family.frozen if cnn or prefix not in self.family.cnn)
        for name, parameter in self.model.named_parameters():
            if name.startswith(frozen):
                parameter.requires_grad_(False)


def convolve_in_float32(convolution: Any) -> None:
    """Makes a positional convolution ignore autocast on CPUs.

    oneDNN's bfloat16 convolution gives wrong values for some group sizes, those of small encoders among them.
    """
    convolution.forward = MethodType(_forward_in_float32, convolution)


def _forward_in_float32(module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", enabled=False):
        output: torch.Tensor = type(module).forward(module, hidden.float() if hidden.device.type == "cpu" else hidden)
    return output


def load_encoder(path: Path, *, conventions: Conventions = "fairseq") -> PretrainedEncoder:
    """Builds an encoder in float32, on the CPU, in training mode.

    A checkpoint may lack the mask embedding, which only pre-training uses; it is zeros then, see
    `PretrainedEncoder.filled`.

    Args:
        path: A transformers directory, or a file of any layout that `msm convert` reads.
        conventions: Of families that read waveforms; see `WaveformEncoder`.

    Raises:
        CheckpointError: No `config.json`, an unknown family, or weights that are absent, damaged, not finite, or do
            not fill the encoder.
        ShardError: A file cannot be read.
    """
    with as_directory(path) as folder:
        _, family = read_config(folder)
        model, filled = load_model(folder, family, _attention())
        encoder: PretrainedEncoder = family.encoder().open(model.train(), family, folder)
    encoder.filled, encoder.conventions = filled, conventions
    return encoder


def random_encoder(path: Path, seed: int) -> PretrainedEncoder:
    """Builds an encoder of the same shape as that of `path` with fresh random weights: the floor for a probe.

    Raises:
        CheckpointError: No `config.json` or an unknown family.
        ShardError: A file cannot be read.
    """
    with as_directory(path) as folder:
        config, family = read_config(folder)
        encoder: PretrainedEncoder = family.encoder().open(_random_model(config, family, seed), family, folder)
    return encoder


def new_encoder(config: PretrainedConfig, family: Family, *, normalize: bool, seed: int) -> PretrainedEncoder:
    """Builds an encoder of waveforms from a configuration, with random weights drawn from `seed`."""
    encoder: PretrainedEncoder = family.encoder()(_random_model(config, family, seed), family, normalize=normalize)
    return encoder


def _random_model(config: PretrainedConfig, family: Family, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return family.model()._from_config(config, attn_implementation=_attention()).train()


def _attention() -> str:
    # On CPUs the backward pass of torch's fused attention takes longer than that of plain matrix products.
    return "sdpa" if torch.cuda.is_available() else "eager"


def read_config(folder: Path) -> tuple[PretrainedConfig, Family]:
    """Reads `config.json` of a transformers directory.

    Raises:
        CheckpointError: It is absent, not JSON, names no known family, or holds settings that the family does not take.
    """
    path = check_config(folder)
    family = family_of(read_object(path).get("model_type"), path)
    try:
        return family.model().config_class.from_pretrained(folder, local_files_only=True), family
    # What is raised depends on the setting and on transformers' version.
    except Exception as fault:
        raise CheckpointError(
            f"{path}: transformers refuses it ({' '.join(str(fault).split())}): the checkpoint is damaged"
        ) from fault


def check_config(folder: Path) -> Path:
    """Gives the path of the `config.json` of a transformers directory.

    Raises:
        CheckpointError: There is none, or no such directory.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"expected the folder or file of an encoder, came {str(folder)!r}, which does not exist; check the path"
        )
    if not (folder / CONFIG).is_file():
        raise CheckpointError(
            f"{folder} is not an encoder: expected a transformers directory with {CONFIG}; fetch it, or take the "
            "settings from a checkpoint of the same encoder with msm convert --layout transformers --like CHECKPOINT"
        )
    return folder / CONFIG


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON object from a checkpoint.

    Raises:
        CheckpointError: The file is not one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise CheckpointError(f"{path} is not JSON ({first_line(fault)}): the checkpoint is damaged") from fault
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {content!r:.60}: the checkpoint is damaged")
    return content


def save_encoder(encoder: PretrainedEncoder, folder: Path, *, like: Path | None = None) -> None:
    """Writes a directory that `AutoModel.from_pretrained` loads: float32 weights and the configuration.

    Args:
        encoder: What to write.
        folder: An existing folder.
        like: Where `encoder` came from; the configuration files of a directory are kept as they are. Without one they
            are made from the encoder itself.
    """
    from safetensors.torch import save_file

    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in encoder.model.state_dict().items()
        if name not in encoder.filled
    }
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    if like is None or like.is_file():
        _write_configuration(encoder, folder)
        return
    for name in (CONFIG, PREPROCESSOR):
        if (like / name).is_file():
            shutil.copyfile(like / name, folder / name)


def _write_configuration(encoder: PretrainedEncoder, folder: Path) -> None:
    # Training here masks through its own arguments; who loads the encoder elsewhere gets transformers' default.
    config: Any = copy.deepcopy(encoder.model.config)
    config.apply_spec_augment = True
    config.architectures = [type(encoder.model).__name__]
    config.save_pretrained(folder)
    encoder.write_preprocessor(folder)
