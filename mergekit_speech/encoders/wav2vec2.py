"""wav2vec 2.0 (arXiv 2006.11477): Base with a group norm in the CNN, Large LV-60 and XLSR with layer norms.

Hidden states: the input of each of N layers, and the output of the last one, N + 1 in all. In models with layer norms
the last one is behind the final layer norm, as in s3prl; transformers gives it before that norm.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="wav2vec2",
    title="wav2vec 2.0",
    model_class="transformers.Wav2Vec2Model",
    encoder_class="waveform_encoder.WaveformEncoder",
    frozen=("feature_extractor.",),
    padding=Padding.CONVOLUTION,
    scaling=Scaling.FLAG,
    sizes=(
        Size("Base", 768, 12),
        Size("Large", 1024, 24, layer_norm=False),
        # Of one shape: LV-60, XLSR-53 and the smallest XLS-R.
        Size("Large LV-60 or XLSR", 1024, 24, layer_norm=True),
        Size("XLS-R 1B", 1280, 48),
        Size("XLS-R 2B", 1920, 48),
    ),
)
