"""Scans, forms, tables and cluttered pages, drawn here around MNIST's test digits: what is round a
digit goes, and the digit stays. Each kind in several draws of its own."""

from difflib import SequenceMatcher

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_core.imaging import drawing, ruling
from mnist_core.runs import models
from tests.imaging.test_photos import labels_of, page, photo

named = pytest.mark.parametrize


def read_one(pictures):
    images = np.stack([np.round(255 * drawing.to_mnist(p)).astype(np.uint8) for p in pictures])
    return models.default().network.predict(images).argmax(axis=1)


def enlarged(image, size):
    large = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(large).astype(np.float32) / 255


def paper(ink, contrast, light=200.0, grain=0.0, seed=0):
    """Dark ink, a share of 1, on paper of this light with grain: uint8."""
    rng = np.random.default_rng(seed)
    gray = light * (1 - contrast * ink) + rng.normal(0, grain, ink.shape)
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def some(data, count):
    """So many test images, 0 to 9 in turn, each that the default model reads without doubt. (The
    very surest ones would depend on the last bit of a probability.)"""
    images, labels = data.test.images[:1000], data.test.labels[:1000]
    p = models.default().network.predict(images)
    clear = [np.flatnonzero((labels == d) & (p[:, d] > 0.99))[: count // 10] for d in range(10)]
    chosen = np.stack(clear, axis=1).ravel()[:count]
    return images[chosen], labels[chosen]


@pytest.fixture(scope="module")
def digits(mnist):
    return some(mnist, 40)


def alike(found, labels, across):
    """How much of each line is as written, in order, 0…1 in the mean: a 5 whose bar stands apart
    counts twice."""
    written = ["".join(map(str, part)) for part in np.split(labels, len(labels) // across)]
    said = ["".join(map(str, labels_of(line))) for line in found.lines]
    return np.mean([SequenceMatcher(None, a, b, autojunk=False).ratio()
                    for a, b in zip(said, written, strict=True)])  # fmt: skip


# ------------------------------------------------------------------------ one digit


def faint(image, seed):
    """14 pixels of pale pencil on a scan of 28, its paper not quite even."""
    small = np.zeros((28, 28), np.float32)
    at = 6 + seed % 5
    small[at : at + 14, 7:21] = enlarged(image[4:24, 4:24], 14)
    return paper(small, 0.35, 230, 1.5, seed)


def pale(image, seed):
    """A sixth darker than paper in shadow, with the camera's grain."""
    ink = np.pad(enlarged(image, 90), 20) > 0.4
    shade = 180 - 40 * np.mgrid[:130, :130][1] / 130
    rng = np.random.default_rng(seed)
    return np.clip(shade * (1 - 0.16 * ink) + rng.normal(0, 3, ink.shape), 0, 255).astype(np.uint8)


def with_a_stop(image, seed):
    ink = np.pad(enlarged(image, 60), ((20, 20), (10, 50)))
    ink[74:80, 78 + seed % 8 : 84 + seed % 8] = 1
    return paper(ink, 0.8, 240, 1, seed)


def in_a_corner(image, seed):
    """28 pixels cut out of a form: two sides of a printed box, as thin as they come."""
    ink = np.zeros((28, 28), np.float32)
    ink[8:24, 8:24] = enlarged(image[4:24, 4:24], 16)
    side, gray = 2 + seed % 3, 0.3
    ink[side, side:] = np.maximum(ink[side, side:], gray)
    ink[side:, side] = np.maximum(ink[side:, side], gray)
    turned = np.rot90(ink, 0 if seed % 2 else 2)
    return paper(turned if seed % 2 else np.rot90(turned, 2), 0.6, 250, 0.5, seed)


@named(("draw", "least"), [(faint, 0.9), (pale, 0.9), (with_a_stop, 0.97), (in_a_corner, 0.9)])
def test_a_digit_on_such_paper_is_read(draw, least, digits):
    images, labels = digits
    said = read_one([draw(image, seed) for seed, image in enumerate(images)])
    assert (said == labels).mean() >= least


def test_paper_alone_is_still_empty():
    """What lets pale ink through must not make ink of shading or grain."""
    shade = 180 - 60 * np.mgrid[:200, :260][1] / 260
    for grain in (1, 3, 6):
        rng = np.random.default_rng(grain)
        blank = np.clip(shade + rng.normal(0, grain, shade.shape), 0, 255).astype(np.uint8)
        with pytest.raises(drawing.EmptyDrawing):
            drawing.to_mnist(blank)


# ------------------------------------------------------------------- forms and tables


def table(images, across, cell, tilt, thick=2):
    """Digits in a table of this many columns, ink 0…1, the whole turned by `tilt` degrees."""
    down = -(-len(images) // across)
    sheet = Image.new("L", (across * cell + 80, down * cell + 80), 0)
    pen = ImageDraw.Draw(sheet)
    for k in range(across + 1):
        pen.line([(40 + k * cell, 40), (40 + k * cell, 40 + down * cell)], 255, thick)
    for k in range(down + 1):
        pen.line([(40, 40 + k * cell), (40 + across * cell, 40 + k * cell)], 255, thick)
    ink = np.asarray(sheet).copy()
    size = int(0.8 * cell)
    for k, image in enumerate(images):
        row, column = divmod(k, across)
        top, left = 40 + row * cell + cell // 10, 40 + column * cell + cell // 10
        place = ink[top : top + size, left : left + size]
        np.maximum(place, np.uint8(255 * (enlarged(image, size) > 0.45)), out=place)
    turned = Image.fromarray(ink).rotate(tilt, Image.Resampling.BICUBIC)
    return np.asarray(turned).astype(np.float32) / 255


@named("tilt", [0, 2, -3.5, 5])
@named("thick", [2, 4])
def test_a_table_goes_and_its_digits_stay(tilt, thick, digits):
    images, labels = digits[0][:30], digits[1][:30]
    found = drawing.read_page(paper(table(images, 6, 64, tilt, thick), 0.75, 230, 2))
    assert len(found.lines) == 5 and alike(found, labels, 6) >= 0.93


def test_boxes_in_a_row_go_too_where_a_digit_touches_one(digits):
    images, labels = digits[0][:8], digits[1][:8]
    lowered = table([np.roll(image, 4, axis=0) for image in images], 8, 70, 1.5)
    found = drawing.read_digits(paper(lowered, 0.8, 235, 1.5))
    assert len(found) == 8 and (labels_of(found) == labels).mean() >= 0.85


def test_a_zero_like_a_box_stays():
    """It has four sides and nothing in it."""
    ring = np.zeros((120, 120), np.float32)
    ring[20:100, 30:36] = ring[20:100, 84:90] = ring[20:26, 30:90] = ring[94:100, 30:90] = 1
    np.testing.assert_array_equal(ruling.without_frames(ring), ring)


def test_mnists_digits_are_no_frames(mnist):
    for image in mnist.test.images[:300]:
        marks = image.astype(np.float32) / 255
        assert ruling.without_frames(marks) is marks


# -------------------------------------------------------------------- whole pages


def cluttered(ink, kind):
    """A photo of the page with something else on it."""
    picture = Image.fromarray(photo(ink, contrast=0.6)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    width, height = picture.size
    match kind:
        case "a pen from the edge":
            pen.line([(width * 0.55, 0), (width, 70)], (20, 90, 200), 34)
        case "the table's edge":
            pen.rectangle([0, height - 40, width, height], (60, 45, 30))
        case "a coloured photo":
            pen.rectangle([width - 150, height - 150, width, height], (150, 40, 60))
        case "a rubber on the page":
            pen.ellipse([width - 180, height - 130, width - 60, height - 40], (70, 70, 90))
    return np.asarray(picture)


@named("kind", ["a pen from the edge", "the table's edge", "a coloured photo",
                "a rubber on the page"])  # fmt: skip
def test_what_else_lies_on_the_page_is_left_aside(kind, digits):
    images, labels = digits[0][:8], digits[1][:8]
    ink = page(images, across=4, size=90, shape=(560, 760), gap=40)
    ink = np.roll(ink, 60, axis=0)
    assert labels_of(drawing.read_digits(cluttered(ink, kind))).tolist() == labels.tolist()


@named("fall", [-10, -5, 5, 10])
def test_lines_that_rise_or_fall_stay_lines(fall, digits):
    images, labels = digits[0][:30], digits[1][:30]
    ink = page(images, across=10, size=60, shape=(420, 900), gap=20)
    sheet = Image.fromarray(np.uint8(255 * (1 - ink)))
    found = drawing.read_page(np.asarray(sheet.rotate(fall, expand=True, fillcolor=255)))
    assert len(found.lines) == 3 and alike(found, labels, 10) >= 0.93


def test_a_full_sheet_is_read_line_by_line(mnist):
    images, labels = some(mnist, 120)
    ink = page(images, across=12, size=48, shape=(720, 860), gap=10)
    found = drawing.read_page(paper(ink, 0.8, 245, 2))
    assert len(found.lines) == 10 and alike(found, labels, 12) >= 0.95
