"""Writes the figures of the experiment into RESULTS.md and README.md; what they mean is written there by hand.

python -m benchmarks.speech_ft.page
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from scipy.stats import spearmanr

from benchmarks.origin import ROOT, spell
from benchmarks.page import replaced
from benchmarks.records import RESULTS
from benchmarks.speech_ft.claims import BASE, CLAIMS, UNTESTED, Claim, Finding, Scores, find, judge, read_scores
from benchmarks.speech_ft.drawing import draw_alphas, draw_similarity
from benchmarks.speech_ft.joining import read_origins
from benchmarks.speech_ft.matrix import CROSSED, TASKS
from mergekit_speech.reports.folder import RESULTS as RESULTS_FILE

PAGE = Path(__file__).with_name("RESULTS.md")
README = ROOT / "README.md"
NAME = "benchmarks.speech_ft.page"
PLACE = RESULTS / "speech_ft"
SIMILARITY, CURVES, SCATTER = "similarity.json", "curves.svg", "similarity.svg"
LEGEND = "Means over seeds, by what was fine-tuned on; last, the mean difference, with its 95 % interval."
FIGURES = ("deviation", "r2", "last_r2", "cka", "cosine")
TITLES = {
    "pr": "Fine-tuned on phoneme recognition",
    "sid": "Fine-tuned on speaker identification",
    "er": "Fine-tuned on emotion recognition",
    "unlabelled_zh": "Continued pre-training on Mandarin",
    "slower": "Regular fine-tuning on phoneme recognition at a lower rate",
    "multitask": "Phoneme recognition and speaker identification, four ways",
    "curve-pr": "From the base to the encoder tuned on phoneme recognition",
    "curve-sid": "From the base to the encoder tuned on speaker identification",
    "wav2vec2-pr": "wav2vec 2.0, fine-tuned on phoneme recognition",
    "wav2vec2-sid": "wav2vec 2.0, fine-tuned on speaker identification",
    "wavlm-pr": "WavLM, fine-tuned on phoneme recognition",
    "wavlm-sid": "WavLM, fine-tuned on speaker identification",
}


def render(place: Path = PLACE) -> str:
    """Write the claims, and a table of every comparison that was made."""
    scores = read_scores(place)
    parts = ["## The claims", _claims(scores), "## SUPERB scores", overview(scores)]
    for name, title in TITLES.items():
        parts += [f"## {title}", *_comparison(place / name)]
    parts += ["## The curve of α", *_curves(place)]
    parts += ["## Similarity of features against deviation of weights", *_similarity(place / SIMILARITY)]
    return "\n\n".join(parts) + "\n"


def _claims(scores: Mapping[str, Scores]) -> str:
    lines = ["| the paper's claim | difference of SUPERB scores | pairs | here |", "| --- | ---: | ---: | --- |"]
    findings = [find(claim, scores) for claim in CLAIMS]
    for claim, found, verdict in zip(CLAIMS, findings, judge(findings), strict=True):
        lines.append(f"| {claim.text} | {_spell(found)} | {len(found.differences)} | {verdict} |")
    return "\n".join(lines)


def overview(scores: Mapping[str, Scores]) -> str:
    """Write the mean score of every way to an encoder after every fine-tuning task."""
    tasks = [task for task in TASKS if task in scores]
    lines = [f"| encoder | {' | '.join(tasks)} | all, from {BASE} |", "| --- |" + " ---: |" * (len(tasks) + 1)]
    for label in dict.fromkeys(label for task in tasks for label in scores[task]):
        means = [f"{statistics.fmean(scores[task][label]):.0f}" for task in tasks]
        difference = "" if label == BASE else _spell(find(Claim("", label, BASE, tuple(tasks)), scores))
        lines.append(f"| {label} | {' | '.join(means)} | {difference} |")
    return f"{LEGEND}\n\n" + "\n".join(lines) if tasks else "Not measured."


def _spell(found: Finding) -> str:
    if found.interval is None:
        return UNTESTED
    mean, low, high = map(round, (statistics.fmean(found.differences), *found.interval))
    return f"{mean:+d} ({low:+d} to {high:+d})"


def _comparison(folder: Path) -> Iterator[str]:
    if not (folder / RESULTS_FILE).is_file():
        yield "Not measured."
        return
    yield (folder / "table.md").read_text(encoding="utf-8").strip()
    for origin in read_origins(folder):
        seeds = f"Seed{'s' if len(origin['seeds']) > 1 else ''} {', '.join(map(str, origin['seeds']))}"
        hours = " and ".join(f"{each:g} of {name}" for name, each in origin["core_hours"].items() if each)
        yield f"{seeds}: commit {origin['commit']}; {spell(origin['machine'])}; core-hours so far: {hours}."
    yield f"[The report](../results/speech_ft/{folder.name}/report.html)."


def _curves(place: Path) -> Iterator[str]:
    if not (place / CURVES).is_file():
        yield "Not measured."
        return
    yield "Differences from the base in percentage points, or points of the score, with their 95 % intervals."
    yield f"![Differences from the base against α](../results/speech_ft/{CURVES})"


def _similarity(path: Path) -> Iterator[str]:
    if not path.is_file():
        yield "Not measured."
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = found["rows"]
    yield (
        f"Means over fine-tuning tasks and seeds, on {found['clips']} clips of `{found['heard']}`: deviation is"
        " ‖θ − θ₀‖ / ‖θ₀‖; R² of a linear map to the base's features, linear CKA and cosine are means over layers."
    )
    lines = ["| encoder | runs | deviation | R² | R², last layer | CKA | cosine |", "| --- |" + " ---: |" * 6]
    for label in dict.fromkeys(row["encoder"] for row in rows):
        own = [row for row in rows if row["encoder"] == label]
        figures = (statistics.fmean(row[name] for row in own) for name in FIGURES)
        lines.append(f"| {label} | {len(own)} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")
    yield "\n".join(lines)
    yield f"![R² of features against the deviation of weights](../results/speech_ft/{SCATTER})"
    ranks = spearmanr([row["deviation"] for row in rows], [row["r2"] for row in rows]).statistic
    yield f"Rank correlation (Spearman) of deviation and R² over all {len(rows)} encoders: {ranks:+.2f}."


def draw(place: Path = PLACE) -> None:
    """Draw what the page shows, as far as it was measured."""
    curves = {name: place / f"curve-{name}" / RESULTS_FILE for name in CROSSED}
    known = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in curves.items() if path.is_file()}
    if known:
        draw_alphas(known, place / CURVES)
    if (place / SIMILARITY).is_file():
        draw_similarity(json.loads((place / SIMILARITY).read_text(encoding="utf-8"))["rows"], place / SCATTER)


def main() -> None:
    """Draw, and write both pages anew."""
    draw()
    for page, made in ((PAGE, render()), (README, overview(read_scores(PLACE)) + "\n")):
        page.write_text(replaced(page.read_text(encoding="utf-8"), made, NAME), encoding="utf-8")


if __name__ == "__main__":
    main()
