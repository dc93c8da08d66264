"""Image files and arrays as plain gray pictures: what is taken, what is refused, and why.

Work is bounded: nothing over 50 megapixels is decoded, and nothing over 1024 pixels a side is
looked at in detail.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_core.basis import LabError

LUMA = np.array([299, 587, 114], np.float32)  # ITU-R BT.601, in thousandths: exact in float32
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 1024
# Named, because Pillow's full list has formats that start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# What people take for a picture, by what stands near its start, and its name in words.
OTHERS = {
    b"ftyphei": "an HEIC photo",
    b"ftypmif1": "an HEIC photo",
    b"%PDF": "a PDF",
    b"%!PS": "a PostScript file",
    b"<svg": "an SVG drawing",
    b"<html": "a web page",
    b"<!DOCTYPE html": "a web page",
    b"PK\x03\x04": "a zip archive",
    b"ftyp": "a film",
}


class EmptyDrawing(LabError):
    """The picture is all background: there is nothing to show to a model."""

    def __init__(self) -> None:
        super().__init__("There is no ink yet: draw a digit.")


class BadImage(LabError):
    """The array or file cannot be taken as a picture; the message says why in one sentence."""


# --- arrays --------------------------------------------------------------------------------------


def checked(image: np.ndarray) -> np.ndarray:
    """`image` if it is uint8 (h, w), (h, w, 3) or (h, w, 4), at most 1024 pixels a side: a larger
    one is reduced first. Raises `BadImage` for anything else."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise BadImage(f"A picture has uint8 pixels (0 to 255), but these are {image.dtype}.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise BadImage(
            f"A picture has the shape (h, w), (h, w, 3) or (h, w, 4), but this is {image.shape}."
        )
    if image.size == 0:
        raise BadImage(f"This picture has no pixels: its shape is {image.shape}.")
    times = -(-max(image.shape[:2]) // LONGEST_SIDE)
    return image if times == 1 else np.asarray(Image.fromarray(image).reduce(times))


def gray(image: np.ndarray, ink: str) -> np.ndarray:
    """Luma in 0..255, float32 (h, w); whole numbers for a gray picture, so that no later
    comparison depends on rounding. Transparent pixels become paper."""
    if image.ndim == 2:
        return image.astype(np.float32)
    luma = image[..., :3].astype(np.float32) @ LUMA / np.float32(1000)
    if image.shape[2] == 3 or image[..., 3].min() == 255:
        return luma
    alpha = image[..., 3] / np.float32(255)
    dark = ink == "dark" or (ink == "auto" and np.sum((luma - 127.5) * alpha) < 0)
    paper = 255 if dark else 0
    return paper + (luma - paper) * alpha


# --- files ---------------------------------------------------------------------------------------


def read_image(file: str | PathLike[str] | BinaryIO) -> np.ndarray:
    """An image file as uint8 (h, w), (h, w, 3) or, with transparency, (h, w, 4).

    Upright (EXIF), 8 bits a channel, first frame, and at most 1024 pixels on the longer side:
    larger ones are reduced while they are read. Raises `BadImage` for a missing, damaged or
    foreign file, and for one of over 50 megapixels before any of it is decoded.
    """
    name = Path(str(getattr(file, "name", "This file") if hasattr(file, "read") else file)).name
    try:
        with Image.open(file, formats=FORMATS) as image:
            _refuse_huge(image, name)
            return np.asarray(_eight_bit_and_upright(image))
    except BadImage:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BadImage(f"{file} cannot be opened: {error.strerror}.") from None
    except UnidentifiedImageError:
        raise BadImage(f"{name} {_foreign(file)}: use a PNG or JPEG file.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(_too_large(name)) from None
    except Exception as error:  # a damaged file makes a decoder raise almost anything
        raise BadImage(f"{name} is damaged or cut off: save or send it again.") from error


def _foreign(file: str | PathLike[str] | BinaryIO) -> str:
    """What the file is instead of a picture, as far as its start tells."""
    if isinstance(file, str | PathLike):
        with open(file, "rb") as opened:
            start = opened.read(64)
    else:
        file.seek(0)
        start = file.read(64)
    if not start:
        return "is empty"
    other = next((words for mark, words in OTHERS.items() if mark in start), None)
    return f"is {other}, which is not read here" if other else "is not a picture"


def _refuse_huge(image: Image.Image, name: str) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise BadImage(_too_large(name))


def _too_large(name: str) -> str:
    return f"{name} has more than {MOST_PIXELS // 1_000_000} megapixels: make it smaller first."


def _eight_bit_and_upright(image: Image.Image) -> Image.Image:
    image.draft(None, (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))  # JPEG: decodes at 1/2, 1/4 or 1/8
    ImageOps.exif_transpose(image, in_place=True)
    image = _eight_bit(image)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """As mode L, RGB or, where the file has transparency, RGBA."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode.startswith("I"):  # 16 bits, which convert("L") would clip at 255
        high_byte = np.clip(np.asarray(image), 0, 65535) // 256
        return Image.fromarray(high_byte.astype(np.uint8))
    if image.mode == "F":
        raise BadImage("This file's pixels are fractions without a known white: use a PNG or JPEG.")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
