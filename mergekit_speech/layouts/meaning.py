"""What an encoder's settings mean in every layout: its own, and what an earlier conversion kept of another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.config import agree, check_sizes, preprocessor, to_transformers
from mergekit_speech.layouts.detect import CONFIG, ORIGIN_FILE, OURS, PREPROCESSOR, TRANSFORMERS, Settings, read_json
from mergekit_speech.layouts.read import FAMILIES, EncoderCheckpoint
from mergekit_speech.shards.files import MOST_AT_ONCE, check_inside, read_small

KEPT_SUFFIXES = (".json", ".txt", ".yaml", ".yml", ".md")
PLAIN_METADATA = {"format": "pt"}
LIKE = (
    "take the settings from a checkpoint of the same encoder with msm convert --layout transformers --like CHECKPOINT"
)


@dataclass(frozen=True)
class Meaning:
    """The settings of an encoder.

    Attributes:
        family: One of `FAMILIES`.
        config: What `config.json` says or would say.
        normalize: Whether waveforms are brought to zero mean and unit variance.
        settings: Those of fairseq, if the file or an earlier conversion has them; None if they must be translated.
        files: Text files of a folder of transformers, by name.
        prefix: What stands before the names in such a folder.
        old_weight_norm: Whether weight norm is spelled the old way there.
        metadata: Free text entries of its safetensors file, such as where a merged encoder comes from.
    """

    family: str
    config: Settings
    normalize: bool
    settings: Settings | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    old_weight_norm: bool = False
    metadata: Mapping[str, str] = field(default_factory=lambda: PLAIN_METADATA)


def understand(encoder: EncoderCheckpoint, like: EncoderCheckpoint | None = None) -> Meaning:
    """Find out the settings of an encoder.

    Args:
        encoder: The encoder.
        like: One whose settings to take if the first has none.

    Raises:
        CheckpointError: The family cannot be told or is none of `FAMILIES`, there are no settings, they have no
            translation, or they are those of an encoder of another size.
    """
    if encoder.layout.container == TRANSFORMERS and encoder.config is None and like is None:
        raise CheckpointError(f"expected {CONFIG} in {encoder.folder}, came none; fetch it, or {LIKE}")
    family = encoder.family or (like.family if like else None)
    if family not in FAMILIES:
        came = f"{family!r}; give one of these" if family else f"one that nothing in it names; {LIKE}"
        raise CheckpointError(
            f"expected an encoder of the families {', '.join(FAMILIES)} in {encoder.folder}, came {came}"
        )
    told = like if like is not None and not _has_settings(encoder, family) else encoder
    if like is not None and like.family != family:
        raise CheckpointError(f"expected settings of a {family} encoder in {like.folder}, came a {like.family} one")
    meaning = _from_transformers(told, family) if told.layout.container == TRANSFORMERS else _from_s3prl(told, family)
    if told is not encoder:
        # The other texts, and where it comes from, are that checkpoint's own.
        files = {name: meaning.files[name] for name in (CONFIG, PREPROCESSOR) if name in meaning.files}
        meaning = Meaning(family, meaning.config, meaning.normalize, meaning.settings, files)
    shapes = {name: parameter.shape for name, parameter in encoder.parameters.items()}
    check_sizes(meaning.config, shapes, encoder.folder)
    return meaning


def _has_settings(encoder: EncoderCheckpoint, family: str) -> bool:
    return encoder.config is not None or bool(encoder.origin) or family == "decoar2"


def _from_transformers(encoder: EncoderCheckpoint, family: str) -> Meaning:
    if encoder.config is None:
        raise CheckpointError(f"expected {CONFIG} in {encoder.folder}, came none; fetch it")
    said = read_json(encoder.folder / PREPROCESSOR)
    normalize = encoder.config.get("feat_extract_norm") == "layer"
    if said is not None:
        normalize = bool(said.get("do_normalize", True))
    kept = encoder.origin.get("settings")
    if isinstance(kept, dict):
        translated, normalized = to_transformers(family, kept, encoder.folder)
        kept = kept if agree(translated, encoder.config) and normalized == normalize else None
    layout = encoder.layout
    files = _read_files(encoder)
    return Meaning(
        *(family, encoder.config, normalize, kept, files, layout.prefix, layout.old_weight_norm),
        metadata=PLAIN_METADATA | dict(encoder.metadata),
    )


def _from_s3prl(encoder: EncoderCheckpoint, family: str) -> Meaning:
    files = encoder.origin.get("files")
    kept = _parse(files) if isinstance(files, dict) else None
    if encoder.config is None and family != "decoar2":
        raise CheckpointError(
            f"expected settings of the encoder in {encoder.folder}, came none, as in all files of the kind "
            f"{encoder.layout.container!r}; {LIKE}"
        )
    if family == "decoar2" and kept is not None:
        return _restored(encoder, family, kept, encoder.config)
    config, normalize = to_transformers(family, encoder.config or {}, encoder.folder)
    if kept is not None and agree(config, kept[0]) and (kept[1] is None or kept[1] == normalize):
        return _restored(encoder, family, (kept[0], normalize), encoder.config)
    return Meaning(family, config, normalize, encoder.config or {}, write_files(family, config, normalize=normalize))


def write_files(family: str, config: Settings, *, normalize: bool) -> dict[str, str]:
    """Give the text files of a new folder of transformers, by name."""
    written = {CONFIG: config}
    if family != "decoar2":
        written[PREPROCESSOR] = preprocessor(config, normalize=normalize)
    return {name: json.dumps(each, indent=2) + "\n" for name, each in written.items()}


def _restored(
    encoder: EncoderCheckpoint, family: str, kept: tuple[dict[str, Any], bool | None], settings: Settings | None
) -> Meaning:
    origin = encoder.origin
    files = {name: text for name, text in origin["files"].items() if isinstance(text, str) and _is_plain_name(name)}
    prefix = str(origin.get("prefix", ""))
    said = origin.get("metadata")
    metadata = {name: text for name, text in said.items() if isinstance(text, str)} if isinstance(said, dict) else {}
    return Meaning(
        *(family, kept[0], bool(kept[1]), settings, files, prefix, bool(origin.get("old_weight_norm"))),
        metadata=PLAIN_METADATA | metadata,
    )


def _parse(files: Mapping[str, Any]) -> tuple[dict[str, Any], bool | None] | None:
    try:
        config = json.loads(files[CONFIG])
        said = json.loads(files[PREPROCESSOR]) if PREPROCESSOR in files else {}
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if not isinstance(config, dict) or not isinstance(said, dict):
        return None
    return config, said.get("do_normalize", True) if PREPROCESSOR in files else None


def _is_plain_name(name: str) -> bool:
    return name.endswith(KEPT_SUFFIXES) and "/" not in name and "\\" not in name and not name.startswith((".", OURS))


def _read_files(encoder: EncoderCheckpoint) -> dict[str, str]:
    found = {}
    for path in sorted(encoder.folder.iterdir()):
        ours = path.name == ORIGIN_FILE or path.name.endswith(".index.json")
        if path.is_file() and _is_plain_name(path.name) and not ours and path.stat().st_size < MOST_AT_ONCE // 8:
            check_inside(path, encoder.folder)
            try:
                found[path.name] = read_small(path).decode()
            except UnicodeDecodeError:
                continue
    return found
