"""What `import mergekit_speech` offers."""

from __future__ import annotations

import pytest

import mergekit_speech

MOST_NAMES = 13


def test_public_names_exist_and_are_few() -> None:
    assert all(hasattr(mergekit_speech, name) for name in mergekit_speech.__all__)
    assert set(mergekit_speech.__all__) <= set(dir(mergekit_speech))
    assert len(mergekit_speech.__all__) <= MOST_NAMES


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'mergekit_speech' has no attribute 'mrge'; it has: "):
        mergekit_speech.__getattr__("mrge")
