"""Drawings: axes, marks, and labels that fit."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.reports.bars import Bar, draw_bars
from mergekit_speech.reports.canvas import WIDTH, Canvas, shorten, ticks
from mergekit_speech.reports.curves import Curve, Plot, Point, draw_curves
from mergekit_speech.reports.heat import Band, heat_map
from mergekit_speech.reports.palette import DRAWING_STYLE, PALETTES, light_style


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (-8, 17, [-10, -5, 0, 5, 10, 15, 20]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 0, [0, 0.2]),
        (3, 3, [3, 4]),
        (-0.3, 0, [-0.3, -0.2, -0.1, 0]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low: float, high: float, wanted: list[float]) -> None:
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    if (low, high) in ((-8, 17), (0, 1)):
        assert found == pytest.approx(wanted)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_there_are_few_ticks(low: float, span: float, about: int) -> None:
    found = ticks(low, low + span, about)
    assert 2 <= len(found) <= about + 3
    assert found == sorted(set(found))
    assert found[0] <= low + 1e-6 * span
    assert found[-1] >= low + span - 1e-6 * span


def test_long_labels_keep_their_end() -> None:
    assert shorten("merged", 6) == "merged"
    assert shorten("hubert-merged-0.25", 10) == "…rged-0.25"


def test_drawing_alone_has_colours_and_none_in_a_page() -> None:
    canvas = Canvas("a < b", height=10)
    for series in range(5):
        canvas.mark(10 * series, 5, series, filled=series % 2 == 0)
    canvas.text(0, 5, "<&>", "strong")
    alone, within = canvas.svg(alone=True), canvas.svg(alone=False)
    for text in (alone, within):
        assert ElementTree.fromstring(text).attrib["viewBox"] == f"0 0 {WIDTH} 10"
    assert PALETTES["light"]["ink"] in alone
    assert "style" not in within


def test_both_themes_name_every_colour_of_the_style() -> None:
    assert PALETTES["light"].keys() == PALETTES["dark"].keys()
    assert all(f"--{name}" in DRAWING_STYLE or name in ("paper", "good", "bad", "line") for name in PALETTES["light"])
    assert "var(" not in light_style()


def test_bars_start_at_zero_to_both_sides() -> None:
    canvas = draw_bars("title", [("PR", [Bar("a", -50, "−50"), Bar("b", 100, "100", (90, 110))])], ["a", "b"], "points")
    boxes = [part for part in canvas.parts if part.startswith("<rect")]
    starts, widths = ([float(ElementTree.fromstring(box).attrib[name]) for box in boxes] for name in ("x", "width"))
    assert starts[0] + widths[0] == pytest.approx(starts[1], abs=0.02)
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.02)


def test_darkest_cell_is_the_largest_and_what_is_unknown_stays_empty() -> None:
    canvas = heat_map("title", [Band("R²", ["0", "1", "2"], [("a", [0.5, None, -1.0])], most=1.0)])
    shares = [ElementTree.fromstring(part).attrib.get("fill-opacity", "1") for part in canvas.parts if '"cell"' in part]
    assert shares == ["0.5", "0", "0"]
    assert [part for part in canvas.parts if "−1.00" in part]
    assert sum("tiny number" in part for part in canvas.parts) == 2


def test_rows_of_a_heat_map_have_room_for_their_labels() -> None:
    name, far = "encoder.pos_conv_embed", f"a name of 40 letters that ends in {'x' * 7}"
    canvas = heat_map("title", [Band("relative", ["tuned"], [(name, [0.5]), (far, [1.0])])])
    labels = ["".join(ElementTree.fromstring(part).itertext()) for part in canvas.parts if 'class="small"' in part]
    assert labels == [name, f"…{far[-21:]}"]


def test_curves_lie_between_their_axes_and_ends_are_hollow() -> None:
    points = [Point(0, 5, end=True), Point(0.5, 7, (6, 8)), Point(1, 6, (5, 7), end=True)]
    canvas = draw_curves("title", [Plot("PR", [Curve("linear", points)])])
    hollow = [part for part in canvas.parts if "hollow" in part]
    assert len(hollow) == 2
    places = [ElementTree.fromstring(part).attrib for part in hollow]
    assert [float(place["cx"]) for place in places] == sorted(float(place["cx"]) for place in places)
    assert sum("fill-opacity" in part for part in canvas.parts) == 1
