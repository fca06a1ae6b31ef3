"""Wav2Vec2-BERT (arXiv 2312.05187), as transformers builds it: log-mel bands in, no CNN."""

from mergekit_speech.encoders.family import Family, Padding

FAMILY = Family(
    model_type="wav2vec2-bert",
    title="Wav2Vec2-BERT",
    model_class="transformers.Wav2Vec2BertModel",
    encoder_class="spectrum_encoder.Wav2Vec2BertEncoder",
    frozen=(),
    never_merged=(),
    padding=Padding.EXACT,
    cnn=(),
)
