"""HuBERT (arXiv 2106.07447)."""

from mergekit_speech.encoders.family import Family

FAMILY = Family(
    model_type="hubert",
    title="HuBERT",
    model_class="HubertModel",
    downsampler="feature_extractor.",
    never_merged=("final_proj.*", "label_embs_concat"),
)
