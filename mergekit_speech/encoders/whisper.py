"""The encoder of Whisper (arXiv 2212.04356), as transformers builds it: log-mel bands of 30 s windows in."""

from mergekit_speech.encoders.family import Family, Padding

FAMILY = Family(
    model_type="whisper",
    title="Whisper",
    model_class="transformers.WhisperModel",
    encoder_class="spectrum_encoder.WhisperEncoder",
    frozen=("encoder.conv1.", "encoder.conv2.", "encoder.embed_positions.", "decoder."),
    never_merged=("decoder.*",),
    padding=Padding.NONE,
    cnn=("encoder.conv1.", "encoder.conv2."),
)
