"""Names of repositories and of files in them: what is one and not a path, and which one a place in the cache has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ID = (
    r"(?P<owner>[A-Za-z0-9][\w.-]{0,95})/(?P<name>\w[\w.-]{0,95})(?:@(?P<revision>\w[\w./-]{0,199}))?"
    r"(?::(?P<file>\w[\w.+-]{0,199}))?"
)
# What ends so is a file, even if its folder is not there.
FILE_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".th", ".json", ".yaml", ".yml")
CACHED = "models--"


@dataclass(frozen=True)
class HubId:
    """A repository of the hub, perhaps at a revision, or a file of weights in it.

    Attributes:
        owner: Whose it is.
        name: Its name.
        revision: A branch, a tag or a commit; None for the main branch.
        file: Name of a file of weights; None for the repository as a checkpoint.
    """

    owner: str
    name: str
    revision: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        return f"{self.repository}{revision}" + ("" if self.file is None else f":{self.file}")

    @property
    def repository(self) -> str:
        """The name without revision and file."""
        return f"{self.owner}/{self.name}"


def parse_id(text: str) -> HubId | None:
    """Read `owner/name`, `owner/name@revision`, and either with `:file` behind; None if the text has another form."""
    match = re.fullmatch(ID, text, re.ASCII)
    # Two hyphens and two dots mean something else in the cache's folders.
    if match is None or ".." in text or "--" in match["owner"] + match["name"]:
        return None
    return HubId(match["owner"], match["name"], match["revision"], match["file"])


def read_id(place: str | Path) -> HubId | None:
    """Tell which repository a place names; None if it is a path: what exists is one, and what ends as a file does."""
    found = parse_id(str(place))
    if found is None or Path(place).exists():
        return None
    plain = found.revision is None and found.file is None
    return None if plain and found.name.endswith(FILE_ENDINGS) else found


def cached_id(place: Path) -> HubId | None:
    """Tell from which repository and commit a folder or file was fetched; None if it is not in the hub's cache."""
    place = place.absolute()
    for folder, file in ((place, ""), (place.parent, f":{place.name}")):
        repository = folder.parent.parent.name
        if folder.parent.name == "snapshots" and repository.startswith(CACHED):
            return parse_id(f"{repository.removeprefix(CACHED).replace('--', '/')}@{folder.name}{file}")
    return None


def lasting_name(place: Path) -> str:
    """Name a folder or file so that it is found again: the repository and commit it came from, or its whole path."""
    return str(cached_id(place) or place.resolve())


def short_name(place: Path) -> str:
    """Name a folder or file for readers: the repository and commit that it came from, or its last part."""
    return str(cached_id(place) or place.resolve().name)
