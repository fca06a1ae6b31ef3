"""HuBERT (arXiv 2106.07447): Base with a group norm in the CNN, Large and XL with layer norms.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all. In models with layer norms
the last one is behind the final layer norm, as in s3prl; transformers gives it before that norm.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="hubert",
    title="HuBERT",
    model_class="transformers.HubertModel",
    encoder_class="waveform_encoder.WaveformEncoder",
    frozen=("feature_extractor.",),
    padding=Padding.SLOTS,
    scaling=Scaling.FLAG,
    sizes=(Size("Base", 768, 12), Size("Large", 1024, 24), Size("XL", 1280, 48)),
)
