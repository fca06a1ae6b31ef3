"""What the command line calls an encoder, and the name that tables give it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blake3 import blake3

from mergekit_speech.encoders.encoder import Encoder
from mergekit_speech.encoders.filterbank import Filterbank, LogMel
from mergekit_speech.encoders.pretrained import check_config, load_encoder, random_encoder
from mergekit_speech.encoders.source import encoder_digest
from mergekit_speech.errors import CheckpointError, SettingsError
from mergekit_speech.hub.names import cached_id
from mergekit_speech.merging.runs import encoder_folder
from mergekit_speech.registry import suggestion
from mergekit_speech.training.run_folder import RunFolder

Kind = Literal["checkpoint", "random", "fbank", "logmel"]
FEATURES: dict[str, Kind] = {"fbank": "fbank", "logmel": "logmel"}
RANDOM = "random:"
RANDOM_SEED = 0


@dataclass(frozen=True)
class NamedEncoder:
    """An encoder that can be built when its turn comes.

    Attributes:
        label: Its name in tables, unique within a bench.
        source: What the user wrote, without the label.
        kind: A checkpoint, fresh random weights of a checkpoint's shape, or one of two spectral features.
        folder: The checkpoint's directory or file; None for spectral features.
    """

    label: str
    source: str
    kind: Kind
    folder: Path | None = None

    def load(self) -> Encoder:
        """Builds the encoder: float32, on the CPU, in evaluation mode.

        Random weights are drawn from seed 0, whatever the seed of the probes: all probes share one encoder.

        Raises:
            CheckpointError: The folder does not hold an encoder.
            ShardError: Its weights are damaged.
        """
        return self._build().eval()

    def digest(self, encoder: Encoder) -> str:
        """A text that changes with the weights; that of a directory ignores how they are spread over files.

        Args:
            encoder: What `load` gave.

        Raises:
            ShardError: A shard is missing, cut short or malformed.
        """
        if self.kind == "checkpoint" and self.folder is not None:
            return encoder_digest(self.folder)
        if self.kind == "random":
            return f"blake3:{_digest_tensors(encoder)}"
        return f"built-in:{self.kind}"

    def _build(self) -> Encoder:
        if self.folder is None:
            return Filterbank() if self.kind == "fbank" else LogMel()
        return load_encoder(self.folder) if self.kind == "checkpoint" else random_encoder(self.folder, RANDOM_SEED)


def read_encoders(texts: Sequence[str | Path]) -> list[NamedEncoder]:
    """Finds out what each text means, without reading weights.

    Args:
        texts: Each a directory or file of an encoder, a name on the hub, a run folder of `msm finetune`, `fbank`,
            `logmel`, or `random:PATH` for random weights of that encoder's shape; `LABEL=` before it gives it a name.
            The default name is the folder's, or the run's, with a number behind it where two are the same.

    Raises:
        SettingsError: No text, an empty label, or one label twice.
        CheckpointError: A path does not exist, or is a folder without an encoder.
    """
    if not texts:
        raise SettingsError("expected at least one encoder to probe, came none: name a folder, fbank or logmel")
    split = [_split_label(str(text)) for text in texts]
    given = Counter(label for label, _ in split if label is not None)
    for label, count in given.items():
        if count > 1:
            raise SettingsError(f"expected a label for one encoder each, came {label!r} {count} times: rename one")
    taken = set(given)
    encoders = []
    for chosen, source in split:
        encoder = _find(chosen or "", source)
        encoders.append(encoder if chosen else _relabel(encoder, taken))
        taken.add(encoders[-1].label)
    return encoders


def _split_label(text: str) -> tuple[str | None, str]:
    label, equals, source = text.partition("=")
    if not equals or "/" in label or Path(text).exists():
        return None, text
    if not label.strip() or not source:
        raise SettingsError(f"expected LABEL=ENCODER, came {text!r}: write both sides, or the encoder alone")
    return label.strip(), source


def _find(label: str, source: str) -> NamedEncoder:
    if source in FEATURES:
        return NamedEncoder(label, source, FEATURES[source])
    if source.startswith(RANDOM):
        return NamedEncoder(label, source, "random", _encoder_folder(Path(source.removeprefix(RANDOM))))
    return NamedEncoder(label, source, "checkpoint", _encoder_folder(Path(source)))


def _encoder_folder(path: Path) -> Path:
    folder = encoder_folder(path)
    if folder.is_file():
        return folder
    if not folder.is_dir():
        raise CheckpointError(
            f"expected the folder or file of an encoder, a run, or one of {', '.join(FEATURES)}, {RANDOM}ENCODER,"
            f" came {str(folder)!r}, which does not exist{suggestion(str(folder), FEATURES)}: check the path"
        )
    check_config(folder)
    return folder


def _relabel(encoder: NamedEncoder, taken: set[str]) -> NamedEncoder:
    name = _default_label(encoder)
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    label = name if name not in taken else next(other for other in numbered if other not in taken)
    return NamedEncoder(label, encoder.source, encoder.kind, encoder.folder)


def _default_label(encoder: NamedEncoder) -> str:
    if encoder.folder is None:
        return encoder.kind
    name = _folder_name(encoder.folder)
    return f"random {name}" if encoder.kind == "random" else name


def _folder_name(folder: Path) -> str:
    fetched = cached_id(folder)
    if fetched is not None:
        return fetched.name if fetched.file is None else Path(fetched.file).stem
    folder = folder.resolve()
    run = RunFolder(folder.parent)
    return folder.parent.name if folder == run.encoder and run.record.is_file() else folder.name


def _digest_tensors(encoder: Encoder) -> str:
    hasher = blake3()
    for name, tensor in sorted(encoder.state_dict().items()):
        hasher.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        hasher.update(tensor.contiguous().numpy().tobytes())
    return hasher.hexdigest()
