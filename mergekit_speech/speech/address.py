"""Where a recording lies that is no file of its own on this machine: behind a URL, or within a larger file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mergekit_speech.errors import DataError

T = TypeVar("T")
REMOTE = "://"
"""What tells a URL from the path of a file."""


@dataclass(frozen=True)
class Address:
    """A recording that fsspec reads: the whole of a file, or a range of its bytes.

    Reading a range takes one request, and needs no state: threads may read from the same file.

    Attributes:
        url: Such as "s3://bucket/a.flac"; or the path of a file.
        start: First byte of the recording.
        size: Its bytes; None for all to the end.
    """

    url: str
    start: int = 0
    size: int | None = None

    def __str__(self) -> str:
        """As messages name it."""
        return self.url if self.size is None else f"{self.url} (bytes {self.start} to {self.start + self.size - 1})"

    @property
    def remote(self) -> bool:
        """Whether it is on another machine, or may be."""
        return REMOTE in self.url

    @property
    def store(self) -> str:
        """What has to be there for this one to be: the file, or the server and its bucket."""
        if not self.remote:
            return self.url
        protocol, _, rest = self.url.rpartition(REMOTE)
        return f"{protocol}{REMOTE}{rest.partition('/')[0]}"

    def read_bytes(self) -> bytes:
        """Reads the recording as it is stored.

        Raises:
            DataError: It does not exist, is cut short, cannot be reached, or needs a package that is not installed.
        """
        end = None if self.size is None else self.start + self.size
        content: bytes = self._ask(lambda system, path: system.cat_file(path, start=self.start or None, end=end))
        if self.size is not None and len(content) < self.size:
            raise DataError(
                f"clip {self} has {len(content)} of its {self.size} bytes: the file was cut short or written again;"
                " replace it, or index it again"
            )
        return content

    def exists(self) -> bool:
        """Whether the file is there; takes a request if it is remote.

        Raises:
            DataError: It cannot be reached, or needs a package that is not installed.
        """
        return self._ask(lambda system, path: bool(system.exists(path)))

    def _ask(self, question: Callable[[Any, str], T]) -> T:
        from fsspec.core import url_to_fs

        try:
            return question(*url_to_fs(self.url))
        except ImportError as fault:
            raise DataError(
                f"clip {self} needs a package that is not installed ({fault}): pip install 'mergekit-speech[remote]'"
            ) from fault
        except FileNotFoundError as fault:
            raise DataError(f"clip {self} does not exist: check the manifest's path") from fault
        # Each file system has errors of its own.
        except Exception as fault:
            reason = (str(fault).splitlines() or [type(fault).__name__])[0]
            raise DataError(f"clip {self} cannot be read ({reason}): check its address and the access to it") from fault


Recording = Path | Address
"""Where a clip's audio is."""


def find_absent(recordings: Iterable[Recording]) -> set[Recording]:
    """Those that are known to be gone.

    Files of this machine are looked for. Of each remote store one recording is, as a request for each would take hours;
    so a store that cannot be reached at all is found out.

    Raises:
        DataError: A store cannot be reached, or needs a package that is not installed.
    """
    everything = list(dict.fromkeys(recordings))
    addresses = [each for each in everything if isinstance(each, Address)]
    # Of those that lie in one local file all are gone with it.
    asked = {each.store: each for each in reversed(addresses)}
    gone = {store for store, first in asked.items() if not first.exists()}
    return {
        *(each for each in everything if isinstance(each, Path) and not each.is_file()),
        *(each for each in addresses if each.store in gone and (each is asked[each.store] or not each.remote)),
    }
