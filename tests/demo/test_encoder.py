"""The shipped encoder: it loads, is small, and says what it was trained on."""

from __future__ import annotations

import json

import torch
from transformers import AutoFeatureExtractor, AutoModel

from mergekit_speech.demo import ENCODER
from mergekit_speech.encoders.pretrained import load_encoder
from mergekit_speech.shards.digest import weights_digest
from tests.conftest import ROOT

MOST_BYTES = 8_000_000


def test_transformers_loads_it() -> None:
    model = AutoModel.from_pretrained(ENCODER)
    assert type(model).__name__ == "HubertModel"
    assert AutoFeatureExtractor.from_pretrained(ENCODER).sampling_rate == 16_000
    assert model(torch.zeros(1, 16_000)).last_hidden_state.shape == (1, 49, 192)


def test_its_folder_is_at_most_eight_megabytes() -> None:
    assert sum(path.stat().st_size for path in ENCODER.iterdir()) <= MOST_BYTES


def test_it_has_a_hidden_state_for_each_layer_and_the_input() -> None:
    encoder = load_encoder(ENCODER)
    assert (encoder.depth, encoder.dim, encoder.stride) == (5, 192, 320)


def test_its_card_attributes_every_corpus() -> None:
    card = (ENCODER / "README.md").read_text(encoding="utf-8")
    for corpus in ("speechocean762", "Arabic Speech Commands", "Picovoice", "LibriSpeech", "AISHELL-1"):
        assert corpus in card
    assert "msm pretrain" in card
    assert card.count("CC BY 4.0") == 3
    assert card.count("Apache 2.0") == 2


def test_its_card_quotes_the_measured_figures() -> None:
    table = (ROOT / "benchmarks" / "results" / "base_encoder" / "table.md").read_text(encoding="utf-8")
    assert table.split("\n\n")[0] in (ENCODER / "README.md").read_text(encoding="utf-8")


def test_it_is_ahead_of_its_initialisation_and_of_superbs_filterbanks_on_both_tasks() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "base_encoder" / "results.json").read_text())
    assert results["encoders"][0]["digest"] == weights_digest(ENCODER)
    means = {(row["task"], row["encoder"]): row["figure"]["mean"] for row in results["figures"]}
    for floor in ("random", "fbank"):
        assert means["pr", "shipped"] < means["pr", floor]
        assert means["sid", "shipped"] > means["sid", floor]
