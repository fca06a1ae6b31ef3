"""A base in one layout and a tuned encoder in another merge as two directories do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mergekit_speech.cli import main
from mergekit_speech.layouts.read import open_encoder
from tests.families.cells import DIRECTORY, WHOLE, cells
from tests.families.conftest import Written
from tests.layouts.samples import Array
from tests.layouts.test_read import values

ALPHA = 0.25


def merged(base: Path, tuned: Path, output: Path) -> dict[str, Array]:
    """Merges two encoders, and gives the result's parameters by canonical names."""
    named = ["--base", str(base), "--tuned", str(tuned), "--alpha", str(ALPHA), "--output", str(output)]
    done = CliRunner().invoke(main, ["merge", *named])
    assert done.exit_code == 0, done.output
    return values(open_encoder(output))


def check_merged(found: dict[str, Array], family: str, written: Written) -> None:
    base, tuned = (values(open_encoder(written(family, DIRECTORY, tuned=tuned))) for tuned in (False, True))
    assert found.keys() == base.keys()
    moved = [name for name in base if not np.array_equal(base[name], tuned[name])]
    assert moved
    for name, each in found.items():
        assert np.allclose(each, base[name] + ALPHA * (tuned[name] - base[name]), rtol=0, atol=1e-6), name


@pytest.mark.parametrize(("family", "layout"), cells("merge"))
def test_every_layout_is_merged_into_a_directory(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    found = merged(written(family, DIRECTORY), written(family, layout, tuned=True), tmp_path / "out")
    check_merged(found, family, written)


@pytest.mark.parametrize(("family", "layout"), cells("merge", layouts=WHOLE))
def test_a_directory_is_merged_into_every_layout(family: str, layout: str, written: Written, tmp_path: Path) -> None:
    found = merged(written(family, layout), written(family, DIRECTORY, tuned=True), tmp_path / "out")
    check_merged(found, family, written)
