"""From the name of a repository, or of a file in one, to a folder or file on this machine."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path

from mergekit_speech.errors import CheckpointError
from mergekit_speech.hub.faults import explain_fetch
from mergekit_speech.hub.names import HubId, read_id

BESIDE_WEIGHTS = (
    "config.json",
    "preprocessor_config.json",
    "adapter_config.json",
    "recipe.yaml",
    "README.md",
    "LICENSE*",
    "LICENCE*",
    "NOTICE*",
)
SAFETENSORS = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "adapter_model.safetensors",
    "masks.safetensors",
)
PICKLES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin", "pytorch_model.bin.index.json", "adapter_model.bin")
WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.th")
"""What may hold an encoder where nothing has the name that transformers looks for, as files of s3prl and fairseq."""
STATES = ("optimizer.*", "scheduler.*", "scaler.*", "rng_state*", "training_args.bin", "masks.safetensors")
MOST_SHOWN = 8
# Patterns match slashes too.
NOT_INSIDE = "*/*"


def resolve(place: str | PathLike[str]) -> Path:
    """Give the path of a checkpoint, which is fetched first if a repository of the hub is named.

    What is in the cache of huggingface_hub is not fetched again; its settings hold, such as HF_HOME, HF_TOKEN and
    HF_HUB_OFFLINE. Weights come as safetensors, or, where there are none, as pickles; of a repository whose only file
    of weights has another name, as files of s3prl and fairseq do, that file is given.

    Args:
        place: A path, or `owner/name` or `owner/name@revision` of the hub, with `:file` behind where there are several
            files. What exists is a path; so is what lies in a folder that exists, unless it has a revision or a file.

    Returns:
        `place` itself if it is a path, whether it exists or not; else the folder or file in the cache.

    Raises:
        CheckpointError: There is no such repository, revision or file, it holds no weights, or several and none is
            named, it may not be read, or it is not in the cache and the hub cannot be reached.
    """
    path = Path(place)
    found = read_id(path)
    if found is None:
        return path
    if found.revision is None and found.file is None and Path(found.owner).is_dir():
        raise CheckpointError(
            f"expected a checkpoint in the folder {found.owner!r}, came {str(path)!r}, which does not exist; check the "
            f"path, or write {found}@main for the repository of the hub"
        )
    return _fetch(found)


def _fetch(place: HubId) -> Path:
    if place.file is not None:
        return _fetch_file(place, place.file)
    for patterns in (SAFETENSORS, PICKLES):
        folder = _download(place, patterns)
        if any(_is_one(path.name, patterns) for path in folder.iterdir()):
            return folder
    candidates = _list_weights(place, folder)
    if len(candidates) == 1:
        return _fetch_file(place, candidates[0])
    expected = f"expected {SAFETENSORS[0]} or {PICKLES[0]} in the repository {place}"
    if not candidates:
        raise CheckpointError(f"{expected}, came neither; download what it holds and name the file of weights")
    raise CheckpointError(
        f"{expected}, came {_name(candidates)}; name one of them, as in {replace(place, file=candidates[0])}"
    )


def _fetch_file(place: HubId, file: str) -> Path:
    folder = _download(place, (glob.escape(file),))
    if not (folder / file).exists():
        found = _list_weights(replace(place, file=None), folder)
        raise CheckpointError(
            f"expected {file!r} in the repository {replace(place, file=None)}, came {_name(found) or 'no weights'}; "
            "check the name behind the colon"
        )
    return folder / file


def _is_one(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _name(files: list[str]) -> str:
    return ", ".join(files[:MOST_SHOWN]) + (f", … ({len(files)} in all)" if len(files) > MOST_SHOWN else "")


def _list_weights(place: HubId, folder: Path) -> list[str]:
    from huggingface_hub import HfApi

    try:
        names = HfApi(library_name="mergekit-speech").list_repo_files(place.repository, revision=place.revision)
    # The repository was found a moment ago: without the hub, what the cache holds of it is all there is.
    except Exception:
        names = [path.name for path in folder.iterdir()]
    return sorted(name for name in names if "/" not in name and _is_one(name, WEIGHTS) and not _is_one(name, STATES))


def _download(place: HubId, patterns: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            place.repository,
            revision=place.revision,
            allow_patterns=[*BESIDE_WEIGHTS, *patterns],
            ignore_patterns=NOT_INSIDE,
            library_name="mergekit-speech",
        )
    # What is raised depends on the client's version. Its texts, and so the chain of errors, may quote a request.
    except Exception as error:
        raise CheckpointError(explain_fetch(error, place)) from None
    return Path(folder)
