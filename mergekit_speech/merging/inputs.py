"""The inputs of a plan: checkpoints and files of statistics, opened once each, numbered in the order of their use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.adapters import AdaptedCheckpoint, AdaptedWeights, is_adapter, open_adapter
from mergekit_speech.merging.parts import Entry
from mergekit_speech.merging.problems import Problems
from mergekit_speech.merging.reading import EncoderFile, Reading, read_input
from mergekit_speech.merging.recipe import Source
from mergekit_speech.merging.terms import Leaf
from mergekit_speech.shards.digest import combine_digests, digest_checkpoint
from mergekit_speech.shards.header import read_header
from mergekit_speech.shards.reader import Checkpoint, Weights


class Inputs:
    """Opens inputs; headers only.

    Args:
        problems: Where inputs that cannot be opened are noted.
        paths: All checkpoints of the recipe; the first lends the result its names and settings.

    Attributes:
        opened: The inputs that could be opened.
        readings: What each of them is; None for what is no encoder of a known family.
    """

    def __init__(self, problems: Problems, paths: Sequence[Path] = ()) -> None:
        self.opened: list[Checkpoint] = []
        self.readings: list[Reading | None] = []
        self._paths = paths
        self._problems = problems
        self._known: dict[Path, tuple[Checkpoint, Reading | None]] = {}
        self._entries: dict[tuple[Path, Path | None], Mapping[str, Entry]] = {}
        self._statistics: dict[Path, Mapping[str, Leaf] | None] = {}

    def entries(self, path: Path, base: Source | None = None) -> Mapping[str, Entry]:
        """Give the parameters of a checkpoint by name; none, and a problem noted, if it cannot be opened.

        Args:
            path: A checkpoint, or an adapter.
            base: What an adapter is put on.
        """
        key = (path, base if is_adapter(path) and isinstance(base, Path) else None)
        if key not in self._entries:
            self._entries[key] = {}
            with self._problems.caught():
                leaves = self._add(*self._open(*key))
                self._entries[key] = {
                    name: Entry(leaf, leaf.parameter.dtype, leaf.parameter.shape) for name, leaf in leaves.items()
                }
        return self._entries[key]

    def reading(self, path: Path, base: Source | None = None) -> Reading | None:
        """Say what a checkpoint is, or the base of an adapter; None if it is no encoder, or cannot be opened.

        Args:
            path: A checkpoint, or an adapter.
            base: What an adapter is put on.
        """
        place = base if is_adapter(path) else path
        return self._known[place][1] if isinstance(place, Path) and place in self._known else None

    def statistics(self, folder: Path, kind: str) -> Mapping[str, Leaf] | None:
        """Give the statistics of a kind by parameter; None, and a problem noted, if there are none."""
        path = folder / f"{kind}.safetensors"
        if path not in self._statistics:
            self._statistics[path] = None
            with self._problems.caught():
                if not path.is_file():
                    raise CheckpointError(
                        f"expected {kind} statistics in {path}, which is missing; gather them with msm statistics"
                    )
                header = read_header(path)
                parameters = {each.name: each for each in header.parameters}
                files = dict.fromkeys(parameters, path)
                self._statistics[path] = self._add(Checkpoint(path, parameters, files, header.metadata))
        return self._statistics[path]

    def _open(self, path: Path, base: Path | None) -> tuple[Checkpoint, Reading | None]:
        if is_adapter(path):
            if base is None:
                raise CheckpointError(
                    f"the adapter {path} needs the encoder that it was trained on, came no base that is a folder; "
                    "name it"
                )
            checkpoint, reading = self._open(base, None)
            return open_adapter(path, checkpoint), reading
        if path not in self._known:
            first = bool(self._paths) and path == self._paths[0]
            checkpoint, reading = read_input(path, self._paths[1:] if first else None)
            if not checkpoint.parameters:
                raise CheckpointError(f"expected parameters in {path}, came none; write the checkpoint again")
            self._known[path] = checkpoint, reading
        return self._known[path]

    def _add(self, checkpoint: Checkpoint, reading: Reading | None = None) -> dict[str, Leaf]:
        self.opened.append(checkpoint)
        self.readings.append(reading)
        number = len(self.opened) - 1
        return {name: Leaf(number, parameter) for name, parameter in checkpoint.parameters.items()}


def open_weights(checkpoint: Checkpoint) -> Weights:
    """Give the files of an input, to be opened."""
    return AdaptedWeights(checkpoint) if isinstance(checkpoint, AdaptedCheckpoint) else Weights(checkpoint)


def combine_input(checkpoint: Checkpoint, digests: Mapping[str, bytes]) -> str:
    """Make the digest of an input from those of its parameters.

    Args:
        checkpoint: The input.
        digests: Of each parameter, by the name in the plan.
    """
    if not isinstance(checkpoint, EncoderFile):
        return combine_digests(checkpoint.parameters, digests)
    canonical = {name: digests[new] for new, name in checkpoint.canonical.items()}
    return combine_digests(checkpoint.encoder.parameters, canonical)


def digest_input(checkpoint: Checkpoint, *, threads: int) -> str:
    """Read an input, and give its digest: that of `weights_digest`, for a file of another layout by canonical names.

    Raises:
        ShardError: A file is cut short or cannot be read.
    """
    whole = checkpoint.encoder if isinstance(checkpoint, EncoderFile) else checkpoint
    with open_weights(whole) as weights:
        return digest_checkpoint(weights, threads=threads)
