"""Runs a frozen encoder over clips; what it says of a clip does not depend on the clips beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import torch

from mergekit_speech.encoders.encoder import Encoder, Frames
from mergekit_speech.errors import CheckpointError, DataError
from mergekit_speech.speech.audio import Waveform, read_clip
from mergekit_speech.speech.batches import WaveBatch, pad
from mergekit_speech.speech.clip import Clip


def hear(encoder: Encoder, label: str, device: torch.device, clips: Sequence[Clip]) -> list[torch.Tensor]:
    """Computes hidden states, in bfloat16 where the device has it.

    Clips share a batch if they are equally long, or if the encoder does not hear padding.

    Args:
        encoder: Frozen, in evaluation mode, on `device`.
        label: Its name in messages.
        device: Where it runs.
        clips: What it hears.

    Returns:
        Of each clip: float32, on the CPU, shape `(depth, frames, dim)`.

    Raises:
        DataError: A clip cannot be read or encoded.
        CheckpointError: The encoder gives values that are not finite.
    """
    waveforms = [read_clip(clip) for clip in clips]
    heard: dict[int, torch.Tensor] = {}
    for places in _batches(encoder, waveforms):
        batch = pad([clips[place] for place in places], [waveforms[place] for place in places])
        heard.update(zip(places, _encode(encoder, label, device, batch), strict=True))
    return [heard[place] for place in range(len(clips))]


def arithmetic(device: torch.device) -> str:
    """Name of the numbers that encoders compute with there."""
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def _batches(encoder: Encoder, waveforms: Sequence[Waveform]) -> Iterator[list[int]]:
    if not encoder.hears_padding:
        yield list(range(len(waveforms)))
        return
    by_length: dict[int, list[int]] = defaultdict(list)
    for place, samples in enumerate(waveforms):
        by_length[len(samples)].append(place)
    yield from by_length.values()


def _encode(encoder: Encoder, label: str, device: torch.device, batch: WaveBatch) -> list[torch.Tensor]:
    # Encoding amid a training step must leave that step's dropout as it is.
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        frames = _run(encoder, label, device, batch)
    # Outside of inference mode: what autograd saves for a backward pass must be an ordinary tensor.
    states = [
        torch.stack([layer[row, :length] for layer in frames.states]).cpu().float()
        for row, length in enumerate(frames.lengths.tolist())
    ]
    for clip, own in zip(batch.clips, states, strict=True):
        if not torch.isfinite(own).all():
            raise CheckpointError(
                f"encoder {label}: hidden states of {clip.path} are not finite: its weights are damaged"
            )
    return states


def _run(encoder: Encoder, label: str, device: torch.device, batch: WaveBatch) -> Frames:
    try:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=arithmetic(device) == "bfloat16"):
            frames: Frames = encoder(batch.waveforms.to(device), batch.lengths.to(device))
    except RuntimeError as fault:
        names = ", ".join(clip.id for clip in batch.clips)
        raise DataError(
            f"{batch.clips[0].source}: encoder {label} cannot encode clip {names!r} of {batch.waveforms.shape[1]}"
            f" samples ({str(fault).splitlines()[0]}): drop it if it is too short or too long"
        ) from fault
    return frames
