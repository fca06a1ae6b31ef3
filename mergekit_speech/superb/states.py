"""Hidden states of clips under one frozen encoder, computed once and shared by every probe that hears the clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from mergekit_speech.encoders.encoder import Encoder, Frames
from mergekit_speech.errors import CheckpointError, DataError
from mergekit_speech.speech.audio import read_clip
from mergekit_speech.speech.batches import pad
from mergekit_speech.speech.clip import Clip


class StateStore:
    """Keeps hidden states in memory up to a budget; what does not fit is computed again each time it is read.

    Clips are encoded one at a time: an encoder whose CNN has a group norm hears padding, so that in a batch a
    clip's states would depend on its neighbours.
    """

    def __init__(self, encoder: Encoder, label: str, budget: int, device: torch.device | str = "cpu") -> None:
        """Freezes the encoder; nothing is computed yet.

        Args:
            encoder: What hears the clips; owned from here on.
            label: Its name in messages.
            budget: Bytes of hidden states to keep (4 · depth · dim · 50 for a second of audio, as a rule). Means over
                frames, some kilobytes a clip, come on top.
            device: Where the encoder runs; states are kept in the CPU's memory.
        """
        self._encoder = encoder.eval().requires_grad_(False).to(device)
        self._label, self._budget, self._device = label, budget, device
        self._frames: dict[Path, torch.Tensor] = {}
        self._means: dict[Path, torch.Tensor] = {}

    def missing(self, frames: Sequence[Clip], means: Sequence[Clip] = ()) -> int:
        """How many recordings have no states in memory, or no mean of them where that is all one needs."""
        lacking = {clip.path for clip in frames} - self._frames.keys()
        return len(lacking | ({clip.path for clip in means} - self._means.keys()))

    def prepare(
        self, frames: Sequence[Clip], means: Sequence[Clip] = (), encoded: Callable[[], None] = lambda: None
    ) -> None:
        """Computes what will be read, and forgets everything else.

        Args:
            frames: Clips to be read with `read`, the soonest first; the first ones stay where not all fit.
            means: Clips to be read with `read_mean`.
            encoded: Called after each clip.

        Raises:
            DataError: A clip cannot be read or encoded.
            CheckpointError: The encoder gives values that are not finite.
        """
        order = {path: place for place, path in enumerate(dict.fromkeys(clip.path for clip in frames))}
        pooled = {clip.path for clip in means}
        self._frames = {path: states for path, states in self._frames.items() if path in order}
        self._means = {path: mean for path, mean in self._means.items() if path in pooled}
        room = True
        for path, clip in {clip.path: clip for clip in (*frames, *means)}.items():
            for_frames = room and path in order and path not in self._frames
            for_mean = path in pooled and path not in self._means
            if for_frames or for_mean:
                states = self.read(clip)
                if for_mean:
                    self._means[path] = _mean(states)
                if for_frames:
                    room = self._keep(path, states, order)
                encoded()

    def read(self, clip: Clip) -> torch.Tensor:
        """Returns the clip's states, float32, shape `(depth, frames, dim)`; callers must not write to them.

        Raises:
            DataError: The clip cannot be read or encoded.
            CheckpointError: The encoder gives values that are not finite.
        """
        kept = self._frames.get(clip.path)
        return self._encode(clip) if kept is None else kept

    def read_mean(self, clip: Clip) -> torch.Tensor:
        """Returns the mean of the clip's states over frames, float32, shape `(depth, 1, dim)`; else as `read`."""
        if clip.path not in self._means:
            self._means[clip.path] = _mean(self.read(clip))
        return self._means[clip.path]

    def _keep(self, path: Path, states: torch.Tensor, order: dict[Path, int]) -> bool:
        """Keeps states if need be in place of those that are read later; False where there is no room."""
        used = sum(kept.nbytes for kept in self._frames.values())
        while used + states.nbytes > self._budget:
            last = max(self._frames, key=order.__getitem__, default=path)
            if order[last] <= order[path]:
                return False
            used -= self._frames.pop(last).nbytes
        self._frames[path] = states
        return True

    def _encode(self, clip: Clip) -> torch.Tensor:
        batch = pad([clip], [read_clip(clip)])
        # Encoding amid a training step must leave that step's dropout as it is.
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            frames = self._run(clip, batch.waveforms.to(self._device), batch.lengths.to(self._device))
        # Outside of inference mode: what autograd saves for a backward pass must be an ordinary tensor.
        states = torch.stack([layer[0, : int(frames.lengths[0])] for layer in frames.states]).cpu().float()
        if not torch.isfinite(states).all():
            raise CheckpointError(
                f"encoder {self._label}: hidden states of {clip.path} are not finite: its weights are damaged"
            )
        return states

    def _run(self, clip: Clip, waveforms: torch.Tensor, lengths: torch.Tensor) -> Frames:
        try:
            frames: Frames = self._encoder(waveforms, lengths)
        except RuntimeError as fault:
            raise DataError(
                f"{clip.source}: encoder {self._label} cannot encode clip {clip.id!r} of {waveforms.shape[1]} samples"
                f" ({str(fault).splitlines()[0]}): drop it if it is too short or too long"
            ) from fault
        return frames


def _mean(states: torch.Tensor) -> torch.Tensor:
    return states.mean(dim=1, keepdim=True)
