"""torchaudio without its native parts, where those do not load.

transformers imports an installed torchaudio with each of its audio models. The native parts are made for one CUDA
version: beside any other torch that import fails, and every audio model with it. What transformers and s3prl use of
torchaudio is Python.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

EXTENSION = "torchaudio._extension"


@cache
def do_without_native_parts() -> None:
    """Makes an installed torchaudio import, with a stand-in for its native parts where they do not load."""
    if find_spec("torchaudio") is None:
        return
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules[EXTENSION] = _stand_in()


def _stand_in() -> Any:
    module: Any = ModuleType(EXTENSION)
    module._IS_TORCHAUDIO_EXT_AVAILABLE = module._IS_ALIGN_AVAILABLE = False
    module.fail_if_no_align = _unavailable
    return module


def _unavailable(function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"expected torchaudio with its native parts for {function.__name__!r}; they do not load")

    return refuse
