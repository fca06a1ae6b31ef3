"""UniSpeech-SAT (arXiv 2110.05752), as transformers builds it.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all. In models with layer norms
the last one is behind the final layer norm; transformers gives it before that norm.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="unispeech-sat",
    title="UniSpeech-SAT",
    model_class="transformers.UniSpeechSatModel",
    encoder_class="waveform_encoder.WaveformEncoder",
    frozen=("feature_extractor.",),
    padding=Padding.SLOTS,
    scaling=Scaling.FLAG,
    sizes=(Size("Base or Base+", 768, 12), Size("Large", 1024, 24)),
)
