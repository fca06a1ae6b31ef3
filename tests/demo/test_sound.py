"""Speech is trimmed, set into noise of the asked level, and encoded reproducibly; a failing synthesiser is reported."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest
import soundfile
from numpy import float32
from numpy.typing import NDArray

from mergekit_speech.demo.script import Delivery, utterances
from mergekit_speech.demo.sound import SAMPLE_RATE, encode, place_in_noise, synthesise, synthesiser_version, trim
from mergekit_speech.errors import MsmError

FakeEspeak = Callable[[str], None]


@pytest.fixture
def fake_espeak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeEspeak:
    """Put a shell script in the place of espeak-ng."""

    def install(body: str) -> None:
        program = tmp_path / "espeak-ng"
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def delivery(snr: float = 20.0) -> Delivery:
    return Delivery(pitch=50, speed=170, amplitude=100, lead=0.1, tail=0.05, snr=snr)


def tone(peak: float = 0.3) -> NDArray[float32]:
    return (peak * numpy.sin(numpy.arange(SAMPLE_RATE) / 10)).astype(float32)


def test_trim_keeps_what_is_audible() -> None:
    samples = numpy.array([0, 0.001, 0.5, 0, -0.4, 0.002, 0], dtype=float32)
    assert trim(samples).tolist() == samples[2:5].tolist()
    assert trim(samples[:2]).size == 0


def test_noise_has_the_asked_length_and_level() -> None:
    speech = tone()
    clip = place_in_noise(speech, delivery(snr=20.0), seed=1)
    assert clip.dtype == float32
    assert clip.size == speech.size + 1600 + 800
    noise = clip[1600:-800] - speech
    assert 20 * numpy.log10(speech.std() / noise.std()) == pytest.approx(20.0, abs=0.3)
    assert clip[:1600].std() == pytest.approx(noise.std(), rel=0.1)


def test_loud_speech_is_scaled_and_the_input_left_alone() -> None:
    speech = tone(peak=1.0)
    clip = place_in_noise(speech, delivery(snr=5.0), seed=1)
    assert abs(clip).max() == pytest.approx(1.0)
    numpy.testing.assert_array_equal(speech, tone(peak=1.0))


def test_the_seed_decides_the_noise() -> None:
    first, again, other = (place_in_noise(tone(), delivery(), seed) for seed in (1, 1, 2))
    assert numpy.array_equal(first, again)
    assert not numpy.array_equal(first, other)


def test_encoding_is_reproducible_and_keeps_the_length() -> None:
    data = encode(tone(), "a clip")
    assert data == encode(tone(), "a clip")
    samples, rate = soundfile.read(io.BytesIO(data))
    assert (rate, samples.shape) == (SAMPLE_RATE, (SAMPLE_RATE,))
    assert numpy.corrcoef(samples, tone())[0, 1] > 0.99


def test_a_missing_synthesiser_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MsmError) as caught:
        synthesise(utterances()[0])
    expected = "expected the program 'espeak-ng' on PATH, found none: install it to make the demo clips anew"
    assert str(caught.value) == expected


def test_a_refused_voice_is_reported(fake_espeak: FakeEspeak) -> None:
    fake_espeak("echo 'The specified voice does not exist.' >&2; exit 1")
    with pytest.raises(MsmError) as caught:
        synthesise(utterances()[0])
    assert str(caught.value) == (
        "expected espeak-ng to speak 'us_m1_yes_1' as 'en-us+m1', got 'The specified voice does not exist.': "
        "see `espeak-ng --voices=variant`"
    )


def test_silence_is_reported(fake_espeak: FakeEspeak, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", numpy.zeros(2205), 22_050)
    fake_espeak(f"cat {tmp_path}/silence.wav")
    with pytest.raises(MsmError) as caught:
        synthesise(utterances()[0])
    expected = "expected speech from espeak-ng for 'us_m1_yes_1', got silence: try another voice or amplitude"
    assert str(caught.value) == expected


def test_speech_arrives_trimmed_at_16_khz(fake_espeak: FakeEspeak, tmp_path: Path) -> None:
    speech = numpy.concatenate([numpy.zeros(2205), numpy.full(22_050, 0.2), numpy.zeros(2205)])
    soundfile.write(tmp_path / "speech.wav", speech, 22_050)
    fake_espeak(f"cat {tmp_path}/speech.wav")
    assert synthesise(utterances()[0]).shape == (SAMPLE_RATE,)


def test_the_synthesiser_names_its_version(fake_espeak: FakeEspeak) -> None:
    fake_espeak("echo 'eSpeak NG text-to-speech: 1.51  Data at: /usr/lib/espeak-ng-data'")
    assert synthesiser_version() == "eSpeak NG 1.51"
