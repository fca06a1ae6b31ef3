"""data2vec for speech (arXiv 2202.03555), as transformers builds it.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="data2vec-audio",
    title="data2vec",
    model_class="transformers.Data2VecAudioModel",
    encoder_class="waveform_encoder.WaveformEncoder",
    frozen=("feature_extractor.",),
    padding=Padding.CONVOLUTION,
    scaling=Scaling.FLAG,
    sizes=(Size("Base", 768, 12), Size("Large", 1024, 24)),
)
