"""The errors that the toolkit raises on purpose."""

from __future__ import annotations

import pytest

from mergekit_speech import errors
from mergekit_speech.errors import MsmError

ERRORS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MsmError)),
    key=lambda kind: kind.__name__,
)
EXIT_CODES = {"SettingsError": 2, "RecipeError": 2, "StrategyError": 2} | dict.fromkeys(
    ("PairingError", "ShardError", "CheckpointError", "DataError"), 3
)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_exit_code_tells_usage_from_data_from_the_rest(kind: type[MsmError]) -> None:
    assert kind("text").exit_code == EXIT_CODES.get(kind.__name__, 1)


def test_every_error_of_the_table_exists() -> None:
    assert EXIT_CODES.keys() <= {kind.__name__ for kind in ERRORS}
