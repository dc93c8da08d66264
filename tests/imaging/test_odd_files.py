"""Over forty kinds of odd or bad image files: each is read, or refused in one sentence."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mnist_core.imaging.drawing import BadImage, EmptyDrawing, read_digits, read_image, to_mnist
from tests.imaging.test_drawing import bomb, seven

GRAY = 255 - seven()
PAPER = Image.fromarray(GRAY)


def packed(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation, undo):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return packed(PAPER.transpose(undo), "JPEG", exif=exif, quality=95)


def clear(ink, paper):
    """The drawing in the alpha channel alone, over a hidden paper."""
    gray = np.where(seven() > 0, ink, paper).astype(np.uint8)
    return Image.fromarray(np.dstack([gray, gray, gray, seven()]))


def palette(light_first):
    image = Image.fromarray((seven() > 0).astype(np.uint8)).convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0] if light_first else [0, 0, 0, 255, 255, 255])
    return image


def frames():
    return [PAPER.convert("P"), Image.new("P", PAPER.size, 255)]


T = Image.Transpose
DEEP = Image.fromarray(GRAY.astype(np.uint16) * 257)
READ = {
    "png gray": packed(PAPER, "PNG"),
    "png light on dark": packed(Image.fromarray(seven()), "PNG"),
    "png rgb": packed(PAPER.convert("RGB"), "PNG"),
    "png one bit": packed(PAPER.convert("1"), "PNG"),
    "png sixteen bits": packed(DEEP, "PNG"),
    "png palette": packed(palette(True), "PNG"),
    "png palette, dark first": packed(palette(False), "PNG"),
    "png palette with transparency": packed(palette(True), "PNG", transparency=0),
    "png black on clear": packed(clear(0, 255), "PNG"),
    "png white on clear": packed(clear(255, 0), "PNG"),
    "png interlaced text chunks": packed(PAPER, "PNG", optimize=True, dpi=(72, 72)),
    "apng": packed(frames()[0], "PNG", save_all=True, append_images=frames()[1:]),
    "jpeg gray": packed(PAPER, "JPEG", quality=95),
    "jpeg rgb": packed(PAPER.convert("RGB"), "JPEG", quality=95),
    "jpeg progressive": packed(PAPER, "JPEG", quality=95, progressive=True),
    "jpeg cmyk": packed(PAPER.convert("CMYK"), "JPEG", quality=95),
    "jpeg poor": packed(PAPER, "JPEG", quality=25),
    "jpeg turned right": turned(6, T.ROTATE_90),
    "jpeg upside down": turned(3, T.ROTATE_180),
    "jpeg turned left": turned(8, T.ROTATE_270),
    "jpeg mirrored": turned(2, T.FLIP_LEFT_RIGHT),
    "gif": packed(PAPER, "GIF"),
    "gif animated": packed(frames()[0], "GIF", save_all=True, append_images=frames()[1:]),
    "webp": packed(PAPER.convert("RGB"), "WEBP", lossless=True),
    "webp animated": packed(PAPER.convert("RGB"), "WEBP", save_all=True, lossless=True,
                            append_images=[Image.new("RGB", PAPER.size)]),
    "bmp": packed(PAPER, "BMP"),
    "tiff": packed(PAPER, "TIFF"),
    "tiff sixteen bits": packed(DEEP, "TIFF"),
    "tiff cmyk": packed(PAPER.convert("CMYK"), "TIFF"),
    "tiff pages": packed(PAPER, "TIFF", save_all=True, append_images=[PAPER]),
    "lab tiff": packed(Image.merge("LAB", [PAPER, *[Image.new("L", PAPER.size, 128)] * 2]), "TIFF"),
    "huge": packed(PAPER.resize((4000, 4000), Image.Resampling.NEAREST), "PNG"),
    "a few pixels": packed(PAPER.resize((14, 14), Image.Resampling.BOX), "PNG"),
    "thin strip": packed(Image.fromarray(np.pad(GRAY, ((0, 0), (3000, 0)), constant_values=255)),
                         "PNG"),
}  # fmt: skip
LOOSE = {"jpeg poor": 0.05, "a few pixels": 0.09, "thin strip": 0.05, "png one bit": 0.03}


@pytest.mark.parametrize("kind", READ)
def test_an_odd_file_gives_the_drawing(kind):
    picture = read_image(io.BytesIO(READ[kind]))
    assert picture.dtype == np.uint8 and max(picture.shape) <= 1024
    assert np.abs(to_mnist(picture) - to_mnist(seven())).mean() < LOOSE.get(kind, 0.015)
    assert len(read_digits(picture)) == 1


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(
        ">I", zlib.crc32(name + content))  # fmt: skip


def zip_bomb_in_png(tmp_path):
    """A small header, and pixel data that unpacks to far more than it says."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


PNG, JPEG = READ["png gray"], READ["jpeg gray"]
REFUSED = {
    "nothing": (b"", "is empty"),
    "text": (b"This is a seven.", "is not a picture"),
    "web page": (b"<!DOCTYPE html><p>7", "is a web page"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
    "pdf": (b"%PDF-1.7\n", "is a PDF"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "is a PostScript file"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "is an HEIC photo"),
    "film": (b"\0\0\0\x18ftypisom\0\0\0\0", "is a film"),
    "zip": (b"PK\x03\x04\0\0\0\0", "is a zip archive"),
    "png cut in its header": (PNG[:20], "damaged or cut off|not a picture"),
    "png cut in its pixels": (PNG[: len(PNG) // 2], "damaged or cut off"),
    "jpeg cut": (JPEG[: len(JPEG) // 3], "damaged or cut off"),
    "gif cut": (READ["gif"][:60], "damaged or cut off"),
    "webp cut": (READ["webp"][: len(READ["webp"]) // 2], "damaged or cut off|not a picture"),
    "tiff cut": (READ["tiff"][:3000], "damaged or cut off|not a picture"),
    "png with a flipped bit": (PNG[:60] + bytes([PNG[60] ^ 64]) + PNG[61:], "damaged or cut off"),
    "float tiff": (packed(PAPER.convert("F"), "TIFF"), "fractions"),
    "random bytes": (np.random.default_rng(0).bytes(5000), "is not a picture"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_file_is_refused_in_a_sentence(kind):
    content, says = REFUSED[kind]
    with pytest.raises(BadImage) as refused:
        read_image(io.BytesIO(content))
    sentence = str(refused.value)
    assert re.search(says, sentence), sentence
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 120


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [7_200, 30_000, 2**31 - 1])
def test_a_bomb_is_not_unpacked(side, tmp_path):
    with pytest.raises(BadImage, match=r"^bomb\.png "):
        read_image(bomb(side, side)(tmp_path))


def test_pixel_data_beyond_the_header_is_not_taken(tmp_path):
    try:
        picture = read_image(io.BytesIO(zip_bomb_in_png(tmp_path)))
    except BadImage:
        return
    assert picture.shape == (10, 10)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 3), (2000, 2000)])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_an_empty_picture_says_so(size, colour):
    picture = read_image(io.BytesIO(packed(Image.new("L", size, colour), "PNG")))
    with pytest.raises(EmptyDrawing, match="no ink"):
        to_mnist(picture)
