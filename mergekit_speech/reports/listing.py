"""A listing outside of a page: for the terminal and in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mergekit_speech.reports.sections import Listing

if TYPE_CHECKING:
    from rich.table import Table


def rich_table(listing: Listing) -> Table:
    """The listing for the terminal, as narrow as it goes."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in listing.headings:
        table.add_column(heading, overflow="fold")
    for row in listing.rows:
        # Text, since a label may hold what rich takes for markup.
        table.add_row(*(Text(entry.text) for entry in row))
    return table


def markdown_table(listing: Listing) -> str:
    """The listing in Markdown."""
    rows = [listing.headings, ["---"] * len(listing.headings)]
    rows += [[entry.text.replace("|", r"\|") for entry in row] for row in listing.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
