"""What the benchmark of similarity runs, and what README.md makes of its figures."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from benchmarks.similarity import PLACE, spell
from mergekit_speech.cli import main

ROOT = Path(__file__).resolve().parent.parent.parent


def test_commands_are_those_of_msm() -> None:
    for name, *arguments in spell(Path("data"), Path("run"), Path("work")):
        command = main.get_command(click.Context(main), name)
        assert command is not None
        # Refuses an option that the command does not have.
        command.make_parser(click.Context(command)).parse_args(arguments)


@pytest.fixture(scope="module")
def layers() -> dict[str, list[float]]:
    document = json.loads((PLACE / "results.json").read_text(encoding="utf-8"))
    return {pair["encoder"]: [layer["r2"] for layer in pair["layers"]] for pair in document["pairs"]}


def test_committed_figures_show_what_readme_says(layers: dict[str, list[float]]) -> None:
    far, near, middle = layers.values()
    for stable, quarter, half in zip(far, near, middle, strict=True):
        assert stable < half < quarter
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for label, row in layers.items():
        assert f"| {label} | {' | '.join(f'{r2:.2f}' for r2 in row)} |" in readme
