"""Canvas or photo -> the 28x28 the model sees, stage by stage.

MNIST's makers "size normalized [the digits] to fit in a 20x20 pixel box while preserving their
aspect ratio", let the anti-aliasing of that step make the gray levels, and centred them "in a
28x28 image by computing the center of mass of the pixels" (LeCun, Bottou, Bengio & Haffner 1998,
http://yann.lecun.com/exdb/mnist/). This module does the same to any picture, so that a model
meets at prediction what it met in training: an MNIST image comes back as itself.
"""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

SIDE = 28
BOX = 20
# A pixel's index is its centre. In all but 2 of the 70,000 images the centre of mass lies in
# [13.5, 14.5): at pixel 14, half a pixel right of and below the middle of the frame.
CENTRE = 14
INKS = ("auto", "light", "dark")
LUMA = np.array([299, 587, 114], np.float32)  # ITU-R BT.601, in thousandths: exact in float32

FAINTEST_EDGE = 0.1  # of full ink; what a large drawing's bounding box may leave outside
PALEST_MARK = 0.3  # of a photo's typical ink; below it: shadows, ruled lines, show-through
LEAST_CONTRAST = 12  # gray levels between paper and ink in a photo that is not blank
FULL_SHARE = 0.1  # of a stroke's area; with less at full ink it is no stroke
SMALLEST_PART = 0.01  # of the largest stroke's area; below it a photo's mark is a speck

MOST_PIXELS = 50_000_000
LONGEST_SIDE = 1024
# Named, because Pillow's full list has formats that start other programs (EPS).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


class EmptyDrawing(ValueError):
    """The picture is all background: there is nothing to show to a model."""

    def __init__(self) -> None:
        super().__init__("There is no ink yet: draw a digit.")


class BadImage(ValueError):
    """The array or file cannot be taken as a picture; the message says why in one sentence."""


def to_mnist(image: np.ndarray, ink: str = "auto") -> np.ndarray:
    """The picture as MNIST's makers would have stored it.

    Takes uint8 (h, w), (h, w, 3) or (h, w, 4); returns float32 (28, 28) in [0, 1], white ink on
    black. `ink` says which side the ink is on: "light", "dark", or "auto" to judge by the border.
    Raises `EmptyDrawing` without ink, `BadImage` for another kind of array.
    """
    return stages(image, ink)["centred"]


def stages(image: np.ndarray, ink: str = "auto") -> dict[str, np.ndarray]:
    """Every step from the picture to the model's 28x28, in order, each float32 in [0, 1].

    "ink" (h, w): gray, light ink on black; "cropped": its bounding box; "boxed": that, resized
    with its aspect kept until the longer side is 20; "centred" (28, 28): that, moved by whole
    pixels until its centre of mass is at pixel 14. Arguments and errors as in `to_mnist`.
    """
    if ink not in INKS:
        raise ValueError(f'ink is "auto", "light" or "dark", not {ink!r}.')
    marks = _ink(_gray(_checked(image), ink), ink)
    cropped = marks[_bounding_box(marks)]
    boxed = _fit_in_box(cropped)
    return {"ink": marks, "cropped": cropped, "boxed": boxed, "centred": _centre(boxed)}


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise BadImage(f"A picture has uint8 pixels (0 to 255), but these are {image.dtype}.")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise BadImage(
            f"A picture has the shape (h, w), (h, w, 3) or (h, w, 4), but this is {image.shape}."
        )
    if image.size == 0:
        raise BadImage(f"This picture has no pixels: its shape is {image.shape}.")
    return image


# --- "ink": which pixels are ink, and how much ---------------------------------------------------


def _gray(image: np.ndarray, ink: str) -> np.ndarray:
    """Luma in 0..255, float32 (h, w); whole numbers for a gray picture, so that no later
    comparison depends on rounding."""
    if image.ndim == 2:
        return image.astype(np.float32)
    luma = image[..., :3].astype(np.float32) @ LUMA / np.float32(1000)
    if image.shape[2] == 3 or image[..., 3].min() == 255:
        return luma
    alpha = image[..., 3] / np.float32(255)
    dark = ink == "dark" or (ink == "auto" and np.sum((luma - 127.5) * alpha) < 0)
    paper = 255 if dark else 0
    return paper + (luma - paper) * alpha


def _ink(gray: np.ndarray, ink: str) -> np.ndarray:
    """Share of full ink at each pixel, float32 (h, w) in [0, 1]."""
    background = _median(_border(gray))
    difference = gray - background
    if _median(np.abs(_border(difference))) > 0:  # no even background: a photo
        return _photo_ink(gray, ink)
    if ink == "auto":
        ink = _side(difference)
    elif ink != _side(difference):  # strokes along most of the border
        difference = gray - _far_side(gray, ink)
    marks = np.maximum(difference if ink == "light" else -difference, 0)
    return _over_peak(marks)


def _border(gray: np.ndarray) -> np.ndarray:
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def _median(values: np.ndarray) -> float:
    """A value that occurs (never the mean of two), so an even background is exactly itself."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None).flat[middle])


def _side(difference: np.ndarray) -> str:
    """Which side of the background the ink is on. The third moment asks for both area and
    contrast: even noise cancels, and one bright speck does not outweigh a dark stroke."""
    return "light" if np.vdot(difference, np.square(difference)) > 0 else "dark"


def _far_side(gray: np.ndarray, ink: str) -> float:
    """The background as the typical gray on the side of the middle gray where the ink is not."""
    middle = (gray.min() + gray.max()) / 2
    return _median(gray[gray <= middle] if ink == "light" else gray[gray >= middle])


def _over_peak(marks: np.ndarray) -> np.ndarray:
    peak = marks.max()
    if peak <= 0:
        raise EmptyDrawing
    return np.clip(marks / peak, 0, 1)


def _photo_ink(gray: np.ndarray, ink: str) -> np.ndarray:
    """Ink on uneven, noisy paper: take off the light's slow changes, then stretch the contrast
    until most of a stroke is full ink, as in MNIST, whose originals were black and white."""
    difference = ndimage.gaussian_filter(gray - _paper(gray), max(gray.shape) / 200)
    side = _side(difference) if ink == "auto" else ink
    marks = difference if side == "light" else -difference
    noise = 1.4826 * _median(np.abs(marks))  # the standard deviation, if it were normal
    full = _median(marks[marks >= marks.max() / 2])
    if full < max(LEAST_CONTRAST, 5 * noise):
        raise EmptyDrawing
    palest = max(PALEST_MARK * full, 4 * noise)
    return _only_strokes(np.clip((marks - palest) / (full - palest), 0, 1))


def _paper(gray: np.ndarray) -> np.ndarray:
    """The gray of the paper under the ink, float32 (h, w): the median of a window too wide for
    strokes to fill, found on a thumbnail."""
    height, width = gray.shape
    thumbnail = Image.fromarray(gray)
    thumbnail.thumbnail((64, 64), Image.Resampling.BOX)
    window = max(thumbnail.size) // 2 | 1  # odd: the median of an even number leans to one side
    median = ndimage.median_filter(np.asarray(thumbnail), size=window, mode="nearest")
    return np.asarray(Image.fromarray(median).resize((width, height), Image.Resampling.BILINEAR))


def _only_strokes(marks: np.ndarray) -> np.ndarray:
    """Without the parts that are pale all over (what a shadow's edge leaves) or tiny (dust)."""
    parts, _ = ndimage.label(marks > 0, structure=np.ones((3, 3)))
    area, full = np.bincount(parts.flat), np.bincount(parts.flat, weights=(marks == 1).flat)
    area[full < FULL_SHARE * area] = 0
    area[0] = 0  # the paper
    stroke = area > SMALLEST_PART * area.max()
    if not stroke.any():
        raise EmptyDrawing
    return np.where(stroke[parts], marks, np.float32(0))


# --- "cropped", "boxed", "centred" ---------------------------------------------------------------


def _bounding_box(marks: np.ndarray) -> tuple[slice, slice]:
    """All ink at MNIST's own scale; of anything larger, all but the faintest edge, which shrinks
    to nothing anyway (a JPEG's ripples around a stroke, say)."""
    box = _extent(marks > 0)
    if max(side.stop - side.start for side in box) > SIDE:
        box = _extent(marks > FAINTEST_EDGE)
    return box


def _extent(mask: np.ndarray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _fit_in_box(cropped: np.ndarray) -> np.ndarray:
    """Longer side 20, aspect kept, peak 1; the filter's averaging makes the gray levels.

    Plain area averages come nearest to MNIST's shares of full and faint pixels (of the inked, 41 %
    and 9 % against 36 % and 9 %, on 1,500 test digits enlarged to black and white); other filters
    blur. Near the final scale they would only repeat and drop pixels, so there it is bicubic.
    """
    height, width = cropped.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resampling = Image.Resampling.BOX if scale <= 0.5 else Image.Resampling.BICUBIC
    resized = Image.fromarray(np.ascontiguousarray(cropped)).resize(size, resampling)
    return _over_peak(np.clip(np.asarray(resized), 0, 1))


def _centre(boxed: np.ndarray) -> np.ndarray:
    """Moved by whole pixels, as MNIST, and never so far that ink would leave the frame."""
    mass = boxed.sum(dtype=np.float64)
    start = []
    for axis, length in enumerate(boxed.shape):
        centre = boxed.sum(axis=1 - axis, dtype=np.float64) @ np.arange(length) / mass
        # Rounded first, so that a symmetric drawing does not hang on the last bit of its sum.
        start.append(min(max(math.ceil(CENTRE - 0.5 - round(centre, 6)), 0), SIDE - length))
    top, left = start
    frame = np.zeros((SIDE, SIDE), np.float32)
    frame[top : top + boxed.shape[0], left : left + boxed.shape[1]] = boxed
    return frame


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
        raise BadImage(f"{name} is not a picture: use a PNG or JPEG file.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(_too_large(name)) from None
    except Exception as error:  # a damaged file makes a decoder raise almost anything
        raise BadImage(f"{name} is damaged or cut off: save or send it again.") from error


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
