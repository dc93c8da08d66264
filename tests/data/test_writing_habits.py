"""Digits of other hands: what a pen writes can be read, varies, and comes back from its seed."""

import numpy as np
import pytest

from mnist_core.data import dataset, formats, writing_habits
from mnist_core.runs import models


@pytest.mark.parametrize("make", [writing_habits.pen, writing_habits.digits])
def test_images_and_labels_are_mnists_kind_and_come_back_from_the_seed(make):
    images, labels = make(40, 3)
    assert images.shape == (40, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (40,) and labels.dtype == np.uint8
    again, other = make(40, 3), make(40, 4)
    assert (again[0] == images).all() and (again[1] == labels).all()
    assert (other[0] != images).any()
    assert len({image.tobytes() for image in images}) == 40
    assert (images.max(axis=(1, 2)) > 200).all()  # ink, white on black
    assert make(0, 0)[0].shape == (0, 28, 28)


def test_every_way_to_write_a_digit_is_written():
    for digit, ways in writing_habits.WAYS.items():
        for way in ways:
            strokes = [writing_habits._points(stroke) for stroke in way.split("/")]
            assert all(len(stroke) >= 2 and stroke.shape[1] == 2 for stroke in strokes), digit
            everything = np.concatenate(strokes)
            assert everything.min() >= 0 and everything.max() <= 1


def test_most_of_them_are_read_by_a_model_that_never_saw_any():
    """They are digits: a model of MNIST alone reads far more of them than by chance, and not all,
    or they would teach nothing."""
    network = models.default().network
    for images, labels in (writing_habits.pen(200, 0), writing_habits.digits(200, 0)):
        assert (network.predict(images).argmax(axis=1) == labels).mean() > 0.75


def test_a_curve_goes_through_its_points_and_keeps_a_double_point_sharp():
    points = np.array([[0, 0], [1, 0], [1, 0], [1, 1]], float)
    line = writing_habits.curve(points)
    for point in points:
        assert (np.abs(line - point).sum(axis=1) < 1e-12).any()
    assert np.allclose(line[line[:, 1] == 0][:, 1], 0)
    assert ((line[:, 1] == 0) | (np.abs(line[:, 0] - 1) < 1e-12)).all()  # no rounded corner
    round_ = writing_habits.curve(points[[0, 1, 3]])
    assert (round_.min() < -1e-3) or (round_.max() > 1 + 1e-3)


def test_hands_are_mixed_into_the_training_images_only(tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_DATA", tiny.source)
    monkeypatch.setattr(dataset, "PEN", 30)
    monkeypatch.setattr(dataset, "DIGITS", 20)
    data = dataset.load("hands")
    assert len(data.train.labels) == len(tiny.train.labels) + 50
    assert (data.test.images == tiny.test.images).all() and data.source == "hands"
    known = {image.tobytes() for image in tiny.train.images}
    new = np.array([image.tobytes() not in known for image in data.train.images])
    assert new.sum() == 50 and new[-300:].any() and new[:300].any()
    kept = formats.read(dataset.cache_path("hands.npz"))
    assert (kept.train.labels == data.train.labels).all()
