"""Decoding: any rate and channel count in, 16 kHz mono out, and one line for what cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mergekit_speech.errors import DataError
from mergekit_speech.speech import audio
from mergekit_speech.speech.audio import AudioStore, read_audio
from tests.speech.corpus import make_clip, noise, save, saved_clip, tone


def refuse(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_audio(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def loudest_hertz(samples: audio.Waveform) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax()) * 16_000 / len(samples)


def test_sixteen_kilohertz_mono_comes_bit_for_bit(tmp_path: Path) -> None:
    samples = noise(0.5)
    read = read_audio(save(tmp_path / "a.wav", samples, subtype="FLOAT"))
    assert read.dtype == np.float32
    assert np.array_equal(read, samples)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_keep_length_and_pitch(tmp_path: Path, rate: int) -> None:
    read = read_audio(save(tmp_path / "a.flac", tone(1.0, 440, rate), rate))
    assert len(read) == pytest.approx(16_000, abs=1)
    assert loudest_hertz(read) == pytest.approx(440, abs=1)
    assert np.abs(read[1000:-1000]).max() == pytest.approx(0.5, abs=0.01)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(1.0, 440, 44_100), tone(1.0, 1000, 44_100)
    read = read_audio(save(tmp_path / "a.wav", np.stack([left, right], axis=1), 44_100))
    spectrum = np.abs(np.fft.rfft(read))
    assert read.shape == (16_000,)
    assert sorted(np.argsort(spectrum)[-2:].tolist()) == [440, 1000]


def test_missing_clip(tmp_path: Path) -> None:
    path = tmp_path / "gone.flac"
    assert refuse(path) == f"clip {path} does not exist: check the manifest's path and the data folder"


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_flac(tmp_path: Path, kept: float) -> None:
    path = save(tmp_path / "a.flac", noise(2.0))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert refuse(path).startswith(f"clip {path} cannot be decoded (")
    assert refuse(path).endswith("): replace it or drop it")


@pytest.mark.parametrize("content", [b"", b"not audio at all"])
def test_file_that_is_no_recording(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(content)
    assert refuse(path).startswith(f"clip {path} cannot be decoded (Error opening ")


def test_recording_without_samples(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", np.zeros(0))
    assert refuse(path) == f"clip {path} holds no samples: drop it from the manifest"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_finite(tmp_path: Path, value: float) -> None:
    samples = noise(0.1)
    samples[7] = value
    path = save(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert refuse(path) == f"clip {path} holds samples that are not finite: replace it or drop it"


@pytest.mark.parametrize(
    ("samples", "rate", "lasts"), [(399, 16_000, "24.9"), (1, 48_000, "0.0"), (199, 8_000, "24.9")]
)
def test_less_than_a_frame(tmp_path: Path, samples: int, rate: int, lasts: str) -> None:
    path = save(tmp_path / "a.wav", np.zeros(samples), rate)
    expected = f"clip {path} lasts {lasts} ms, less than the 25 ms of one frame: drop it from the manifest"
    assert refuse(path) == expected


def test_one_frame_is_enough(tmp_path: Path) -> None:
    assert len(read_audio(save(tmp_path / "a.wav", np.zeros(400)))) == 400


def test_store_decodes_a_clip_once(tmp_path: Path) -> None:
    clip = saved_clip(tmp_path, "a", noise(0.5))
    store = AudioStore()
    first = store.read(clip)
    (tmp_path / "a.wav").unlink()
    assert store.read(clip) is first


def test_store_keeps_to_its_budget(tmp_path: Path) -> None:
    large, small = saved_clip(tmp_path, "a", noise(0.5)), saved_clip(tmp_path, "b", noise(0.1))
    store = AudioStore(budget=4 * 1700)
    assert store.read(large) is not store.read(large)
    assert np.array_equal(store.read(large), store.read(large))
    assert store.read(small) is store.read(small)


def test_clip_cut_short_is_refused_by_its_manifest_line(tmp_path: Path) -> None:
    clip = saved_clip(tmp_path, "a", noise(2.0))
    whole = clip.path.read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as caught:
        AudioStore().read(clip)
    assert str(caught.value) == (
        f"manifest.jsonl:a: clip {clip.path} holds 1.00 s of the 2.00 s that the manifest states:"
        " replace the file if it is cut short, else correct the duration"
    )


def test_rounded_durations_pass(tmp_path: Path) -> None:
    clip = saved_clip(tmp_path, "a", noise(1.96))
    assert len(AudioStore().read(replace(clip, duration=2.0))) == 31_360


def test_store_passes_on_what_decoding_says() -> None:
    with pytest.raises(DataError, match=r"^clip gone\.wav does not exist"):
        AudioStore().read(make_clip("gone"))


def test_real_recordings_last_as_long_as_their_manifest_says(speech: Path) -> None:
    from mergekit_speech.speech.manifest import manifest_folders, read_manifest

    store = AudioStore(budget=0)
    for folder in manifest_folders(speech):
        clip = read_manifest(speech, folder)[0]
        assert len(store.read(clip)) / 16_000 == pytest.approx(clip.duration, abs=1e-3)
