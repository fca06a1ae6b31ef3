"""The experiment's drawings hold what its figures say, and nothing is drawn of what was not measured."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.speech_ft.drawing import draw_alphas, draw_similarity
from benchmarks.speech_ft.page import CURVES, PLACE, SCATTER, SIMILARITY, draw, render
from mergekit_speech.superb.document import document
from tests.superb.benches import bench_of

RATES = {f"α {alpha}": {"pr": 0.4 - 0.1 * place, "ks": 0.3} for place, alpha in enumerate(("0", "0.25", "1"))}
DECOYS = {f"α {alpha}": {"pr": 0.4} for alpha in ("0", "1")}


def test_metrics_are_drawn_against_alpha_from_the_base_on(tmp_path: Path) -> None:
    own, other = (document(bench_of(rates))[0] for rates in (RATES, DECOYS))
    draw_alphas({"pr": own, "sid": other}, tmp_path / "curves.svg")
    drawn = (tmp_path / "curves.svg").read_text()
    for words in ("PR PER ↓", "KS accuracy ↑", "tuned on PR", "tuned on SID"):
        assert f">{words}</text>" in drawn
    # Of PR and of the score there are two curves, of KS one; both ends of each are hollow.
    assert drawn.count(' hollow"') == 2 * 5


def test_every_encoder_is_a_point_and_every_way_a_mean(tmp_path: Path) -> None:
    rows = [{"encoder": label, "deviation": 0.1, "r2": r2} for label in ("Stable-FT", "L2") for r2 in (0.5, 0.7)]
    draw_similarity(rows, tmp_path / "a.svg")
    draw_similarity(rows, tmp_path / "b.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn == (tmp_path / "b.svg").read_text()
    assert drawn.count("PathCollection") == len({row["encoder"] for row in rows})


def test_only_what_was_measured_is_drawn(tmp_path: Path) -> None:
    draw(tmp_path)
    assert not list(tmp_path.iterdir())
    content, _ = document(bench_of(RATES))
    (tmp_path / "curve-pr").mkdir()
    (tmp_path / "curve-pr" / "results.json").write_text(json.dumps(content))
    draw(tmp_path)
    assert [path.name for path in tmp_path.glob("*.svg")] == [CURVES]


def test_committed_drawings_are_those_of_the_committed_figures(tmp_path: Path) -> None:
    for name in ("curve-pr", "curve-sid"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_bytes((PLACE / name / "results.json").read_bytes())
    (tmp_path / SIMILARITY).write_bytes((PLACE / SIMILARITY).read_bytes())
    draw(tmp_path)
    assert (tmp_path / CURVES).read_text() == (PLACE / CURVES).read_text()
    for name in (CURVES, SCATTER):
        assert (PLACE / name).is_file()
        assert f"(../results/speech_ft/{name})" in render()
