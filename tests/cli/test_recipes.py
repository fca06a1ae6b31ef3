"""`msm recipes`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from mergekit_speech import registry
from mergekit_speech.cli import main
from mergekit_speech.errors import StrategyError
from mergekit_speech.merging.ready import RECIPES


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["recipes", *words])


def test_list() -> None:
    said = run()
    assert said.exit_code == 0
    assert [line.split()[0] for line in said.stdout.splitlines()] == RECIPES.names()
    assert "speech_ft         Speech-FT: a quarter of the way from the base" in said.stdout


def test_list_as_json() -> None:
    rows = json.loads(run("--json").stdout)["recipes"]
    assert [row["name"] for row in rows] == RECIPES.names()
    assert all(row["summary"].endswith(".") for row in rows)


def test_recipe_is_printed_as_it_is() -> None:
    assert run("ties").stdout == RECIPES.text("ties")


def test_recipe_as_json() -> None:
    assert json.loads(run("ties", "--json").stdout) == {"name": "ties", "recipe": RECIPES.text("ties")}


def test_unknown_recipe() -> None:
    said = run("tis")
    assert said.exit_code == 2
    assert said.stderr.startswith(
        "Error: expected a ready recipe, came 'tis' (did you mean 'ties'?); there are: lines,"
    )


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_schema(words: tuple[str, ...]) -> None:
    schema = json.loads(run("--schema", *words).stdout)
    assert schema["title"] == "Recipe"
    assert {"linear", "ties"} <= set(schema["properties"]["merge_method"]["enum"])


def test_schema_leaves_out_a_broken_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    load = registry.Registry.load

    def load_others(self: registry.Registry[object], name: str) -> object:
        if name == "ties":
            raise StrategyError("broken")
        return load(self, name)

    monkeypatch.setattr(registry.Registry, "load", load_others)
    names = json.loads(run("--schema").stdout)["properties"]["merge_method"]["enum"]
    assert "ties" not in names
    assert "linear" in names


def test_name_and_schema() -> None:
    said = run("ties", "--schema")
    assert said.exit_code == 2
    assert "expected a NAME or --schema, came 'ties' and --schema" in said.stderr
