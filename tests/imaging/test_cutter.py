"""Digits that touch are cut apart, most of them where they should be, and hardly any other."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mnist_core.imaging import cutter, drawing, finder
from mnist_core.runs import models

TALL = 100  # pixels


def enlarged(image, tall=TALL):
    """A digit as a pen would have written it: bool (tall, w), without anything around it."""
    inked = image[np.ix_(image.max(axis=1) > 0, image.max(axis=0) > 0)]
    size = max(8, round(inked.shape[1] * tall / inked.shape[0])), tall
    return np.asarray(Image.fromarray(inked).resize(size, Image.Resampling.BICUBIC)) > 110


def pushed_together(images, rng):
    """Digits of about the same height in a line, each pushed against the one before it until its
    ink runs into it by a pixel or two: bool (h, w)."""
    sheet = np.zeros((180, 240 * len(images)), bool)
    right = 30
    for image in images:
        digit = enlarged(image, int(TALL * rng.uniform(0.85, 1.1)))
        height, width = digit.shape
        top, left = 30 + rng.integers(20), right + 5 if sheet.any() else right
        rows = slice(top, top + height)
        while sheet.any() and not (sheet[rows, left : left + width] & digit).any():
            left -= 1
        left -= int(sheet.any())
        sheet[rows, left : left + width] |= digit
        right = left + width
    return sheet[:, : right + 30]


def touching(mnist, n, count=2, seed=0):
    """n pictures in each of which `count` test digits hang together, with their labels."""
    rng = np.random.default_rng(seed)
    network = models.default().network
    images, labels = mnist.test.images[:1000], mnist.test.labels[:1000]
    good = np.flatnonzero(network.predict(images).max(axis=1) > 0.99)
    found = []
    while len(found) < n:
        chosen = rng.choice(good, count)
        picture = pushed_together(images[chosen], rng)
        if ndimage.label(picture, np.ones((3, 3)))[1] == 1:
            found.append((picture, labels[chosen].tolist()))
    return found


def read(picture, reader=True):
    network = models.default().network
    found = drawing.read_digits(np.uint8(255 * picture), reader and network.predict, "light")
    images = np.stack([np.round(255 * digit.image) for digit in found]).astype(np.uint8)
    return network.predict(images).argmax(axis=1).tolist()


def share_read(pictures, **how):
    return np.mean([read(picture, **how) == labels for picture, labels in pictures])


def test_most_pairs_that_touch_are_read(mnist):
    assert share_read(touching(mnist, 30)) >= 0.5


def test_some_are_read_by_their_shapes_alone(mnist):
    assert share_read(touching(mnist, 30), reader=None) >= 0.15


@pytest.mark.slow
def test_pairs_and_triples_are_read(mnist):
    assert share_read(touching(mnist, 200, seed=1)) >= 0.55
    assert share_read(touching(mnist, 300, count=3, seed=1)) >= 0.25


@pytest.mark.parametrize("every", [60, pytest.param(1, marks=pytest.mark.slow)])
def test_hardly_a_single_digit_is_cut(every, mnist):
    """The widest are most at risk: all that a reader would be asked about."""
    better = drawing._surer(models.default().network.predict)
    wide = [e for image in mnist.test.images[::every]
            if (e := enlarged(image)).shape[1] > cutter.WIDE_ENOUGH * TALL]  # fmt: skip
    cut = sum(cutter.pieces(_largest_part(digit), better).max() > 1 for digit in wide)
    assert len(wide) > 30 / (every**0.5) and cut <= 0.01 * len(wide)


def _largest_part(ink):
    labels, _ = ndimage.label(ink, np.ones((3, 3)))
    return labels == np.bincount(labels.flat)[1:].argmax() + 1


def crossed(*boxes):
    ink = np.zeros((120, 300), bool)
    for top, left, bottom, right in boxes:
        ink[top:bottom, left:right] = True
    return ink


# Two rings, 60 wide and 80 tall with strokes of 10, that touch over ten rows.
RINGS = crossed((20, 20, 100, 80), (20, 80, 100, 140))
RINGS[30:90, 30:70] = RINGS[30:90, 90:130] = False
RINGS[20:50, 76:84] = RINGS[60:100, 76:84] = False


def test_two_rings_are_cut_where_they_touch():
    found = cutter.pieces(RINGS)
    assert found.max() == 2
    assert (found[:, :74][RINGS[:, :74]] == 1).all() and (found[:, 86:][RINGS[:, 86:]] == 2).all()
    assert ((found > 0) == RINGS).all()


def test_a_reader_has_the_last_word():
    asked = []
    assert cutter.pieces(RINGS, lambda *parts: asked.append(parts)).max() == 1
    for whole, left, right in asked:
        assert ((left | right) == whole).all() and not (left & right).any()
    assert asked


@pytest.mark.parametrize("ink", [
    crossed((50, 10, 65, 290)),  # a bar
    crossed((20, 20, 100, 110)),  # a blot
    crossed((10, 20, 110, 34)),  # a 1
    crossed((20, 20, 100, 160)) & ~crossed((32, 32, 88, 148)),  # a wide 0
], ids=["bar", "blot", "one", "wide zero"])  # fmt: skip
def test_what_is_one_stays_one(ink):
    assert cutter.pieces(ink).max() == 1


def test_boxes_and_ink_of_the_pieces_are_the_finders(mnist):
    ((left, first), (right, second)), = finder.lines(RINGS.astype(np.float32))
    assert left[1] == 20 and right[3] == 140 and left[3] - right[1] <= 10
    assert first.sum() + second.sum() == RINGS.sum()
