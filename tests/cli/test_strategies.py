"""`msm strategies`."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from mergekit_speech import registry
from mergekit_speech.cli import main


def test_list_has_every_strategy_with_its_source() -> None:
    said = CliRunner().invoke(main, ["strategies"])
    assert said.exit_code == 0
    assert all(word in said.stdout for word in ("linear", "task_arithmetic", "ties", "arXiv:2306.01708"))


def test_list_as_json() -> None:
    rows = json.loads(CliRunner().invoke(main, ["strategies", "--json"]).stdout)["strategies"]
    assert {"linear", "task_arithmetic", "ties"} <= {row["name"] for row in rows}
    assert all(row["summary"] and row["source"] for row in rows)


def test_one_strategy_is_described() -> None:
    said = CliRunner().invoke(main, ["strategies", "ties"])
    assert said.exit_code == 0
    assert all(
        word in said.stdout for word in ("Differs: from the paper", "density", "tensor, model", "0 … 1", "lambda")
    )


def test_one_strategy_as_json() -> None:
    document = json.loads(CliRunner().invoke(main, ["strategies", "linear", "--json"]).stdout)
    assert document["settings"]["scale"]["aliases"] == ["alpha"]
    assert document["settings"]["scale"]["default"] is None


def test_unknown_strategy() -> None:
    said = CliRunner().invoke(main, ["strategies", "lineer"])
    assert said.exit_code == 2
    assert said.stderr.startswith("Error: expected a strategy, came 'lineer' (did you mean 'linear'?); there are: ")


def test_broken_plugin_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", "no_such_module_anywhere:STRATEGY", "mergekit_speech.strategies")
    monkeypatch.setattr(registry, "entry_points", lambda group: (point,) if group == point.group else ())
    rows = json.loads(CliRunner().invoke(main, ["strategies", "--json"]).stdout)["strategies"]
    summaries = {row["name"]: row["summary"] for row in rows}
    assert summaries["broken"].startswith("cannot be loaded: strategy 'broken' of the plugin")
    assert "ties" in summaries
