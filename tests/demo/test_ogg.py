"""Changing an Ogg file's stream number leaves a valid file with the same sound."""

from __future__ import annotations

import io

import numpy
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from mergekit_speech.demo.ogg import checksum, with_serial
from mergekit_speech.errors import DataError


def vorbis(seconds: float = 0.2) -> bytes:
    """Encode a tone; the library draws a stream number."""
    tone = 0.3 * numpy.sin(numpy.arange(round(16_000 * seconds)) / 10)
    file = io.BytesIO()
    soundfile.write(file, tone, 16_000, format="OGG", subtype="VORBIS")
    return file.getvalue()


def slow_checksum(page: bytes) -> int:
    """The CRC of RFC 3533, bit by bit."""
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder & 0x80000000 else 0)) & 0xFFFFFFFF
    return remainder


@given(st.binary(max_size=200))
def test_the_checksum_is_that_of_the_standard(page: bytes) -> None:
    assert checksum(page) == slow_checksum(page)


def test_the_encoders_own_number_gives_the_encoders_own_bytes() -> None:
    data = vorbis(seconds=3)
    assert with_serial(data, int.from_bytes(data[14:18], "little")) == data


def test_two_encodings_of_one_sound_become_the_same_bytes() -> None:
    assert with_serial(vorbis(), 7) == with_serial(vorbis(), 7)


def test_the_sound_stays() -> None:
    data = vorbis()
    before, _ = soundfile.read(io.BytesIO(data))
    after, _ = soundfile.read(io.BytesIO(with_serial(data, 2**32 - 1)))
    numpy.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(("junk", "shown"), [(b"RIFF....", "b'RIFF'"), (b"OggS", "b'OggS'")])
def test_what_is_no_page_is_refused_with_its_place(junk: bytes, shown: str) -> None:
    data = vorbis()
    with pytest.raises(DataError) as caught:
        with_serial(data + junk, 7)
    assert str(caught.value) == (
        f"expected an Ogg page (b'OggS') at byte {len(data)}, got {shown}: encode the clip again"
    )
