"""Hidden states of clips under one frozen encoder, computed once and shared by every probe that hears the clip."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from blake3 import blake3

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.errors import CheckpointError, DataError
from mergekit_speech.speech.address import Recording
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.hearing import arithmetic, hear
from mergekit_speech.superb.segment import Array
from mergekit_speech.superb.shelf import Shelf
from mergekit_speech.training.versions import versions

StateFormat = Literal["float32", "float16"]
TOGETHER = {"cuda": 32}
"""Clips that are encoded at once. On a CPU more are no faster, but their states would differ in the last bits with the
company that they keep."""
WINDOW = 16
"""Batches whose clips are sorted by length; sorting all would compute what is heard late before what is heard soon."""


class StateStore:
    """Keeps hidden states on disk up to a budget; what does not fit is computed again each time it is read.

    They are read through memory maps, so that memory is bounded however long the corpus is. A clip is known by its
    bytes, not by its name or date: states of a recording that has changed are never found.
    """

    def __init__(
        self,
        encoder: Encoder,
        label: str,
        budget: int,
        device: torch.device | str = "cpu",
        *,
        folder: Path | None = None,
        name: str = "encoder",
        form: StateFormat = "float32",
        damaged: Callable[[Path], None] = lambda _: None,
    ) -> None:
        """Freezes the encoder; nothing is computed yet.

        Args:
            encoder: What hears the clips; owned from here on.
            label: Its name in messages.
            budget: Bytes of hidden states to keep, of all encoders in `folder` together (4 · depth · dim · 50 for a
                second of audio, as a rule). Means over frames, some kilobytes a clip, come on top.
            device: Where the encoder runs; states are kept in the CPU's memory.
            folder: Where states are kept, and found again by later stores; by default a temporary folder.
            name: Changes with whatever states depend on beside the recordings; see `name_states`.
            form: How states are kept; float16 rounds all of them, kept or not, and takes half of the room.
            damaged: Told of each file that was damaged, and is deleted.
        """
        self.device = torch.device(device)
        self._encoder = encoder.eval().requires_grad_(False).to(self.device)
        self._label, self._form = label, form
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="msm-states-")
        root = folder or Path(self._temporary.name if self._temporary else "")
        self._frames = Shelf(root, name, budget, damaged)
        self._means = Shelf(root / "means", name, sys.maxsize, damaged)
        self._keys: dict[tuple[Recording, float], str] = {}

    def missing(self, frames: Iterable[Clip], means: Iterable[Clip] = ()) -> int:
        """How many recordings have no states here, or no mean of them where that is all one needs."""
        lacking = {key for key in map(self._key, frames) if key not in self._frames}
        return len(lacking | {key for key in map(self._key, means) if key not in self._means})

    def prepare(
        self,
        frames: Sequence[Clip],
        means: Sequence[Clip] = (),
        encoded: Callable[[], None] = lambda: None,
        *,
        now: Sequence[Clip] | None = None,
    ) -> None:
        """Computes what will be read.

        Args:
            frames: Clips to be read with `read`, the soonest first; the first ones stay where not all fit.
            means: Clips to be read with `read_mean`.
            encoded: Called after each clip.
            now: Those of them to compute at once; all by default.

        Raises:
            DataError: A clip cannot be read or encoded.
            CheckpointError: The encoder gives values that are not finite.
            OutputError: The disk is full.
        """
        order = {key: place for place, key in enumerate(dict.fromkeys(map(self._key, frames)))}
        pooled = set(map(self._key, means))
        chosen = {self._key(clip): clip for clip in ([*frames, *means] if now is None else now)}
        room = True

        def wanted(key: str) -> tuple[bool, bool]:
            return room and key in order and key not in self._frames, key in pooled and key not in self._means

        try:
            for batch in self._batches(clip for key, clip in chosen.items() if any(wanted(key))):
                heard = [clip for clip in batch if any(wanted(self._key(clip)))]
                for clip, states in zip(heard, self._hear(heard), strict=True):
                    key = self._key(clip)
                    for_frames, for_mean = wanted(key)
                    if for_mean:
                        self._means.add(key, _mean(states).numpy(), {})
                    if for_frames:
                        room = self._frames.add(key, states.numpy(), order)
                    encoded()
        finally:
            self._frames.seal()
            self._means.seal()

    def read(self, clip: Clip) -> torch.Tensor:
        """Returns the clip's states, float32, shape `(depth, frames, dim)`; callers must not write to them.

        Raises:
            DataError: The clip cannot be read or encoded.
            CheckpointError: The encoder gives values that are not finite.
        """
        kept = self._frames.find(self._key(clip))
        return self._hear([clip])[0].float() if kept is None else _tensor(kept)

    def read_mean(self, clip: Clip) -> torch.Tensor:
        """Returns the mean of the clip's states over frames, float32, shape `(depth, 1, dim)`; else as `read`."""
        kept = self._means.find(self._key(clip))
        return _mean(self.read(clip)) if kept is None else _tensor(kept)

    def _hear(self, clips: Sequence[Clip]) -> list[torch.Tensor]:
        heard = hear(self._encoder, self._label, self.device, clips)
        return (
            heard if self._form == "float32" else [_halve(s, self._label, c) for s, c in zip(heard, clips, strict=True)]
        )

    def _batches(self, clips: Iterable[Clip]) -> Iterator[Sequence[Clip]]:
        together, ordered = TOGETHER.get(self.device.type, 1), list(clips)
        for start in range(0, len(ordered), WINDOW * together):
            window = ordered[start : start + WINDOW * together]
            if together > 1:
                window.sort(key=lambda clip: clip.duration)
            yield from (window[first : first + together] for first in range(0, len(window), together))

    def _key(self, clip: Clip) -> str:
        known = self._keys.get((clip.path, clip.gain))
        if known is None:
            known = self._keys[clip.path, clip.gain] = f"{_digest(clip)} {clip.gain:g} dB"
        return known


def name_states(encoder: str, device: torch.device, form: StateFormat) -> str:
    """The name of an encoder's states: it changes with all that they depend on beside the recordings.

    Args:
        encoder: Digest of its weights.
        device: Where it runs.
        form: How states are kept.
    """
    facts = {"encoder": encoder, "arithmetic": arithmetic(device), "form": form, "versions": versions()}
    return blake3(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _digest(clip: Clip) -> str:
    try:
        return blake3(clip.path.read_bytes()).hexdigest()
    except OSError as fault:
        raise DataError(
            f"{clip.source}: clip {clip.path} cannot be read ({fault.strerror}): check the path and the data folder"
        ) from fault


def _halve(states: torch.Tensor, label: str, clip: Clip) -> torch.Tensor:
    half = states.half()
    if not bool(half.isfinite().all()):
        raise CheckpointError(
            f"encoder {label}: a hidden state of {clip.path} is {float(states.abs().max()):g}, beyond what float16"
            " holds: keep states as float32"
        )
    return half


def _mean(states: torch.Tensor) -> torch.Tensor:
    return states.float().mean(dim=1, keepdim=True)


def _tensor(kept: Array) -> torch.Tensor:
    return torch.from_numpy(kept).float()
