"""Where s3prl is, and whether it is the one that the engine knows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

from mergekit_speech.errors import SettingsError

VERSION = "0.4.18"
VARIABLE = "MSM_S3PRL"
INSTALL = "pip install 'mergekit-speech[superb]'"


def find_s3prl() -> Path | None:
    """Finds s3prl: in the folder that MSM_S3PRL names, beside this package, or in `s3prl` of its environment.

    Returns:
        The folder to put on the path, or None where s3prl is on it already.

    Raises:
        SettingsError: There is none, or one of another version.
    """
    chosen = os.environ.get(VARIABLE)
    own = Path(sys.prefix) / "s3prl"
    places: list[Path | None] = [Path(chosen)] if chosen else [None, own]
    for place in places:
        version = _version(sys.path if place is None else [str(place)])
        if version == VERSION:
            return place
        if version is not None:
            raise SettingsError(
                f"expected s3prl {VERSION} for --engine s3prl, came {version!r} at {_say(place)}: install it with"
                f" {INSTALL}"
            )
    raise SettingsError(
        f"expected s3prl {VERSION} for --engine s3prl, came none at {' or '.join(map(_say, places))}: install it with"
        f" {INSTALL}, or name the folder that holds it in {VARIABLE}"
    )


def _version(path: Iterable[str]) -> str | None:
    return next((found.version for found in distributions(name="s3prl", path=list(path))), None)


def _say(place: Path | None) -> str:
    return "Python's path" if place is None else repr(str(place))
