"""What made an encoder, as far as its folder tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mergekit_speech.errors import CheckpointError
from mergekit_speech.merging.card import RECIPE_FILE
from mergekit_speech.training.run_folder import RunFolder, read_json

# Every validation of a run: too much for a report.
LEFT_OUT = ("history",)


def origin_of(folder: Path | None) -> dict[str, Any] | None:
    """The record of the run that made an encoder, or the recipe of its merge; None if neither lies there.

    Args:
        folder: The encoder's directory or file; None for one that has none.

    Raises:
        CheckpointError: A record is damaged.
    """
    if folder is None or not folder.is_dir():
        return None
    run = RunFolder(folder.resolve().parent)
    if folder.resolve() == run.encoder and run.record.is_file():
        return {"run": {name: value for name, value in read_json(run.record).items() if name not in LEFT_OUT}}
    recipe = folder / RECIPE_FILE
    if not recipe.is_file():
        return None
    try:
        return {"recipe": recipe.read_text(encoding="utf-8")}
    except (OSError, ValueError) as fault:
        raise CheckpointError(
            f"{recipe}: expected the recipe of a merge, came {fault}: restore or delete it"
        ) from fault
