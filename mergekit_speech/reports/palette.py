"""Colours and text of drawings and pages, light and dark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

SERIES: Final = 6
"""Encoders with a colour of their own; the seventh has that of the first."""

PALETTES: Final[Mapping[str, Mapping[str, str]]] = {
    "light": {
        "ink": "#1c1e21",
        "muted": "#5f6670",
        "line": "#d9dce1",
        "paper": "#ffffff",
        "panel": "#f6f7f9",
        "heat": "#0b63a5",
        "good": "#17713f",
        "bad": "#b3261e",
        "series-0": "#7b828c",
        "series-1": "#0072b2",
        "series-2": "#d55e00",
        "series-3": "#009e73",
        "series-4": "#b4568c",
        "series-5": "#a97800",
    },
    "dark": {
        "ink": "#e7e9ec",
        "muted": "#a0a7b1",
        "line": "#3a3f46",
        "paper": "#15171a",
        "panel": "#1d2024",
        "heat": "#5db4f5",
        "good": "#62d394",
        "bad": "#ff8a80",
        "series-0": "#9aa2ad",
        "series-1": "#56b4f0",
        "series-2": "#ff9450",
        "series-3": "#3ccf9f",
        "series-4": "#e59ac6",
        "series-5": "#e3b341",
    },
}
"""Colours by theme and name; those of series are told apart by colour-blind readers too (after Okabe and Ito)."""

_TEXT: Final = """\
svg text { font: 12px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
svg .small { font-size: 10.5px; }
svg .tiny { font-size: 9px; }
svg .strong { font-weight: 600; }
svg .muted { fill: var(--muted); }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .number { font-variant-numeric: tabular-nums; }
svg .on-heat { fill: var(--paper); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .zero { stroke: var(--muted); stroke-width: 1; }
svg .whisker { stroke: var(--ink); stroke-width: 1.2; }
svg .mark { stroke-width: 1.6; fill: none; }
svg .hollow { fill: var(--panel); }
svg .cell { fill: var(--heat); }
svg .frame { fill: none; stroke: var(--line); stroke-width: 1; }
svg .ground { fill: var(--panel); }
"""
_SERIES: Final = "".join(
    f"svg .fill-{place} {{ fill: var(--series-{place}); }}\nsvg .stroke-{place} {{ stroke: var(--series-{place}); }}\n"
    for place in range(SERIES)
)
DRAWING_STYLE: Final = _TEXT + _SERIES
"""Style sheet of drawings; colours are variables, so that a page decides which."""


def light_style() -> str:
    """The same with light colours written out, for drawings that leave the page: few programs know variables."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: PALETTES["light"][found[1]], DRAWING_STYLE)


def variables(theme: str) -> str:
    """The colours of a theme as CSS declarations."""
    return " ".join(f"--{name}: {colour};" for name, colour in PALETTES[theme].items())
