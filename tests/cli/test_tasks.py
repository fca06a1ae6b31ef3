"""`msm tasks`."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner, Result

from mergekit_speech import registry
from mergekit_speech.cli import main
from mergekit_speech.errors import StrategyError
from mergekit_speech.registry import TASKS, Registry

BUILT_IN = {"asr", "asv", "er", "ic", "ks", "pc", "pr", "qbe", "sd", "sf", "sid"}


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tasks", *arguments])


def test_list_shows_every_task_with_its_field() -> None:
    done = invoke()
    assert done.exit_code == 0
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("│")}
    assert rows.keys() >= BUILT_IN
    assert "100,000 × 2 × 16" in rows["pr"]
    for words in ("pr: phones", "ic or slu: slots", "trials.jsonl", "field fold, or splits", "splits doc and query"):
        assert words in done.stdout


def test_list_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mergekit_speech.cli.output.WIDTH_WITHOUT_TERMINAL", 80)
    lines = invoke().stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


def test_list_as_json() -> None:
    listed = {row["name"]: row for row in json.loads(invoke("--json").stdout)["tasks"]}
    assert listed.keys() >= BUILT_IN
    assert listed["sid"] == {
        "name": "sid",
        "title": "speaker identification",
        "reads": "sid",
        "field": "label",
        "needs": "splits train, valid and test",
        "fine_tuning": "50,000 × 4 × 8, lr 0.0001",
        "probing": "200,000 × 4 × 8, lr 0.0001",
        "metrics": "accuracy",
    }
    assert listed["ic"]["reads"] == "ic or slu"
    assert listed["qbe"]["fine_tuning"] == "trains no head"


def test_description_names_data_metrics_and_budgets() -> None:
    shown = invoke("pr").stdout
    assert "DATA/pr/manifest.jsonl, field 'phones'" in shown
    assert "PER (lower is better)" in shown
    assert "fine-tuning" in shown
    assert "probing" in shown


def test_description_says_what_is_read_beside_the_manifest() -> None:
    asv = invoke("asv").stdout
    assert "needs    splits train and test, perhaps valid; trials.jsonl beside the manifest; no speaker of test" in asv
    assert "[start, end, speaker]" in invoke("sd").stdout


def test_task_without_a_head_has_no_budget() -> None:
    shown = invoke("qbe").stdout
    assert "the first one picks the hidden state" in shown
    assert "trains no head, so an encoder cannot be fine-tuned on it" in shown
    assert json.loads(invoke("qbe", "--json").stdout)["budgets"] == {}


def test_description_as_json() -> None:
    shown = json.loads(invoke("pr", "--json").stdout)
    assert shown["metrics"] == [{"name": "per", "title": "PER", "lower_is_better": True}]
    assert shown["budgets"]["fine-tuning"]["learning_rate"] == 1e-4


def test_unknown_task_offers_the_nearest() -> None:
    said = invoke("sidd")
    assert said.exit_code == 2
    assert said.stderr.startswith("Error: expected a task, came 'sidd' (did you mean 'sid'?); there are: ")


def test_broken_plugin_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Registry.load

    def broken(registry: Registry[object], name: str) -> object:
        if name == "er":
            raise StrategyError("no module 'emotions'")
        return load(registry, name)

    monkeypatch.setattr(Registry, "load", broken)
    shown = invoke().stdout
    assert "cannot be loaded: no module 'emotions'" in shown
    assert "phoneme recognition" in shown


def test_plugin_that_is_no_task_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("odd", "json:dumps", TASKS.package)
    monkeypatch.setattr(registry, "entry_points", lambda group: (point,) if group == point.group else ())
    said = invoke("odd")
    assert said.exit_code == 2
    (line,) = said.stderr.splitlines()
    assert line.startswith("Error: expected the plugin 'json:dumps' of an unknown distribution to be a Task, came <f")
    assert "cannot be loaded: expected the plugin 'json:dumps'" in " ".join(invoke().stdout.replace("│", " ").split())
