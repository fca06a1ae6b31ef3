"""The encoder of Whisper (arXiv 2212.04356), as transformers builds it: log-mel bands of 30 s windows in.

Hidden states: the input of each of N layers, and the output of the last one behind the final layer norm, N + 1 in all.
"""

from mergekit_speech.encoders.family import Family, Padding, Scaling, Size

FAMILY = Family(
    model_type="whisper",
    title="Whisper",
    model_class="transformers.WhisperModel",
    encoder_class="spectrum_encoder.WhisperEncoder",
    frozen=("encoder.conv1.", "encoder.conv2.", "encoder.embed_positions.", "decoder."),
    padding=Padding.NONE,
    scaling=Scaling.WINDOW,
    sizes=(
        Size("tiny", 384, 4),
        Size("base", 512, 6),
        Size("small", 768, 12),
        Size("medium", 1024, 24),
        Size("large", 1280, 32),
    ),
    cnn=("encoder.conv1.", "encoder.conv2."),
)
