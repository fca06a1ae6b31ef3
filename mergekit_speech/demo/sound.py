"""How a demo clip becomes sound: synthesis, resampling, background noise, encoding."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import TYPE_CHECKING, Final
from zlib import crc32

from mergekit_speech.demo.ogg import with_serial
from mergekit_speech.errors import MsmError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from mergekit_speech.demo.script import Delivery, Utterance

SAMPLE_RATE: Final = 16_000
_VORBIS_COMPRESSION: Final = 1.0
_LOUDEST_SILENCE: Final = 0.003


def synthesise(utterance: Utterance) -> NDArray[float32]:
    """Let espeak-ng speak.

    Args:
        utterance: What to say, and how.

    Returns:
        Samples in [-1, 1] at 16 kHz, `(samples,)`, without the silence around the speech.

    Raises:
        MsmError: espeak-ng is not installed, refuses the voice, or stays silent.
    """
    import soundfile
    import soxr

    samples, rate = soundfile.read(io.BytesIO(_run_espeak(utterance)), dtype="float32")
    speech = trim(samples)
    if not speech.size:
        raise MsmError(
            f"expected speech from espeak-ng for {utterance.id!r}, got silence: try another voice or amplitude"
        )
    resampled: NDArray[float32] = soxr.resample(speech, rate, SAMPLE_RATE)
    return resampled


def trim(samples: NDArray[float32]) -> NDArray[float32]:
    """Cut digital silence off both ends.

    Args:
        samples: In [-1, 1], `(samples,)`.

    Returns:
        A view of the part between the first and the last audible sample; empty where nothing is audible.
    """
    import numpy

    audible = numpy.flatnonzero(numpy.abs(samples) > _LOUDEST_SILENCE)
    return samples[audible[0] : audible[-1] + 1] if audible.size else samples[:0]


def place_in_noise(speech: NDArray[float32], delivery: Delivery, seed: int) -> NDArray[float32]:
    """Put speech into a stretch of faint white noise.

    Args:
        speech: In [-1, 1] at 16 kHz, `(samples,)`; not written to.
        delivery: Lead and tail in seconds, speech-to-noise ratio in decibels.
        seed: Draws the noise.

    Returns:
        `(lead + samples + tail,)`, scaled down where a peak would leave [-1, 1].
    """
    import numpy

    padding = (round(delivery.lead * SAMPLE_RATE), round(delivery.tail * SAMPLE_RATE))
    padded = numpy.pad(speech, padding)
    level = numpy.sqrt(numpy.mean(speech**2)) * 10 ** (-delivery.snr / 20)
    noisy = padded + level * numpy.random.default_rng(seed).standard_normal(padded.size, dtype=numpy.float32)
    loudest = max(1.0, float(numpy.abs(noisy).max()))
    clip: NDArray[float32] = (noisy / loudest).astype(numpy.float32)
    return clip


def encode(samples: NDArray[float32], name: str) -> bytes:
    """Write Ogg Vorbis; same samples and name, same bytes.

    Args:
        samples: In [-1, 1] at 16 kHz, `(samples,)`.
        name: The clip's id; it fixes the stream number and the seed of its noise.

    Returns:
        The whole file.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="OGG", subtype="VORBIS", compression_level=_VORBIS_COMPRESSION)
    return with_serial(file.getvalue(), seed_of(name))


def seed_of(name: str) -> int:
    """Turn a clip's id into a seed, 0 to 2³² - 1."""
    return crc32(name.encode())


def synthesiser_version() -> str:
    """Name the installed synthesiser, such as `eSpeak NG 1.51`.

    Raises:
        MsmError: espeak-ng is not installed.
    """
    line = subprocess.run([_espeak(), "--version"], capture_output=True, check=True, text=True).stdout
    return "eSpeak NG " + line.partition(":")[2].split()[0]


def _espeak() -> str:
    path = shutil.which("espeak-ng")
    if path is None:
        raise MsmError("expected the program 'espeak-ng' on PATH, found none: install it to make the demo clips anew")
    return path


def _run_espeak(utterance: Utterance) -> bytes:
    delivery = utterance.delivery
    options = {"-v": utterance.voice.espeak, "-p": delivery.pitch, "-s": delivery.speed, "-a": delivery.amplitude}
    arguments = [str(part) for option in options.items() for part in option]
    command = [_espeak(), *arguments, "--stdout", " ".join(utterance.words)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise MsmError(
            f"expected espeak-ng to speak {utterance.id!r} as {utterance.voice.espeak!r}, "
            f"got {done.stderr.decode(errors='replace').strip()!r}: see `espeak-ng --voices=variant`"
        )
    return done.stdout
