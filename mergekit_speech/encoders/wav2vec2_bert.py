"""Wav2Vec2-BERT (arXiv 2312.05187), as transformers builds it: log-mel bands in, no CNN.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="wav2vec2-bert",
    title="Wav2Vec2-BERT",
    model_class="transformers.Wav2Vec2BertModel",
    encoder_class="spectrum_encoder.Wav2Vec2BertEncoder",
    frozen=(),
    padding=Padding.EXACT,
    scaling=Scaling.CLIP,
    sizes=(Size("600M", 1024, 24),),
    cnn=(),
)
