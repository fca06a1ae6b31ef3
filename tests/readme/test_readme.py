"""Every command and program of README.md runs as it stands there, with fewer steps, on tiny data."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks.records import latest
from benchmarks.speech_ft.claims import read_scores
from benchmarks.speech_ft.page import PAGE, PLACE, overview, render
from mergekit_speech.cli import main
from tests.conftest import ROOT
from tests.readme.blocks import commands, fenced

README = ROOT / "README.md"
CLIPS = ROOT / "mergekit_speech" / "demo" / "clips"
STEPS = 4
CLIPS_OF_A_SPLIT = 6
LAUNCHERS = ("accelerate launch ", "torchrun ")
EMOTIONS = ("angry", "happy")


def test_make_targets_exist() -> None:
    named = [line for line in commands(README) if not line.startswith(("msm ", *LAUNCHERS))]
    assert named == ["make demo", "make test"]
    for line in named:
        subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_launched_commands_are_those_of_msm() -> None:
    launched = [line for line in commands(README) if line.startswith(LAUNCHERS)]
    assert len(launched) == 3
    for line in launched:
        verb, *arguments = shlex.split(line.partition(" -m mergekit_speech.cli ")[2], comments=True)
        command = main.get_command(click.Context(main), verb)
        assert command is not None
        # Refuses an option that the command does not have.
        command.make_parser(click.Context(command)).parse_args(arguments)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_encoders: Mapping[str, Path]) -> Path:
    """A folder with `base/` and `speech/`, as README.md assumes them."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(tiny_encoders["hubert"], folder / "base")
    (folder / "speech").mkdir()
    (folder / "speech" / "audio").symlink_to(CLIPS / "audio")
    for task in ("pr", "ks", "sid"):
        write_manifest(folder / "speech" / task, few_clips(CLIPS / task / "manifest.jsonl"))
    words = few_clips(CLIPS / "ks" / "manifest.jsonl")
    emotions = [row | {"label": EMOTIONS[index % 2]} for index, row in enumerate(words)]
    write_manifest(folder / "speech" / "er", emotions)
    write_manifest(folder / "speech" / "unlabelled_zh", words)
    return folder


def few_clips(manifest: Path) -> list[dict[str, object]]:
    """Take some clips of each split; those that are not in training only with labels that training has."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    taken = [row for row in rows if row["split"] == "train"][:CLIPS_OF_A_SPLIT]
    labels = {row.get("label") for row in taken}
    for split in ("valid", "test"):
        taken += [row for row in rows if row["split"] == split and row.get("label") in labels][:CLIPS_OF_A_SPLIT]
    return taken


def write_manifest(folder: Path, rows: list[dict[str, object]]) -> None:
    folder.mkdir()
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def with_few_steps(text: str) -> str:
    return re.sub(r"(steps(?: |=|: ))\d+", rf"\g<1>{STEPS}", text)


def test_every_command_and_program_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModel

    monkeypatch.chdir(place)
    experiment, recipe = fenced(README, "yaml")
    (place / "experiment.yaml").write_text(with_few_steps(experiment), encoding="utf-8")
    (place / "recipe.yaml").write_text(recipe, encoding="utf-8")
    listed = [line for line in commands(README) if line.startswith("msm ")]
    # The last ones build on what the Python program leaves.
    verbs, rest = listed[:3], listed[3:]
    run_commands(verbs)
    for program in fenced(README, "python"):
        exec(compile(with_few_steps(program), str(README), "exec"), {})
    run_commands(rest)
    merged = place / "merged"
    assert (merged / "model.safetensors").read_bytes() != (place / "base" / "model.safetensors").read_bytes()
    assert AutoModel.from_pretrained(merged).config.hidden_size == 32


def run_commands(lines: list[str]) -> None:
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(with_few_steps(line))[1:], catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.output}"


def test_manifest_lines_are_json_with_the_fields_named() -> None:
    line, part = map(json.loads, fenced(README, "json"))
    assert line.keys() == {"id", "path", "duration", "speaker", "split", "phones"}
    assert part.keys() == {"id", "path", "bytes", "duration", "split", "text"}


def test_figures_are_those_of_the_results() -> None:
    assert overview(read_scores(PLACE)) in README.read_text(encoding="utf-8")
    assert render() in PAGE.read_text(encoding="utf-8")


def test_figures_of_weight_norm_are_those_of_the_results() -> None:
    found = latest("weight_norm")
    assert found is not None
    weight, states = (found["alphas"]["0.25"][each] for each in ("weight", "hidden_states"))
    text = README.read_text(encoding="utf-8").replace("\n", " ")
    told = (
        f"differ by {weight['of_values']:.2%} of that weight, which is {weight['of_change']:.1%} of what merging "
        f"changed in it, and by {states['of_values']:.2%} of the hidden states"
    )
    assert told.replace("%", " %") in text


def test_number_of_strategies_is_that_of_the_folder() -> None:
    modules = [path for path in (ROOT / "strategies").glob("*.py") if path.stem != "__init__"]
    assert f"any of {len(modules) - 1} other strategies" in README.read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
