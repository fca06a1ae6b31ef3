"""A report as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from mergekit_speech.reports.palette import DRAWING_STYLE, variables
from mergekit_speech.reports.sections import Section


def html_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Writes the page; the same sections give the same bytes.

    Args:
        title: Its heading.
        subtitle: A line below.
        sections: In order.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    folder = files("mergekit_speech.reports") / "templates"
    return environment.from_string((folder / "page.html.j2").read_text(encoding="utf-8")).render(
        title=title,
        subtitle=subtitle,
        sections=sections,
        light=variables("light"),
        dark=variables("dark"),
        style=(folder / "page.css").read_text(encoding="utf-8") + DRAWING_STYLE,
    )


def names(document: Mapping[str, Any]) -> str:
    """The encoders of a report in a few words."""
    labels = [encoder["label"] for encoder in document["encoders"]]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[1:])} against {labels[0]}"
