"""`msm strategies`: what one can merge with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.errors import StrategyError
from mergekit_speech.registry import STRATEGIES

if TYPE_CHECKING:
    from mergekit_speech.api import Param, Strategy


@click.command()
@click.argument("name", required=False)
@common_options
def command(out: Output, /, *, name: str | None) -> None:
    """List the merge strategies, or describe the one called NAME."""
    if name is None:
        _list(out)
    else:
        _describe(name, STRATEGIES.load(name), out)


def _list(out: Output) -> None:
    from rich.table import Table

    rows = [(name, *_summarise(name)) for name in STRATEGIES.names()]
    table = Table("strategy", "what it does", "source")
    for row in rows:
        table.add_row(*row)
    out.table(table)
    out.result({"strategies": [dict(zip(("name", "summary", "source"), row, strict=True)) for row in rows]})


def _summarise(name: str) -> tuple[str, str]:
    # One broken plugin must not hide the others.
    try:
        strategy = STRATEGIES.load(name)
    except StrategyError as error:
        return f"cannot be loaded: {error}", ""
    return strategy.summary, strategy.source


def _describe(name: str, strategy: Strategy, out: Output) -> None:
    from rich.table import Table
    from rich.text import Text

    text = (sys.modules[strategy.merge.__module__].__doc__ or strategy.summary).strip()
    out.table(Text(f"{name}\n\n{text}\n"))
    table = Table("setting", "kind", "default", "range", "meaning")
    for key, param in strategy.params.items():
        names = ", ".join((key, *param.aliases))
        default = "required" if param.default is None else str(param.default)
        each = " (per encoder)" if param.per_encoder else ""
        table.add_row(names, f"{param.kind.__name__}{each}", default, _range(param), param.doc)
    out.table(table)
    out.result(
        {
            "name": name,
            "summary": strategy.summary,
            "source": strategy.source,
            "doc": text,
            "settings": _settings(strategy),
        }
    )


def _range(param: Param) -> str:
    if param.choices:
        return ", ".join(param.choices)
    low = "" if param.low is None else f"{param.low:g}"
    high = "" if param.high is None else f"{param.high:g}"
    return f"{low} … {high}" if low or high else ""


def _settings(strategy: Strategy) -> dict[str, object]:
    return {
        name: {
            "kind": param.kind.__name__,
            "default": param.default,
            "low": param.low,
            "high": param.high,
            "choices": param.choices,
            "per_encoder": param.per_encoder,
            "aliases": param.aliases,
            "doc": param.doc,
        }
        for name, param in strategy.params.items()
    }
