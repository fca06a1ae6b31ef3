"""The verb `analyze`: what tuning and merging changed in an encoder, as a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mergekit_speech.analysis.connectivity import Line, find_line, recorded_tuned
from mergekit_speech.analysis.distance import Comparison, compare_checkpoints
from mergekit_speech.analysis.features import FeatureComparison, Listener, Mixture, compare_features
from mergekit_speech.analysis.products import Array
from mergekit_speech.analysis.utterances import Utterances, draw_utterances
from mergekit_speech.errors import PairingError, SettingsError
from mergekit_speech.registry import suggestion
from mergekit_speech.reports.folder import check_report_free, write_folder
from mergekit_speech.speech.clip import Clip
from mergekit_speech.superb.bench import describe_encoder
from mergekit_speech.superb.columns import VERSION
from mergekit_speech.superb.hearing import hear
from mergekit_speech.superb.named_encoder import NamedEncoder, read_encoders
from mergekit_speech.training.versions import versions

Place = str | Path
ON_LINE = 1e-3
"""Rounding to half precision leaves a linear merge nearer to its line than this share of the line's length."""
FEW = 10
"""With fewer frames a dimension than this, a fitted map also fits noise."""


def analyze(
    base: Place,
    others: Sequence[Place],
    *,
    data: Place,
    output: Place,
    folders: Sequence[str] = (),
    clips: int | None = None,
    between: str | None = None,
    seed: int = 0,
    heard: Callable[[int, int], object] = lambda _done, _total: None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Compares features and weights of encoders with those of their base, and leaves a report.

    Features: R² of a least-squares map, fitted on half of the clips and scored on the other half, linear CKA and
    cosine, a layer at a time. Weights: ‖θ − θ₀‖₂, whole and by part, for encoders with the parameters of the base.

    Source: Speech-FT (arXiv 2502.12672), whose feature similarity is an R²; it does not say how it is fitted.

    Args:
        base: A transformers directory or a file of any layout, a name on the hub, a run folder of `finetune`, `fbank`,
            `logmel`, or `random:PATH`; `LABEL=` before it gives it a name.
        others: What is compared with it, each like `base`.
        data: Folder that holds `<folder>/manifest.jsonl`.
        output: The report's folder: `results.json`, `table.md`, `report.html`.
        folders: Whose clips are heard, of all splits; all folders with a manifest if none is named.
        clips: How many clips are drawn; None for all.
        between: Label or path of a tuned encoder among `others`: features of each other one are compared with the
            mixture of those of base and tuned at the α at which its weights lie between them. By default those of each
            encoder whose recipe names one tuned encoder that is among `others` too.
        seed: Decides which clips are drawn, and into which half they come.
        heard: Told the number of clips that were heard, and of all.
        overwrite: Replace the report in `output`.

    Returns:
        What `results.json` holds.

    Raises:
        SettingsError: No other encoder, a label twice, a setting out of range, or `between` is none of `others`.
        DataError: A manifest or clip is unusable, or there are too few clips.
        CheckpointError: An encoder cannot be built, gives values that are not finite, or `between` is the base itself.
        ShardError: An encoder's weights are damaged.
        PairingError: With `between`, the three encoders do not have the same parameters.
        OutputError: `output` is taken, or the disk is full.
    """
    check_report_free(Path(output), overwrite=overwrite)
    if not others:
        raise SettingsError("expected an encoder to compare with the base, came none: name a tuned or merged one")
    named = read_encoders([base, *others])
    ends = _find_ends(named[1:], between)
    utterances = draw_utterances(Path(data), folders, clips, seed)
    described = [describe_encoder(encoder) for encoder in named]
    deviations, notes = _compare_weights(named)
    if between is None:
        ends = {label: tuned for label, tuned in ends.items() if {label, tuned} <= deviations.keys()}
    lines = {label: _find_line(label, tuned, deviations) for label, tuned in ends.items()}
    notes += [_say_line(label, ends[label], line) for label, line in lines.items()]
    mixtures = [Mixture(label, ends[label], line.alpha) for label, line in lines.items()]
    found = _compare_features(named, utterances, mixtures, heard)
    notes += _say_limits(found, described[0].depth, described[0].dim, [each.dim for each in described[1:]])
    document = {
        "kind": "analysis",
        "version": VERSION,
        "data": str(data),
        "versions": versions(),
        "clips": found.clips,
        "frames": found.frames,
        "seed": seed,
        "encoders": [asdict(encoder) for encoder in described],
        "base": named[0].label,
        "pairs": [_describe_pair(each.label, found, deviations, mixtures) for each in named[1:]],
        "notes": notes,
        "failures": [],
    }
    write_folder(document, Path(output), overwrite=overwrite)
    return document


def _find_ends(others: Sequence[NamedEncoder], between: str | None) -> dict[str, str]:
    """The tuned encoder beside each merged one, by label."""
    if between is None:
        places = {each.folder.resolve(): each.label for each in others if each.folder is not None}
        recorded = {each.label: recorded_tuned(each.folder) for each in others if each.folder is not None}
        found = {label: places.get(folder.resolve()) for label, folder in recorded.items() if folder is not None}
        return {label: tuned for label, tuned in found.items() if tuned is not None}
    tuned = next((each.label for each in others if between in (each.label, each.source)), None)
    if tuned is None:
        labels = [each.label for each in others]
        raise SettingsError(
            f"expected the tuned encoder of --between among {', '.join(labels)}, came {between!r}"
            f"{suggestion(between, labels)}: name it among the encoders too"
        )
    return {each.label: tuned for each in others if each.label != tuned}


def _compare_weights(named: Sequence[NamedEncoder]) -> tuple[dict[str, Comparison], list[str]]:
    base, found, notes = named[0], {}, []
    for each in named[1:]:
        if each.kind != "checkpoint" or base.kind != "checkpoint" or base.folder is None or each.folder is None:
            notes.append(f"Weights of {each.label} and {base.label} are not compared: both must be checkpoints.")
            continue
        try:
            found[each.label] = compare_checkpoints(base.folder, each.folder)
        except PairingError as fault:
            reason = str(fault).partition("\n")[0]
            notes.append(f"Weights of {each.label} and {base.label} are not compared: {reason}.")
    return found, notes


def _find_line(merged: str, tuned: str, deviations: Mapping[str, Comparison]) -> Line:
    for label in (tuned, merged):
        if label not in deviations:
            raise PairingError(
                f"expected the base's parameters in {label}, came others: leave it out, or do without --between"
            )
    return find_line(deviations[tuned], deviations[merged])


def _compare_features(
    named: Sequence[NamedEncoder],
    utterances: Utterances,
    mixtures: Sequence[Mixture],
    heard: Callable[[int, int], object],
) -> FeatureComparison:
    done, total = 0, len(utterances.fitted) + len(utterances.scored)

    def count(clips: int) -> None:
        nonlocal done
        done += clips
        heard(done, total)

    base, *others = map(_listen, named)
    return compare_features(base, others, utterances, mixtures, count)


def _listen(named: NamedEncoder) -> Listener:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = named.load().requires_grad_(False).to(device)

    def listen(clips: Sequence[Clip]) -> list[Array]:
        # One at a time on a CPU, where company is no faster.
        together = partial(hear, encoder, named.label, device)
        heard = together(clips) if device.type == "cuda" else [together([clip])[0] for clip in clips]
        return [states.numpy() for states in heard]

    return Listener(named.label, encoder.depth, encoder.dim, encoder.stride, listen)


def _describe_pair(
    label: str, found: FeatureComparison, deviations: Mapping[str, Comparison], mixtures: Sequence[Mixture]
) -> dict[str, Any]:
    deviation = deviations.get(label)
    mixture = next((each for each in mixtures if each.merged == label), None)
    return {
        "encoder": label,
        "layers": [asdict(layer) for layer in found.similarity[label]],
        "weights": [
            {"part": part.name, "absolute": part.l2, "relative": part.relative}
            for part in (() if deviation is None else (deviation.whole, *deviation.parts))
        ],
        "connectivity": mixture
        and {
            "tuned": mixture.tuned,
            "alpha": mixture.alpha,
            "layers": [asdict(layer) for layer in found.connectivity[label]],
        },
    }


def _say_line(merged: str, tuned: str, line: Line) -> str:
    place = f"{merged}: α = {line.alpha:.4f} on the line to {tuned}"
    if line.off <= ON_LINE:
        return f"{place}."
    return f"{place} is nearest; it is no linear merge, but lies {line.off:.4f} of the line's length beside it."


def _say_limits(found: FeatureComparison, depth: int, dim: int, dims: Sequence[int]) -> list[str]:
    notes = [
        f"R²: maps were fitted on {found.fitted} frames and scored on {found.frames - found.fitted} of other"
        " utterances; the mean over dimensions.",
        "Intervals of these figures are not measured.",
    ]
    if found.fitted < FEW * max(dims):
        notes.append(f"R² is too low: {found.fitted} frames are few for a map from {max(dims)} dimensions.")
    notes += [
        f"{label}: compared in the {len(layers)} layers that it shares with the base's {depth}."
        for label, layers in found.similarity.items()
        if len(layers) < depth
    ]
    if any(each != dim for each in dims):
        notes.append("Cosine is left out where an encoder does not have the dimensions of the base.")
    return notes
