"""DeCoAR 2.0 (arXiv 2012.06659): log-mel bands in, no CNN, so that nothing stays frozen once the encoder thaws."""

from mergekit_speech.encoders.family import Family, Padding

FAMILY = Family(
    model_type="decoar2",
    title="DeCoAR 2.0",
    model_class="mergekit_speech.encoders.decoar2_model.Decoar2Model",
    encoder_class="decoar2_encoder.Decoar2Encoder",
    frozen=(),
    never_merged=(),
    padding=Padding.EXACT,
    cnn=(),
)
