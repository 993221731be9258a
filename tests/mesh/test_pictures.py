"""Pictures of every kind that meshes' files name, against values worked out from their formats' own text."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jsdpipe.mesh.readers.referenced import decode

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6  # PNG's color types


def png(kind, depth, samples, interlace=0, **chunks):
    """A PNG file of one row of pixels, by PNG's specification alone; `samples` are the pixels' numbers in a row."""
    width = len(samples) // {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}[kind]
    bits = "".join(f"{sample:0{depth}b}" for sample in samples)
    bits += "0" * (-len(bits) % 8)
    row = b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    header = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, interlace)
    content = {"IHDR": header, **chunks, "IDAT": zlib.compress(row), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(of)) + (name := key.encode()) + of + struct.pack(">I", zlib.crc32(name + of))
        for key, of in content.items()
    )


COLORS = bytes((255, 0, 0, 10, 200, 30, 0, 0, 255, 7, 8, 9))  # a palette
OF_PALETTE = [[255, 0, 0], [10, 200, 30], [0, 0, 255], [7, 8, 9]]


def shorts(*numbers):
    return struct.pack(f">{len(numbers)}H", *numbers)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # a sample of depth d is one of 2^d - 1 shares
        (png(GREY, 1, [0, 1]), [[0] * 3, [255] * 3]),
        (png(GREY, 2, [0, 1, 2, 3]), [[0] * 3, [85] * 3, [170] * 3, [255] * 3]),
        (png(GREY, 4, [0, 1, 9, 15]), [[0] * 3, [17] * 3, [153] * 3, [255] * 3]),
        (png(GREY, 8, [0, 128, 255]), [[0] * 3, [128] * 3, [255] * 3]),
        (png(GREY, 16, [0, 32768, 16448, 65535]), [[0] * 3, [128] * 3, [64] * 3, [255] * 3]),
        (png(RGB, 8, [1, 2, 3, 200, 100, 50]), [[1, 2, 3], [200, 100, 50]]),
        (png(RGB, 16, [32768, 16448, 65535]), [[128, 64, 255]]),
        (png(PALETTE, 1, [1, 0], PLTE=COLORS[:6]), [OF_PALETTE[1], OF_PALETTE[0]]),
        (png(PALETTE, 2, [0, 1, 2, 3], PLTE=COLORS), OF_PALETTE),
        (png(PALETTE, 4, [3, 2, 1], PLTE=COLORS), OF_PALETTE[:0:-1]),
        (png(PALETTE, 8, [2, 3, 0], PLTE=COLORS), [OF_PALETTE[2], OF_PALETTE[3], OF_PALETTE[0]]),
        (png(GREY_ALPHA, 8, [10, 20, 200, 255]), [[10, 10, 10, 20], [200, 200, 200, 255]]),
        (png(GREY_ALPHA, 16, [32768, 16448, 65535, 0]), [[128, 128, 128, 64], [255, 255, 255, 0]]),
        (png(RGB_ALPHA, 8, [1, 2, 3, 4, 5, 6, 7, 255]), [[1, 2, 3, 4], [5, 6, 7, 255]]),
        (png(RGB_ALPHA, 16, [32768, 16448, 65535, 16448]), [[128, 64, 255, 64]]),
        # tRNS: the alphas of a palette, or the one color that is clear, in the picture's own depth
        (
            png(PALETTE, 2, [0, 1, 2], PLTE=COLORS, tRNS=b"\0\x40"),
            [[255, 0, 0, 0], [10, 200, 30, 64], [0, 0, 255, 255]],
        ),
        (png(GREY, 1, [0, 1], tRNS=shorts(1)), [[0, 0, 0, 255], [255, 255, 255, 0]]),
        (png(GREY, 2, [1, 2], tRNS=shorts(1)), [[85, 85, 85, 0], [170, 170, 170, 255]]),
        (png(GREY, 4, [1, 9], tRNS=shorts(9)), [[17, 17, 17, 255], [153, 153, 153, 0]]),
        (png(GREY, 8, [17, 9], tRNS=shorts(9)), [[17, 17, 17, 255], [9, 9, 9, 0]]),
        (png(GREY, 16, [32768, 32769], tRNS=shorts(32769)), [[128, 128, 128, 255], [128, 128, 128, 0]]),
        (png(RGB, 8, [1, 2, 3, 1, 2, 4], tRNS=shorts(1, 2, 4)), [[1, 2, 3, 255], [1, 2, 4, 0]]),
        (
            png(RGB, 16, [32768, 257, 65535, 0, 0, 0], tRNS=shorts(32768, 257, 65535)),
            [[128, 1, 255, 0], [0, 0, 0, 255]],
        ),
    ],
)
def test_png_of_every_color_type_and_depth(content, expected):
    assert decode(content, "it").tolist() == [expected]


def saved(pixels, mode, kind, **options):
    """A file of a picture of 16 x 16 equal pixels."""
    stream = io.BytesIO()
    Image.new(mode, (16, 16), pixels).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (saved(100, "L", "JPEG", quality=100), [100, 100, 100]),
        (saved((200, 100, 50), "RGB", "JPEG", quality=100, subsampling=0), [200, 100, 50]),
        # of 255, less ink: 255 (1 - c / 255) (1 - k / 255)
        (saved((255, 0, 102, 0), "CMYK", "JPEG", quality=100), [0, 255, 153]),
        (saved((0, 102, 51, 51), "CMYK", "JPEG", quality=100), [204, 122, 163]),
        (saved((200, 100, 50), "RGB", "WEBP", lossless=True), [200, 100, 50]),
        (saved((200, 100, 50, 64), "RGBA", "WEBP", lossless=True, exact=True), [200, 100, 50, 64]),
        (saved((200, 100, 50), "RGB", "WEBP", quality=100), [200, 100, 50]),
    ],
)
def test_jpeg_and_webp(content, expected):
    found = decode(content, "it")
    assert found.shape == (16, 16, len(expected)) and np.abs(found - np.array(expected, int)).max() <= 3
