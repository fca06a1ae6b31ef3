"""`msm demo` as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mergekit_speech.cli import main
from mergekit_speech.demo import run

MSM = [sys.executable, "-c", "from mergekit_speech.cli import main; main(prog_name='msm')"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The whole demo in a process of its own, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("demo")
    command = [*MSM, "demo", "--output", "out", "--json"]
    return folder / "out", subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def test_it_ends_with_figures_for_base_tuned_and_merged(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    document = json.loads(done[1].stdout)
    assert {probe["encoder"] for probe in document["probes"]} == {"base", "tuned", "merged"}
    assert {probe["task"] for probe in document["probes"]} == set(run.PROBED)


def test_fine_tuning_gains_on_its_own_task(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    document = json.loads(done[1].stdout)
    right: dict[str, list[float]] = {"base": [], "tuned": []}
    for probe in document["probes"]:
        if probe["task"] == run.TASK and probe["encoder"] in right:
            right[probe["encoder"]].append(probe["test"]["acc"])
    assert min(right["tuned"]) > max(right["base"])


def test_it_leaves_an_encoder_that_loads_a_table_and_a_plot(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    from transformers import AutoModel

    output, process = done
    assert AutoModel.from_pretrained(output / "merged").config.model_type == "hubert"
    for name in ("results.json", "table.md", "deltas.png", "deltas.svg"):
        assert (output / "report" / name).stat().st_size > 0
    assert "AutoModel.from_pretrained" in process.stderr


def test_each_step_names_the_command_that_does_the_same(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    steps = [line.split("  ", 1)[1] for line in done[1].stderr.splitlines() if line[:3] in ("1/3", "2/3", "3/3")]
    assert [step.split()[:2] for step in steps] == [["msm", "finetune"], ["msm", "merge"], ["msm", "bench"]]


def test_a_second_demo_in_the_same_place_is_refused(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    result = CliRunner().invoke(main, ["demo", "--output", str(done[0])])
    assert result.exit_code == 1
    assert "exists: continue that run with --resume, replace it with --overwrite" in result.stderr
