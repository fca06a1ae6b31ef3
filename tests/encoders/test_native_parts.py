"""An installed torchaudio that does not load keeps nothing else from loading."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mergekit_speech.encoders.native_parts import EXTENSION, do_without_native_parts

FRESH = do_without_native_parts.__wrapped__


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A torchaudio as PyPI's beside a torch of another kind."""
    package = tmp_path / "torchaudio"
    (package / "_extension").mkdir(parents=True)
    (package / "__init__.py").write_text("from . import _extension\nvalue = 7\n")
    (package / "_extension" / "__init__.py").write_text("raise OSError('libcudart.so.13: no such file')\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]


@pytest.mark.usefixtures("broken")
def test_torchaudio_imports_without_its_native_parts() -> None:
    with pytest.raises(OSError, match="libcudart"):
        importlib.import_module("torchaudio")
    FRESH()
    assert importlib.import_module("torchaudio").value == 7


@pytest.mark.usefixtures("broken")
def test_what_needs_native_parts_says_so() -> None:
    FRESH()

    def forced_align() -> None:
        pass

    extension: Any = sys.modules[EXTENSION]
    refused = extension.fail_if_no_align(forced_align)
    with pytest.raises(RuntimeError) as caught:
        refused(1, blank=0)
    assert str(caught.value) == "expected torchaudio with its native parts for 'forced_align'; they do not load"


def test_without_torchaudio_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mergekit_speech.encoders.native_parts.find_spec", lambda _: None)
    FRESH()
    assert EXTENSION not in sys.modules
