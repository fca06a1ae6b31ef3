"""WavLM (arXiv 2110.13900)."""

from mergekit_speech.encoders.family import Family

FAMILY = Family(
    model_type="wavlm",
    title="WavLM",
    model_class="WavLMModel",
    downsampler="feature_extractor.",
    never_merged=("final_proj.*", "label_embs_concat"),
)
