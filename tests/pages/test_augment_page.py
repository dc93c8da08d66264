"""The augmentation form of the builder page, and its preview."""

import base64
import io
import re

import numpy as np
from PIL import Image

from mnist_core.design import augmentation
from mnist_core.design.spec import AUGMENTATIONS, LIMITS, Augment, RunSpec
from pages._builder import augmentation_form
from tests.pages.visiting import query, text


def pictures(app):
    """The preview's digits in order: the originals, then the distorted ones, uint8 (n, 28, 28)."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)" alt="a (\d) (as it is|distorted)"',
                       text(app))  # fmt: skip
    images = [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data, *_ in found]
    return np.array(images), [int(label) for _, label, _ in found]


def test_each_distortion_has_a_slider_over_all_that_is_allowed(visit):
    app = visit("builder")
    for name, words in AUGMENTATIONS.items():
        slider = app.slider(key=f"design.{name}")
        assert (slider.min, slider.max) == LIMITS[name] and slider.value == 0
        assert words.label in slider.label and slider.help == words.says
    assert "Move a slider" in text(app) and not len(pictures(app)[0])


def test_the_sliders_are_in_the_link_and_the_link_in_the_sliders(visit):
    app = visit("builder")
    app.slider(key="design.rotation").set_value(10.0)
    app.slider(key="design.zoom").set_value(0.15).run()
    wanted = RunSpec(augment=Augment(rotation=10.0, zoom=0.15))
    assert RunSpec.from_query(query(app)) == wanted
    again = visit("builder", **wanted.to_query())
    assert again.slider(key="design.zoom").value == 0.15
    odd = RunSpec(augment=Augment(elastic=0.123, pen=1 / 3))
    assert RunSpec.from_query(query(visit("builder", **odd.to_query()))) == odd


def test_unwise_values_bring_their_advice(visit):
    app = visit("builder", aug="rotation40")
    assert "brings 6 and 9" in text(app)


def test_the_preview_is_what_the_formula_makes_of_real_digits(visit, tiny):
    setting = Augment(2, 10, 0.1, 10, 1.4, 0.5)
    app = visit("builder", **RunSpec(augment=setting).to_query())
    images, labels = pictures(app)
    n = len(augmentation_form.LABELS)
    assert labels == list(augmentation_form.LABELS) * (1 + augmentation_form.DRAWS)
    for image, label in zip(images[:n], labels, strict=False):
        assert label in tiny.train.labels[(tiny.train.images == image).all(axis=(1, 2))]
    tiles = np.tile(images[:n], (augmentation_form.DRAWS, 1, 1))
    expected = augmentation.distorted(tiles, setting, np.random.default_rng(0))
    np.testing.assert_array_equal(images[n:], expected)


def test_draw_again_draws_others_and_a_slider_keeps_the_draw(visit):
    app = visit("builder", aug="shift3")
    first, _ = pictures(app)
    app.slider(key="design.pen").set_value(0.5).run()
    app.slider(key="design.pen").set_value(0.0).run()
    np.testing.assert_array_equal(pictures(app)[0], first)
    app.button(key="draw_again").click().run()
    assert not app.exception
    n = len(augmentation_form.LABELS)
    other, _ = pictures(app)
    np.testing.assert_array_equal(other[:n], first[:n])
    assert all(np.any(a != b) for a, b in zip(other[n:], first[n:], strict=True))


def test_a_label_without_images_is_left_out(visit, monkeypatch):
    monkeypatch.setattr(augmentation_form, "LABELS", (6, 12, 9))
    assert pictures(visit("builder", aug="shift3"))[1][:3] == [6, 9, 6]
