"""WavLM (arXiv 2110.13900): Base and Base+ with a group norm in the CNN, Large with layer norms.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all. In models with layer norms
the last one is behind the final layer norm, as in s3prl; transformers gives it before that norm.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="wavlm",
    title="WavLM",
    model_class="transformers.WavLMModel",
    encoder_class="waveform_encoder.WaveformEncoder",
    frozen=("feature_extractor.",),
    padding=Padding.SLOTS,
    scaling=Scaling.FLAG,
    sizes=(Size("Base or Base+", 768, 12), Size("Large", 1024, 24)),
)
