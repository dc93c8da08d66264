"""Photos: shadows, ruled lines, either polarity; several digits in one picture, in order."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_core.imaging import drawing, finder, ruling
from mnist_core.imaging.drawing import EmptyDrawing, read_digits, to_mnist
from mnist_core.runs import models

named = pytest.mark.parametrize


def sure(data, count):
    """The test images of which the default model is surest, one of each label in turn."""
    p = models.default().network.predict(data.test.images[:1000])
    labels = data.test.labels[:1000]
    best = [np.argsort(-np.where(labels == d, p[:, d], 0))[: count // 10 + 1] for d in range(10)]
    chosen = np.stack(best, axis=1).ravel()[:count]
    return data.test.images[chosen], labels[chosen]


def page(images, across=4, size=120, shape=(560, 760), gap=25):
    """Digits as a pen would write them on a page, ink 1 on 0, in lines of `across`."""
    ink = np.zeros(shape, np.float32)
    for k, image in enumerate(images):
        large = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
        row, column = divmod(k, across)
        top, left = 40 + row * (size + gap), 60 + column * (size + gap)
        ink[top : top + size, left : left + size] = np.asarray(large) > 110
    return ink


def photo(ink, shadow=0.0, grid=0, tilt=0.0, contrast=0.7, grain=4, light_ink=False, seed=0):
    """A page under uneven light: a half in shadow, ruled every `grid` pixels, with grain."""
    height, width = ink.shape
    y, x = np.mgrid[:height, :width]
    light = 150 + 60 * x / width - 30 * y / height
    edge = ndimage.gaussian_filter((0.5 * x + y > 0.75 * height).astype(np.float32), 5)
    light = light * (1 - shadow * edge)
    marks = contrast * ink
    if grid:
        ruled = (np.mod(y - tilt * x, grid) < 2) | (np.mod(x + tilt * y, grid) < 2)
        marks = np.maximum(marks, 0.45 * ruled)
    gray = (255 - light) * 0.4 + 130 * marks if light_ink else light * (1 - marks)
    noise = np.random.default_rng(seed).normal(0, grain, ink.shape)
    return np.clip(ndimage.gaussian_filter(gray, 0.8) + noise, 0, 255).astype(np.uint8)


def labels_of(found):
    images = np.stack([np.round(255 * digit.image).astype(np.uint8) for digit in found])
    return models.default().network.predict(images).argmax(axis=1)


KINDS = {
    "plain": {},
    "shadow": {"shadow": 0.45},
    "grid": {"grid": 38},
    "tilted grid in shadow": {"grid": 50, "tilt": 0.03, "shadow": 0.4},
    "grid in deep shadow": {"grid": 60, "shadow": 0.5},
    "white chalk": {"light_ink": True},
    "pencil": {"contrast": 0.3},
    "grainy": {"grain": 12},
}


@named("kind", KINDS)
def test_the_digits_of_a_photo_are_found_and_read_in_order(kind, mnist):
    images, labels = sure(mnist, 8)
    found = read_digits(photo(page(images), **KINDS[kind]))
    assert labels_of(found).tolist() == labels.tolist()


@named("ink", ["dark", "light"])
def test_naming_the_ink_decides(ink, mnist):
    images, labels = sure(mnist, 4)
    picture = photo(page(images), shadow=0.3, light_ink=ink == "light")
    assert labels_of(read_digits(picture, ink=ink)).tolist() == labels.tolist()


def test_boxes_are_in_pixels_of_the_picture(mnist):
    ink = page(sure(mnist, 3)[0])
    for times in (1, 4):
        picture = np.kron(np.uint8(255 * (1 - ink)), np.ones((times, times), np.uint8))
        found = read_digits(picture)
        assert len(found) == 3
        for digit in found:
            top, left, bottom, right = (side // times for side in digit.box)
            inside = ink[top - 2 : bottom + 2, left - 2 : right + 2]
            assert inside.any() and not ink[top + 5 : bottom - 5, right + 4 : right + 8].any()
        assert [d.box[1] for d in found] == sorted(d.box[1] for d in found)


def test_one_digit_is_the_same_as_the_whole_picture(mnist):
    ink = np.uint8(255 * page(sure(mnist, 1)[0]))
    (found,) = read_digits(ink)
    np.testing.assert_allclose(found.image, to_mnist(ink), atol=1e-6)


def strokes(*paths, width=10, size=(240, 200)):
    image = Image.new("L", (size[1], size[0]))
    for path in paths:
        ImageDraw.Draw(image).line(path, fill=255, width=width, joint="curve")
    return np.asarray(image)


BODY = [(60, 60), (55, 110), (110, 115), (120, 160), (50, 190)]


def test_the_bar_of_a_five_belongs_to_it():
    whole = strokes(BODY, [(72, 40), (130, 36)])
    assert len(read_digits(whole)) == 1
    np.testing.assert_allclose(read_digits(whole)[0].image, to_mnist(whole))


def test_a_bar_that_lies_beside_is_another_mark():
    assert len(read_digits(strokes(BODY, [(170, 40), (170, 190)]))) == 2


def test_specks_are_no_digits():
    picture = strokes(BODY, [(20, 20), (28, 20)], [(180, 220), (186, 222)])
    assert len(read_digits(picture)) == 1


def test_two_slanted_ones_stay_two():
    assert len(read_digits(strokes([(60, 40), (40, 200)], [(105, 40), (75, 200)]))) == 2


def test_no_more_than_a_full_page_is_taken():
    dots = np.kron(np.ones((21, 21)), np.pad(np.ones((12, 8)), 6)) > 0
    assert sum(map(len, finder.lines(dots.astype(np.float32)))) == finder.MOST_DIGITS


def test_an_empty_picture_has_no_digits():
    for blank in (np.zeros((300, 300), np.uint8), photo(np.zeros((300, 300), np.float32))):
        with pytest.raises(EmptyDrawing):
            read_digits(blank)


# --- ruled lines ---------------------------------------------------------------------------------


@named("tilt", [0.0, 0.02, -0.05])
def test_a_grid_alone_leaves_nothing(tilt):
    y, x = np.mgrid[:300, :400]
    ruled = (np.mod(y - tilt * x, 40) < 2) | (np.mod(x + tilt * y, 40) < 2)
    left = ruling.without_lines(ruled.astype(np.float32))
    assert left.sum() < 0.1 * ruled.sum()


def test_a_digit_on_a_grid_stays_whole():
    ink = np.float32(strokes(BODY) > 0)
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    ruled = (np.mod(y, 30) < 2) | (np.mod(x + 7, 30) < 2)
    left = ruling.without_lines(np.maximum(ink, ruled))
    assert (left[ink > 0] > 0).mean() > 0.93
    assert (left[(ink == 0) & ruled] > 0).mean() < 0.2


def test_the_stroke_of_a_one_is_no_ruled_line():
    for width in (3, 8, 20):
        one = np.float32(strokes([(100, 20), (100, 220)], width=width) > 0)
        np.testing.assert_array_equal(ruling.without_lines(one), one)


def test_a_thin_one_from_edge_to_edge_is_read():
    one = np.zeros((336, 336), np.uint8)
    one[:, 160:167] = 255
    assert to_mnist(one).sum() > 10


# --- the drawing path as a whole -----------------------------------------------------------------


def drawn(path, width, size=336):
    """A digit drawn on a canvas of 336 pixels with a round pen."""
    large = Image.new("L", (4 * size, 4 * size))
    pen = ImageDraw.Draw(large)
    points = [(4 * x, 4 * y) for x, y in path]
    pen.line(points, fill=255, width=4 * width, joint="curve")
    for x, y in (points[0], points[-1]):
        pen.ellipse([x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width], fill=255)
    return np.asarray(large.reduce(4))


def random_path(rng):
    """A smooth line through a few random points of a 160-pixel box."""
    knots = rng.uniform(0, 160, (rng.integers(4, 7), 2))
    t, fine = np.linspace(0, 1, len(knots)), np.linspace(0, 1, 60)
    return np.stack([np.interp(fine, t, knots[:, i]) for i in (0, 1)], axis=1)


def near(first, second):
    return np.abs(to_mnist(first) - to_mnist(second)).mean()


@named("seed", range(8))
def test_place_size_polarity_and_pen_hardly_change_the_result(seed):
    rng = np.random.default_rng(seed)
    path = random_path(rng)
    base = drawn(path + 60, 20)
    moved = drawn(path + 60 + rng.integers(-30, 90, 2), 20)
    assert near(base, moved) < 2e-4  # the pen itself is drawn a little differently
    scale = rng.uniform(0.5, 1.4)
    assert near(base, drawn(scale * path + 30, round(20 * scale))) < 0.06
    assert near(base, 255 - base) < 1e-6
    for width in (15, 25):
        other = drawn(path + 60, width)
        assert near(base, other) < 0.09
        assert np.corrcoef(to_mnist(base).ravel(), to_mnist(other).ravel())[0, 1] > 0.8


@named("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_the_path_lowers_no_accuracy_on_mnist(every, mnist):
    """Test images, through the whole drawing path and back to uint8."""
    network, images, labels = models.default().network, mnist.test.images, mnist.test.labels
    images, labels = images[::every], labels[::every]
    through = np.stack([np.round(255 * to_mnist(image)) for image in images]).astype(np.uint8)
    before = (network.predict(images).argmax(axis=1) == labels).mean()
    after = (network.predict(through).argmax(axis=1) == labels).mean()
    assert after >= before - 0.003
    again = np.stack([np.round(255 * to_mnist(image)) for image in through[:200]])
    assert np.abs(again - through[:200]).mean() < 0.05  # idempotent, in levels of 255


def test_a_huge_array_is_reduced_before_it_is_looked_at():
    small = drawn(random_path(np.random.default_rng(3)) + 60, 20)
    huge = np.kron(small, np.ones((12, 12), np.uint8))
    assert max(drawing.stages(huge)["ink"].shape) <= 1024
    assert near(small, huge) < 0.01
