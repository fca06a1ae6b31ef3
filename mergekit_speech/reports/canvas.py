"""Drawings as SVG: in a page they follow its theme, on their own they carry light colours with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10
from typing import Final

from mergekit_speech.reports.palette import SERIES, light_style

WIDTH: Final = 480
SHAPES: Final = ("circle", "square", "triangle", "diamond")


@dataclass
class Canvas:
    """A drawing in the making, 480 units wide so that its text can be read on a phone; y runs downwards.

    Attributes:
        title: What a reader who does not see it is told.
        height: Grows as things are drawn by whoever draws them.
        parts: Elements so far.
    """

    title: str
    height: float = 0.0
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, style: str = "") -> None:
        """Writes one line; `style` names classes of the style sheet."""
        self.parts.append(f'<text x="{_n(x)}" y="{_n(y)}"{_class(style)}>{escape(words)}</text>')

    def line(self, x: float, y: float, to_x: float, to_y: float, style: str) -> None:
        """Draws a straight line."""
        self.parts.append(f'<path d="M{_n(x)} {_n(y)}L{_n(to_x)} {_n(to_y)}"{_class(style)}/>')

    def path(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """Draws straight lines from point to point."""
        steps = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        self.parts.append(f'<path d="M{steps}"{_class(style)}/>')

    def area(self, points: Sequence[tuple[float, float]], style: str, opacity: float) -> None:
        """Fills what lies between the points."""
        steps = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        self.parts.append(f'<path d="M{steps}Z" fill-opacity="{_n(opacity)}"{_class(style)}/>')

    def box(self, x: float, y: float, width: float, height: float, style: str, opacity: float = 1.0) -> None:
        """Draws a rectangle."""
        seen = "" if opacity == 1 else f' fill-opacity="{_n(opacity)}"'
        size = f'width="{_n(max(0.0, width))}" height="{_n(height)}"'
        self.parts.append(f'<rect x="{_n(x)}" y="{_n(y)}" {size}{seen}{_class(style)}/>')

    def mark(self, x: float, y: float, series: int, *, filled: bool = True, size: float = 4.5) -> None:
        """Draws the mark of a series, its colour and its shape, around a point."""
        colour = series % SERIES
        style = f"mark stroke-{colour} {f'fill-{colour}' if filled else 'hollow'}"
        shape = SHAPES[series % len(SHAPES)]
        if shape == "circle":
            self.parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}"{_class(style)}/>')
        elif shape == "square":
            self.parts.append(
                f'<rect x="{_n(x - size + 0.5)}" y="{_n(y - size + 0.5)}" width="{_n(2 * size - 1)}"'
                f' height="{_n(2 * size - 1)}"{_class(style)}/>'
            )
        elif shape == "triangle":
            corners = f"M{_n(x)} {_n(y - size)}L{_n(x + size)} {_n(y + size - 1)}L{_n(x - size)} {_n(y + size - 1)}Z"
            self.parts.append(f'<path d="{corners}"{_class(style)}/>')
        else:
            far = size + 1
            corners = f"M{_n(x)} {_n(y - far)}L{_n(x + far)} {_n(y)}L{_n(x)} {_n(y + far)}L{_n(x - far)} {_n(y)}Z"
            self.parts.append(f'<path d="{corners}"{_class(style)}/>')

    def svg(self, *, alone: bool) -> str:
        """The drawing as text.

        Args:
            alone: With its own colours, as a file, or for a page that has them.
        """
        style = f"<style>\n{light_style()}</style>" if alone else ""
        size = f' width="{WIDTH}" height="{_n(self.height)}"' if alone else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {_n(self.height)}"{size} role="img">'
            f"<title>{escape(self.title)}</title>{style}{''.join(self.parts)}</svg>"
        )


def shorten(label: str, letters: int) -> str:
    """A label that fits; its end is what mostly tells encoders apart."""
    return label if len(label) <= letters else f"…{label[1 - letters :]}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from below `low` to above `high`.

    Args:
        low: Least value.
        high: Greatest value.
        about: How many steps, roughly.
    """
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** floor(log10(span / about))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if span / (factor * power) <= about)
    # A value that rounding left a hair beside a tick lies on it.
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, max(last, first + 1) + 1)]


def _n(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _class(style: str) -> str:
    return f' class="{style}"' if style else ""
