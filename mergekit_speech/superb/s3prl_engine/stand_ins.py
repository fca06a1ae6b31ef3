"""Lets s3prl's SUPERB problems import and run beside today's torch, torchaudio and pandas.

Nothing on disk changes, and what stands in is there for one process only: the one that the engine starts.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from mergekit_speech.encoders.native_parts import do_without_native_parts
from mergekit_speech.superb.s3prl_engine.effects import apply_effects

BARE = ("s3prl.problem", "s3prl.problem.common")
"""Packages whose own code imports the HEAR benchmark, which needs packages that no longer install."""


def stand_in(upstreams: Mapping[str, Any]) -> None:
    """Puts stand-ins where s3prl would fail; call it before s3prl or transformers' audio models are imported.

    Args:
        upstreams: What `s3prl.hub` offers, by name, in place of its own upstreams, whose import takes long.
    """
    do_without_native_parts()
    _complete_torchaudio()
    _read_tables_as_text()
    # Python 3.13 dropped it; s3prl imports it and does not use it.
    if find_spec("chunk") is None:
        _add("chunk", {})
    _add("s3prl.hub", upstreams)
    for name in BARE:
        spec = find_spec("s3prl")
        root = Path(str(spec and spec.origin)).parent
        _add(name, {}).__path__ = [str(root.joinpath(*name.split(".")[1:]))]


def _complete_torchaudio() -> None:
    """Adds what torchaudio 2.9 dropped: a switch of backends that s3prl pulls, and sox's effects."""
    torchaudio: Any = importlib.import_module("torchaudio")
    torchaudio.set_audio_backend = _choose_nothing
    torchaudio.sox_effects = _add("torchaudio.sox_effects", {"apply_effects_tensor": apply_effects})


def _choose_nothing(_: str) -> None:
    """There is one backend."""


def _read_tables_as_text() -> None:
    """Keeps pandas from reading the word "null" as nothing and the label "007" as a number."""
    pandas: Any = importlib.import_module("pandas")
    pandas.read_csv = partial(pandas.read_csv, dtype=str, keep_default_na=False)


def _add(name: str, members: Mapping[str, Any]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module
    return module
