"""From a folder to a repository of the hub."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mergekit_speech.errors import CheckpointError, OutputError, SettingsError
from mergekit_speech.hub.faults import explain_push, redact
from mergekit_speech.hub.names import HubId, parse_id
from mergekit_speech.shards.files import check_inside
from mergekit_speech.shards.reader import open_checkpoint

if TYPE_CHECKING:
    from huggingface_hub import HfApi

RECORD_FILE = "record.json"
ADAPTER_FILE = "adapter_model.safetensors"
MESSAGE = "Upload with mergekit-speech"


@dataclass(frozen=True)
class PushReport:
    """What was uploaded.

    Attributes:
        url: The page of the repository.
        commit: The commit that holds it.
        files: Names and sizes in bytes.
    """

    url: str
    commit: str
    files: dict[str, int]


def push(
    folder: str | Path,
    repository: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str = MESSAGE,
) -> PushReport:
    """Upload a checkpoint with its model card, in one commit; the repository is made if there is none.

    Args:
        folder: Folder of a merged encoder, of another checkpoint, or of an adapter.
        repository: `owner/name` on the hub.
        private: Make the repository private.
        revision: Branch to push to, made if there is none; None for main.
        message: First line of the commit.

    Raises:
        SettingsError: `repository` has another form.
        CheckpointError: The folder is no checkpoint.
        ShardError: The weights are damaged, or a file is a link out of the folder.
        OutputError: The repository cannot be written, or it is public and should be private.
    """
    place, files = read_target(repository, revision), list_files(folder)
    from huggingface_hub import HfApi

    api = HfApi(library_name="mergekit-speech")
    try:
        url = _make(api, place, private=private)
        made = api.upload_folder(
            folder_path=folder,
            repo_id=place.repository,
            revision=place.revision,
            commit_message=message,
            allow_patterns=[glob.escape(name) for name in files],
        )
    except OutputError:
        raise
    # What is raised depends on the client's version. Its texts, and so the chain of errors, may quote a request.
    except Exception as error:
        raise OutputError(explain_push(error, place)) from None
    return PushReport(redact(url), made.oid, files)


def read_target(repository: str, revision: str | None = None) -> HubId:
    """Read the name of the repository to push to.

    Raises:
        SettingsError: It is not `owner/name`, or the revision is no name of a branch.
    """
    place = parse_id(repository)
    if place is None or place.revision is not None or place.file is not None:
        raise SettingsError(f"expected owner/name of a repository, came {repository!r}; give a branch with --revision")
    if revision is not None and parse_id(f"{place}@{revision}") is None:
        raise SettingsError(
            f"expected the name of a branch, came {revision!r}; use letters, digits, '.', '_', '-', '/'"
        )
    return HubId(place.owner, place.name, revision)


def list_files(folder: str | Path) -> dict[str, int]:
    """List what a push would upload: all files of a checkpoint's folder but hidden ones, and nothing of its folders.

    Returns:
        Sizes in bytes by name, sorted.

    Raises:
        CheckpointError: The folder is no checkpoint.
        ShardError: The weights are damaged, or a file is a link out of the folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"expected the folder of a checkpoint to push, came {str(folder)!r}, which is no folder")
    if (folder / RECORD_FILE).is_file():
        raise CheckpointError(f"expected a checkpoint to push, came the run {str(folder)!r}; push {folder / 'encoder'}")
    open_checkpoint(folder / ADAPTER_FILE if (folder / ADAPTER_FILE).is_file() else folder)
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for path in files:
        check_inside(path, folder)
    return {path.name: path.stat().st_size for path in files}


def _make(api: HfApi, place: HubId, *, private: bool) -> str:
    url = api.create_repo(place.repository, private=private or None, exist_ok=True)
    if private and not api.model_info(place.repository).private:
        raise OutputError(
            f"{place.repository} exists and is public; make it private on its page, or push without --private"
        )
    if place.revision is not None:
        api.create_branch(place.repository, branch=place.revision, exist_ok=True)
    return str(url)
