"""What a fine-tuning run tells a merge: where its encoder lies, and which base it was tuned from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mergekit_speech.errors import CheckpointError
from mergekit_speech.hub.fetch import resolve

RECORD_FILE = "record.json"
ENCODER_FOLDER = "encoder"


def is_run(path: Path) -> bool:
    """Say whether a folder is what a fine-tuning run left."""
    return (path / RECORD_FILE).is_file()


def encoder_folder(path: Path) -> Path:
    """Give the checkpoint folder of an encoder: that of a run, one fetched from the hub, or the path as it is.

    Raises:
        CheckpointError: A repository of the hub is named that cannot be fetched, or a run that is not finished.
    """
    if not is_run(path):
        return resolve(path)
    if not (path / ENCODER_FOLDER).is_dir():
        raise CheckpointError(f"the run {str(path)!r} has no encoder yet: finish it with --resume")
    return path / ENCODER_FOLDER


def recorded_base(runs: Sequence[Path]) -> tuple[Path, str]:
    """Give the folder and the digest of the base that runs were tuned from.

    Args:
        runs: Folders that `msm finetune` left.

    Raises:
        CheckpointError: A folder is no run, its record is malformed or names a base that is gone or cannot be fetched,
            or bases differ.
    """
    bases = [_read_base(run) for run in runs]
    if not bases:
        raise CheckpointError("expected a base or a run, came neither; name the base")
    if len({digest for _, digest in bases}) > 1:
        listed = ", ".join(f"{run} from {path}" for run, (path, _) in zip(runs, bases, strict=True))
        raise CheckpointError(f"expected runs of one base, came {listed}; merge runs of the same base")
    path, digest = resolve(bases[0][0]), bases[0][1]
    if not path.exists():
        raise CheckpointError(
            f"the base {str(path)!r} that {runs[0] / RECORD_FILE} names is gone; say where it is now with --base"
        )
    return path, digest


def recorded_digest(run: Path) -> str:
    """Give the digest of the base that a run was tuned from.

    Raises:
        CheckpointError: The folder is no run, or its record is malformed.
    """
    return _read_base(run)[1]


def _read_base(run: Path) -> tuple[Path, str]:
    record = run / RECORD_FILE
    if not record.is_file():
        raise CheckpointError(
            f"expected a run with {RECORD_FILE}, came {str(run)!r}, which has none; "
            "give a folder that msm finetune left, or --base and --tuned"
        )
    try:
        base = json.loads(record.read_bytes())["base"]
        path, digest = base["path"], base["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"expected base.path and base.digest in {record}, came {error!r}; give --base and --tuned instead"
        ) from error
    if not isinstance(path, str) or not isinstance(digest, str):
        raise CheckpointError(f"expected text in base.path and base.digest of {record}, came {base!r}; give --base")
    return Path(path), digest
