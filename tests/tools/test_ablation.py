"""What is left out, one part at a time, and that the rest stays as it was."""

from dataclasses import replace

import numpy as np
import pytest

from mnist_core.design.choices import AUGMENTATIONS, NO_AUGMENT
from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import Augment, Layer, RunSpec
from mnist_core.tools import ablation


def test_each_distortion_of_the_default_model_is_left_out_once():
    spec = RECIPES["default"].spec
    found = ablation.variants(spec)
    assert found["nothing"] == (spec, "hands") and found["other hands"] == (spec, "full")
    for name, given in AUGMENTATIONS.items():
        design, source = found[given.label.lower()]
        assert source == "hands" and getattr(design.augment, name) == 0
        back = replace(design.augment, **{name: getattr(spec.augment, name)})
        assert replace(design, augment=back) == spec
    assert found["all of these"][0].augment == NO_AUGMENT
    assert len(found) == 4 + len(AUGMENTATIONS)


def test_a_distortion_that_a_design_has_not_is_not_left_out():
    found = ablation.variants(RunSpec(augment=Augment(shift=1.0)))
    assert list(found) == ["nothing", "shift", "all of these", "other hands",
                           "all, and other hands"]  # fmt: skip


def test_some_images_are_drawn_with_their_labels(tiny):
    part = ablation.some(tiny, 50)
    assert len(part.train.labels) == 50 and part.test is tiny.test
    known = {image.tobytes(): label for image, label in zip(tiny.train.images, tiny.train.labels,
                                                           strict=True)}  # fmt: skip
    images, labels = part.train.images, part.train.labels
    assert [known[i.tobytes()] for i in images] == labels.tolist()
    assert len({i.tobytes() for i in images}) == 50
    assert len(ablation.some(tiny, 10**6).train.labels) == len(tiny.train.labels)


@pytest.mark.slow
def test_each_is_trained_and_measured_on_both(mnist):
    """Other hands are mixed into one source only: who trains without them reads fewer of them."""
    from mnist_core.data import formats, writing_habits

    plain = ablation.some(mnist, 1500)
    images, labels = writing_habits.pen(1500, 1)
    mixed = formats.Split(np.concatenate([plain.train.images, images]),
                        np.concatenate([plain.train.labels, labels]))  # fmt: skip
    order = np.random.default_rng(0).permutation(len(mixed.labels))
    train = formats.Split(mixed.images[order], mixed.labels[order])
    sources = {"hands": replace(plain, train=train), "full": plain}
    heard = []
    rows = ablation.run(heard.append, RunSpec((Layer(64),), augment=Augment(shift=1.0)), sources,
                        images=3000, epochs=6, drawings=500)  # fmt: skip
    found = {row["left_out"]: row for row in rows}
    assert list(found) == list(ablation.variants(RunSpec(augment=Augment(shift=1.0))))
    assert all(row["test_accuracy"] > 0.6 for row in rows) and len(heard) == len(rows)
    assert found["nothing"]["drawn_accuracy"] > found["other hands"]["drawn_accuracy"] + 0.05
