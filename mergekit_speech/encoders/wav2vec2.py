"""wav2vec 2.0 (arXiv 2006.11477)."""

from mergekit_speech.encoders.family import Family

FAMILY = Family(
    model_type="wav2vec2",
    title="wav2vec 2.0",
    model_class="Wav2Vec2Model",
    downsampler="feature_extractor.",
    never_merged=("quantizer.*", "project_q.*", "final_proj.*"),
)
