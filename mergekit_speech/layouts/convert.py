"""From any layout to one that the next tool reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mergekit_speech.errors import SettingsError
from mergekit_speech.layouts.meaning import understand
from mergekit_speech.layouts.read import DROPPED, open_encoder
from mergekit_speech.layouts.write import write_s3prl, write_transformers
from mergekit_speech.shards.folder import whole_file, whole_folder

LAYOUTS = ("transformers", "s3prl")


@dataclass(frozen=True)
class ConvertReport:
    """What a conversion did.

    Attributes:
        source: The checkpoint that was read.
        found: Its layout, in words.
        family: Its family.
        output: The folder or file that was made.
        layout: The layout of that.
        parameters: Number of the encoder's parameters.
        kept: Number of other tensors that are kept beside them.
        left_out: Why each tensor is not in the output, by name.
        filled: What the new layout asks for and the encoder lacks; zeros stand for it.
        size: Bytes of the encoder's parameters.
    """

    source: Path
    found: str
    family: str
    output: Path
    layout: str
    parameters: int
    kept: int
    left_out: Mapping[str, str]
    filled: tuple[str, ...]
    size: int


def convert(
    source: Path, output: Path, layout: str, *, like: Path | None = None, overwrite: bool = False
) -> ConvertReport:
    """Write an encoder in another layout; every value stays as it is, and so does what the layout has no place for.

    Args:
        source: A checkpoint in any layout.
        output: Folder to make for "transformers", file for "s3prl".
        layout: One of `LAYOUTS`.
        like: A checkpoint of the same encoder whose settings to take if the source has none, as s3prl's runs.
        overwrite: Replace the output if it exists.

    Raises:
        SettingsError: There is no such layout.
        CheckpointError: The source is no encoder of a known family, is a part of one, or has no place in the layout.
        ShardError: A file cannot be read.
        OutputError: The output exists, or cannot be written.
    """
    if layout not in LAYOUTS:
        raise SettingsError(f"expected a layout out of {', '.join(LAYOUTS)}, came {layout!r}; choose one of them")
    encoder = open_encoder(source)
    meaning = understand(encoder, open_encoder(like) if like is not None else None)
    filled: tuple[str, ...] = ()
    if layout == "s3prl":
        with whole_file(output, overwrite=overwrite) as file:
            filled = write_s3prl(encoder, meaning, file)
    else:
        with whole_folder(output, overwrite=overwrite) as folder:
            write_transformers(encoder, meaning, folder)
    dropped = {name: why for name, why in encoder.left_out.items() if why in DROPPED}
    return ConvertReport(
        source,
        str(encoder.layout),
        meaning.family,
        output,
        layout,
        len(encoder.parameters),
        len(encoder.left_out) - len(dropped),
        dropped,
        filled,
        sum(parameter.size for parameter in encoder.parameters.values()),
    )
