"""Make Ogg files reproducible: encoders draw a random stream number, which changes bytes without changing sound.

Source: RFC 3533, section 6.
"""

from __future__ import annotations

import zlib
from typing import Final

from mergekit_speech.errors import DataError

_CAPTURE: Final = b"OggS"
_SERIAL: Final = slice(14, 18)
_CHECKSUM: Final = slice(22, 26)
_SEGMENT_COUNT: Final = 26
_HEADER_BYTES: Final = 27
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def with_serial(data: bytes, serial: int) -> bytes:
    """Copy a one-stream Ogg file under another stream number.

    Args:
        data: The whole file.
        serial: New stream number, 0 to 2³² - 1.

    Returns:
        The same pages with the new number and matching checksums.

    Raises:
        DataError: A page does not start where the page before it ends.
    """
    pages = bytearray()
    while len(pages) < len(data):
        page = bytearray(_page(data, len(pages)))
        page[_SERIAL] = serial.to_bytes(4, "little")
        page[_CHECKSUM] = bytes(4)
        page[_CHECKSUM] = checksum(bytes(page)).to_bytes(4, "little")
        pages += page
    return bytes(pages)


def checksum(page: bytes) -> int:
    """Compute the checksum of an Ogg page whose checksum field is zero.

    Args:
        page: The whole page, header and body.

    Returns:
        CRC-32 with polynomial 0x04C11DB7, most significant bit first, zero start, no final inversion.
    """
    # zlib's CRC has the same polynomial with its bits mirrored and inverts at both ends; undo the three.
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def _page(data: bytes, start: int) -> bytes:
    if data[start : start + 4] != _CAPTURE or len(data) < start + _HEADER_BYTES:
        found = data[start : start + 4]
        raise DataError(f"expected an Ogg page ({_CAPTURE!r}) at byte {start}, got {found!r}: encode the clip again")
    lacing = start + _HEADER_BYTES
    segments = data[lacing : lacing + data[start + _SEGMENT_COUNT]]
    return data[start : lacing + len(segments) + sum(segments)]
