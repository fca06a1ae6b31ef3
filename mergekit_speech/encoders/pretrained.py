"""Encoders that transformers can build: loading, running, saving."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from mergekit_speech.encoders.encoder import Encoder, Frames, frame_mask
from mergekit_speech.encoders.family import Family, family_of
from mergekit_speech.encoders.weights import first_line, load_model
from mergekit_speech.errors import CheckpointError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = "model.safetensors"


class PretrainedEncoder(Encoder):
    """A HuBERT, wav2vec 2.0 or WavLM model of transformers.

    Nothing masks the input and no layer is dropped, in training mode either; dropout acts as configured.
    """

    def __init__(self, model: Any, family: Family, *, normalize: bool) -> None:
        """Wraps a bare model.

        Args:
            model: The transformers model, which is owned from here on.
            family: What `model` is.
            normalize: Whether each waveform is brought to zero mean and unit variance first.
        """
        super().__init__()
        self.model: PreTrainedModel = model
        self.family = family
        self.normalize = normalize
        # Nobody wants the gradient of the waveform, which transformers asks for and which is dear.
        model.feature_extractor._requires_grad = False
        # oneDNN's bfloat16 convolution gives wrong values for some group sizes, those of small encoders among them.
        convolution = model.encoder.pos_conv_embed
        convolution.forward = MethodType(_forward_in_float32, convolution)
        config: Any = model.config
        config.apply_spec_augment = False
        config.layerdrop = 0.0
        self.dim = config.hidden_size
        self.depth = config.num_hidden_layers + 1
        self.stride = config.inputs_to_logits_ratio

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor, masked: torch.Tensor | None = None) -> Frames:
        """Encodes a batch.

        Args:
            waveforms: float32 in [-1, 1], zero-padded, shape `(batch, samples)`.
            lengths: int64, samples of each row that are audio, shape `(batch,)`.
            masked: Frames to replace by the mask embedding, bool, shape `(batch, frames)`; masked prediction only.
        """
        audible = frame_mask(lengths, waveforms.shape[1])
        if self.normalize:
            waveforms = _standardize(waveforms, audible)
        whole = bool((lengths == waveforms.shape[1]).all())
        self.model.config.apply_spec_augment = masked is not None
        output = self.model(
            waveforms,
            attention_mask=None if whole else audible.long(),
            mask_time_indices=masked,
            output_hidden_states=True,
        )
        # transformers leaves the final layer norm out of the last hidden state of layer-norm models.
        states = (*output.hidden_states[:-1], output.last_hidden_state)
        return Frames(states, self.frames(lengths))

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """Frames that clips of `lengths` samples give, same shape."""
        model: Any = self.model
        counts: torch.Tensor = model._get_feat_extract_output_lengths(lengths).long()
        return counts

    def freeze_downsampler(self) -> None:
        """Stops gradients into the CNN, for good."""
        for name, parameter in self.model.named_parameters():
            if name.startswith(self.family.downsampler):
                parameter.requires_grad_(False)

    def merged_parameters(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that stable fine-tuning trains after the thaw: all but the CNN's, by name."""
        return {
            name: parameter
            for name, parameter in self.model.named_parameters()
            if not name.startswith(self.family.downsampler)
        }


def _forward_in_float32(module: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", enabled=False):
        output: torch.Tensor = type(module).forward(module, hidden.float() if hidden.device.type == "cpu" else hidden)
    return output


def _standardize(waveforms: torch.Tensor, audible: torch.Tensor) -> torch.Tensor:
    count = audible.sum(dim=1, keepdim=True)
    mean = waveforms.sum(dim=1, keepdim=True) / count
    centred = (waveforms - mean) * audible
    variance = centred.square().sum(dim=1, keepdim=True) / count
    return centred / torch.sqrt(variance + 1e-7)


def load_encoder(folder: Path) -> PretrainedEncoder:
    """Builds the encoder that a transformers directory holds, in float32, on the CPU, in training mode.

    Raises:
        CheckpointError: No `config.json`, an unknown family, or weights that are absent, damaged, not finite, or do
            not fill the encoder.
    """
    config, family = read_config(folder)
    normalize = reads_normalized(folder, config)
    model: Any = load_model(folder, family, _attention())
    return PretrainedEncoder(model.train(), family, normalize=normalize)


def random_encoder(folder: Path, seed: int) -> PretrainedEncoder:
    """Builds an encoder of the same shape as `folder`'s with fresh random weights: the floor for a probe.

    Raises:
        CheckpointError: No `config.json` or an unknown family.
    """
    config, family = read_config(folder)
    return new_encoder(config, family, normalize=reads_normalized(folder, config), seed=seed)


def new_encoder(config: PretrainedConfig, family: Family, *, normalize: bool, seed: int) -> PretrainedEncoder:
    """Builds an encoder from a configuration, with random weights drawn from `seed`."""
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, family.model_class)._from_config(config, attn_implementation=_attention())
    return PretrainedEncoder(model.train(), family, normalize=normalize)


def _attention() -> str:
    # On CPUs the backward pass of torch's fused attention takes longer than that of plain matrix products.
    return "sdpa" if torch.cuda.is_available() else "eager"


def read_config(folder: Path) -> tuple[PretrainedConfig, Family]:
    """Reads `config.json` of a transformers directory.

    Raises:
        CheckpointError: It is absent, not JSON, names no known family, or holds settings that the family does not take.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise CheckpointError(f"{folder} is not an encoder: expected a transformers directory with {CONFIG}")
    family = family_of(_read_object(path).get("model_type"), path)
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True), family
    # What is raised depends on the setting and on transformers' version.
    except Exception as fault:
        raise CheckpointError(
            f"{path}: transformers refuses it ({' '.join(str(fault).split())}): the checkpoint is damaged"
        ) from fault


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise CheckpointError(f"{path} is not JSON ({first_line(fault)}): the checkpoint is damaged") from fault
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {content!r:.60}: the checkpoint is damaged")
    return content


def reads_normalized(folder: Path, config: PretrainedConfig) -> bool:
    """Whether the encoder expects waveforms of zero mean and unit variance.

    The preprocessor's word counts; without one, layer-norm front ends do and group-norm front ends do not,
    as the published checkpoints of the families.

    Raises:
        CheckpointError: The preprocessor's file is not a JSON object.
    """
    path = folder / PREPROCESSOR
    if path.is_file():
        return bool(_read_object(path).get("do_normalize", True))
    settings: Any = config
    return bool(settings.feat_extract_norm == "layer")


def save_encoder(encoder: PretrainedEncoder, folder: Path, *, like: Path | None = None) -> None:
    """Writes a directory that `AutoModel.from_pretrained` loads: float32 weights and the configuration.

    Args:
        encoder: What to write.
        folder: An existing folder.
        like: The transformers directory that `encoder` came from, whose configuration files are kept as they
            are; without one they are made from the encoder itself.
    """
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    if like is None:
        _write_configuration(encoder, folder)
        return
    for name in (CONFIG, PREPROCESSOR):
        if (like / name).is_file():
            shutil.copyfile(like / name, folder / name)


def _write_configuration(encoder: PretrainedEncoder, folder: Path) -> None:
    from transformers import Wav2Vec2FeatureExtractor

    # Training here masks through its own arguments; who loads the encoder elsewhere gets transformers' default.
    config: Any = copy.deepcopy(encoder.model.config)
    config.apply_spec_augment = True
    config.architectures = [encoder.family.model_class]
    config.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=encoder.normalize).save_pretrained(folder)
