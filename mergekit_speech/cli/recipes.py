"""`msm recipes`: ready recipes to adapt, and a schema for the editor that one adapts them in."""

from __future__ import annotations

import contextlib
import json

import click

from mergekit_speech.cli._ready import list_ready, print_ready, print_text
from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.errors import StrategyError
from mergekit_speech.merging.ready import RECIPES

HELP = """List the ready recipes, or print the one called NAME, to be adapted and given to `msm merge`.

\b
msm recipes speech_ft > recipe.yaml
msm recipes --schema > recipe.schema.json
"""


@click.command(help=HELP)
@click.argument("name", required=False)
@click.option("--schema", is_flag=True, help="Print a JSON Schema of recipes, for editors, in place of a recipe.")
@common_options
def command(out: Output, /, *, name: str | None, schema: bool) -> None:
    """List the ready recipes, print one, or print the schema."""
    if schema and name is not None:
        raise click.UsageError(f"expected a NAME or --schema, came {name!r} and --schema")
    if schema:
        _print_schema(out)
    elif name is not None:
        print_ready(RECIPES, name, out)
    else:
        list_ready(RECIPES, out)


def _print_schema(out: Output) -> None:
    from mergekit_speech.merging.documents.json_schema import recipe_json_schema
    from mergekit_speech.registry import STRATEGIES

    strategies = {}
    for name in STRATEGIES.names():
        # One broken plugin must not hide the others.
        with contextlib.suppress(StrategyError):
            strategies[name] = STRATEGIES.load(name)
    schema = recipe_json_schema(strategies)
    print_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", schema, out)
