"""Ogg files with a chosen serial number: libsndfile draws one by the clock, so equal sound had other bytes.

Page layout and checksum: RFC 3533, section 6.
"""

import zlib

_SERIAL, _CHECKSUM, _SEGMENTS = slice(14, 18), slice(22, 26), 26
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse."""


def with_serial(data: bytes, serial: int) -> bytes:
    """An Ogg file of one stream, its pages with another serial number.

    Raises:
        ValueError: If it is no Ogg file.
    """
    pages, at = bytearray(data), 0
    while at < len(pages):
        if pages[at : at + 4] != b"OggS":
            raise ValueError("this is no Ogg file")
        n_segments = pages[at + _SEGMENTS]
        end = at + 27 + n_segments + sum(pages[at + 27 : at + 27 + n_segments])
        page = pages[at:end]
        page[_SERIAL] = serial.to_bytes(4, "little")
        page[_CHECKSUM] = bytes(4)
        page[_CHECKSUM] = checksum(bytes(page)).to_bytes(4, "little")
        pages[at:end] = page
        at = end
    return bytes(pages)


def checksum(page: bytes) -> int:
    """The CRC-32 of a page, whose own checksum is zero.

    It is that of zlib with the bits of all bytes and of the result in reverse, and without inversions.

    >>> f"{checksum(b'123456789'):08x}"
    '89a1897f'
    """
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED), "big")
