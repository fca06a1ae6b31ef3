"""DeCoAR 2.0 (arXiv 2012.06659): log-mel bands in, no CNN, so that nothing stays frozen once the encoder thaws.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all. The front end takes every
second one of the frames that Kaldi's filterbank makes every 10 ms. What its file has of pre-training, a codebook and a
decoder, has no place in the encoder: every reader leaves it out.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="decoar2",
    title="DeCoAR 2.0",
    model_class="mergekit_speech.encoders.decoar2_model.Decoar2Model",
    encoder_class="decoar2_encoder.Decoar2Encoder",
    frozen=(),
    padding=Padding.EXACT,
    scaling=Scaling.CLIP,
    sizes=(Size("Base", 768, 12),),
    cnn=(),
)
