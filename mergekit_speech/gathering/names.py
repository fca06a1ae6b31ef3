"""Under which names a merge finds the statistics of an encoder's parameters."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mergekit_speech.errors import CheckpointError
from mergekit_speech.layouts.read import open_encoder


def merged_names(checkpoint: Path, names: Iterable[str]) -> dict[str, str]:
    """Give the name by which a merge knows each parameter of an encoder.

    It is the checkpoint's own, such as one behind "hubert.", where that is spelled as in transformers; files with
    fairseq's names are merged under canonical ones.

    Args:
        checkpoint: The encoder's folder or file.
        names: Names in the encoder that was built from it.

    Raises:
        CheckpointError: It holds no encoder, or lacks a parameter.
        ShardError: A file is malformed.
    """
    encoder = open_encoder(checkpoint)
    found = {}
    for name in names:
        if name not in encoder.stored:
            raise CheckpointError(
                f"expected parameter {name!r} in {checkpoint}, came none; "
                "write the encoder anew with save_pretrained of transformers"
            )
        found[name] = name if encoder.layout.naming == "fairseq" else encoder.stored[name]
    return found
