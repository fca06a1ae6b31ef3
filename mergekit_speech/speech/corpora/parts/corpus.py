"""What a reader of a corpus is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mergekit_speech.errors import DataError


@dataclass(frozen=True)
class Entry:
    """A clip of a corpus, of which the audio has not been looked at.

    Attributes:
        id: Unique within its folder; a file name where there is a cut.
        path: The recording.
        split: As in the manifest.
        fields: The manifest's other fields.
        cut: Start and end of the clip in its recording, seconds; it becomes a file of its own. None takes the whole.
    """

    id: str
    path: Path
    split: str
    fields: Mapping[str, Any]
    cut: tuple[float, float] | None = None


@dataclass(frozen=True)
class Folder:
    """What becomes a folder of the data folder.

    Attributes:
        entries: Its clips.
        files: Texts of files beside the manifest, by name.
    """

    entries: Sequence[Entry]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A line of a text file that is not blank.

    Attributes:
        text: Without the white space at its ends.
        place: `file:line`, for error messages.
    """

    text: str
    place: str

    def fault(self, wanted: str) -> DataError:
        """The error of a line that is not as it must be."""
        return DataError(f"{self.place}: expected {wanted}, got {self.text!r:.60}")


@dataclass(frozen=True)
class Source:
    """A corpus on disk.

    Attributes:
        corpus: Its name.
        url: Where to get it.
        root: The folder that holds it.
        lexicon: A pronouncing lexicon: a line `WORD P1 P2 …` for each pronunciation.
    """

    corpus: str
    url: str
    root: Path
    lexicon: Path | None = None

    def within(self, name: str) -> Source:
        """The corpus below the folder `name` where there is one, as archives unpack; else the same."""
        return replace(self, root=self.root / name) if (self.root / name).is_dir() else self

    def path(self, name: str, url: str | None = None) -> Path:
        """A file or folder of the corpus.

        Args:
            name: Relative to the root.
            url: Where to get it, if not with the corpus.

        Raises:
            DataError: It is absent.
        """
        path = self.root / name
        if path.exists():
            return path
        do = f"get that file from {url}" if url else f"get the corpus from {self.url} and unpack it, or correct ROOT"
        raise DataError(f"{self.corpus}: expected {path}, came none: {do}")

    def lines(self, name: str, url: str | None = None) -> list[Line]:
        """Lines of a text file; arguments and errors as `path`, and a file that is not UTF-8 is an error."""
        return read_lines(self.path(name, url))

    def files(self, pattern: str) -> list[Path]:
        """Files that match a glob pattern, sorted.

        Raises:
            DataError: There are none.
        """
        found = sorted(self.root.glob(pattern))
        if not found:
            raise DataError(
                f"{self.corpus}: expected files {self.root / pattern}, came none: get the corpus from {self.url} and"
                " unpack it, or correct ROOT"
            )
        return found


@dataclass(frozen=True)
class Corpus:
    """An official corpus.

    Attributes:
        title: What it is called.
        about: What of it is used.
        licence: Under what terms it is given.
        size: Of the download, in words.
        url: Where to get it.
        folders: Readers of the folders it can make, by the folder's name.
    """

    title: str
    about: str
    licence: str
    size: str
    url: str
    folders: Mapping[str, Callable[[Source], Folder]]


def read_lines(path: Path) -> list[Line]:
    """Lines of a text file that are not blank.

    Raises:
        DataError: The file is absent or not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise DataError(f"expected a text file {path}, came none ({fault.strerror}): check the path") from fault
    except UnicodeDecodeError as fault:
        raise DataError(f"{path}: not UTF-8 ({fault.reason} at byte {fault.start + 1}): save it as UTF-8") from fault
    lines = enumerate(text.split("\n"), start=1)
    return [Line(line.strip(), f"{path}:{number}") for number, line in lines if line.strip()]
