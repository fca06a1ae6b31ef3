"""Grids in YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from mergekit_speech.errors import MsmError, RecipeError, SettingsError
from mergekit_speech.sweeping.grid import Grid
from mergekit_speech.sweeping.grid_file import read_grids


def read(tmp_path: Path, text: str) -> list[Grid]:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    return read_grids(path)


def test_a_file_lists_grids(tmp_path: Path) -> None:
    text = """
- alphas: 0:1:0.5
  strategies: [ties, task_arithmetic]
  settings: {density: [0.1, 0.2], weight: [[1, 2], 0.5]}
- alphas: [0.25, 1]
  groups: [attention, upper]
- strategies: [linear]
"""
    assert read(tmp_path, text) == [
        Grid((0, 0.5, 1), ("ties", "task_arithmetic"), {"density": [0.1, 0.2], "weight": [[1, 2], 0.5]}),
        Grid((0.25, 1), groups=("attention", "upper")),
        Grid((0, 0.25, 0.5, 0.75, 1)),
    ]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (
            "alphas: 0",
            RecipeError,
            r"grid.yaml: expected a list of grids, came \{'alphas': 0\}: begin each with a dash",
        ),
        ("[]", RecipeError, r"expected a list of grids, came \[\]"),
        ("- [", RecipeError, "grid.yaml: line 1: expected YAML, came while parsing"),
        ("- {groups: [], groups: []}", RecipeError, "grid.yaml: line 1: .*groups"),
        (
            "- alpha: 1",
            RecipeError,
            r"grid 1: expected keys among alphas, .*, came 'alpha' \(did you mean 'alphas'\?\)",
        ),
        ("- {}\n- groups: cnn", RecipeError, "grid 2: groups: input should be a valid list, came 'cnn'"),
        ("- strategies: []", RecipeError, "grid 1: strategies: list should have at least 1 item"),
        ("- 5", RecipeError, "grid 1: all of it: input should be a valid dictionary.*, came 5"),
        ("- alphas: []", SettingsError, "expected alphas such as .*, came '': give at least one"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, error: type[MsmError], said: str) -> None:
    with pytest.raises(error, match=said):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot read .*gone.yaml: .*No such file"):
        read_grids(tmp_path / "gone.yaml")
