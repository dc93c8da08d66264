"""A copy learns a hand, and says truthfully what it gained and what it forgot."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy import ndimage

from mnist_core import storage
from mnist_core.analysis import teaching
from mnist_core.data import dataset
from mnist_core.data.formats import Split
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network.network import Network
from mnist_core.runs import models


def sheared(images, by=1.5):
    """Digits of a hand that leans far to the left."""
    return np.stack([
        ndimage.affine_transform(i, [[1, 0], [-by, 1]], [0, by * 14], order=1) for i in images
    ])  # fmt: skip


@pytest.fixture(scope="module")
def hand(mnist):
    images, labels = mnist.test.images[:400], mnist.test.labels[:400]
    return Split(sheared(images), labels)


@pytest.fixture(scope="module")
def taught(hand, mnist):
    few = Split(hand.images[:120], hand.labels[:120])
    return teaching.teach(models.default(), few, mnist, np.random.default_rng(0))


def right(model, split):
    return int((model.network.predict(split.images).argmax(axis=1) == split.labels).sum())


def of_report(mnist, report):
    """The test images that a report is about."""
    return Split(mnist.test.images[: report.tested], mnist.test.labels[: report.tested])


def test_a_habit_is_learned(taught, hand):
    model, report = taught
    unseen = Split(hand.images[120:], hand.labels[120:])
    assert right(model, unseen) > right(models.default(), unseen) + 0.05 * len(unseen.labels)
    assert report.own_after > report.own_before
    assert report.taught == 90 and report.held == 30


def test_the_report_is_what_is_measured_again(taught, hand, mnist):
    model, report = taught
    held = teaching.held_out(120)
    own = Split(hand.images[:120][held], hand.labels[:120][held])
    assert report.own_before == right(models.default(), own)
    assert report.own_after == right(model, own)
    test = of_report(mnist, report)
    assert report.test_before == right(models.default(), test)
    assert report.test_after == right(model, test)
    assert report.test_after - report.test_before == report.won - report.lost
    assert model.about["taught"] == asdict(report)


def test_little_is_forgotten(taught):
    _, report = taught
    assert report.test_after >= report.test_before - 0.02 * report.tested


def test_forgetting_is_told_where_it_happens(hand, mnist, monkeypatch):
    """Wrong labels, and far too large a step: the test set must say so."""
    monkeypatch.setitem(teaching.EFFORT, "convolution", (40, 0.03, 1_000))
    wrong = Split(hand.images[:40], (hand.labels[:40] + 1) % 10)
    model, report = teaching.teach(models.default(), wrong, mnist, np.random.default_rng(0))
    assert report.lost > report.won and report.test_after < report.test_before
    assert report.test_after == right(model, of_report(mnist, report))


def test_the_model_itself_stays_as_it_was(taught, mnist):
    before = models.load(models.DEFAULT).network.weights()
    for name, weight in models.default().network.weights().items():
        np.testing.assert_array_equal(weight, before[name])


def test_held_out_drawings_are_never_learned_from(hand, tiny, monkeypatch):
    monkeypatch.setitem(teaching.EFFORT, "convolution", (60, 0.01, 100))
    seen = []
    step = Network.step
    monkeypatch.setattr(Network, "step", lambda self, x, y, rate, training: (
        seen.append(x[: teaching.BATCH]), step(self, x, y, rate, training))[1])  # fmt: skip
    own = Split(hand.images[:8], hand.labels[:8])
    teaching.teach(models.default(), own, tiny, np.random.default_rng(0))
    met = np.concatenate(seen)
    for i, held in enumerate(teaching.held_out(8)):
        shifts = [np.roll(own.images[i], s, axis=(0, 1)) for s in np.ndindex(3, 3)]
        shifts = [np.roll(s, (-1, -1), axis=(0, 1)) for s in shifts]
        assert any((met == s).all(axis=(1, 2)).any() for s in shifts) == (not held)


@pytest.fixture(scope="module")
def dense(mnist):
    """A dense model with dropout and batch normalisation that has learned MNIST a little."""
    spec = RunSpec(layers=(Layer(64, batch_norm=True, dropout=0.2),))
    network = Network.from_spec(spec, np.random.default_rng(0))
    rng, train = np.random.default_rng(1), mnist.train
    for _ in range(250):
        some = rng.integers(len(train.labels), size=64)
        network.step(train.images[some], train.labels[some], 0.1)
    return models.Model(spec, network, {})


def test_a_dense_model_learns_a_hand_too_and_keeps_its_averages(dense, hand, mnist):
    """In larger steps, and without training its batch normalisation, as `Network.step` says."""
    few, unseen = Split(hand.images[:120], hand.labels[:120]), Split(*(
        part[120:] for part in (hand.images, hand.labels)))  # fmt: skip
    model, report = teaching.teach(dense, few, mnist, np.random.default_rng(0))
    assert right(model, unseen) > right(dense, unseen) + 0.05 * len(unseen.labels)
    assert report.test_before == right(dense, of_report(mnist, report))
    assert report.test_after == right(model, of_report(mnist, report))
    assert report.test_after >= report.test_before - 0.03 * report.tested
    before, after = dense.network.weights(), model.network.weights()
    averages = {name for name in before if "moving" in name}
    assert len(averages) == 2
    for name in before:
        assert np.array_equal(before[name], after[name]) == (name in averages)


def test_too_few_drawings_are_refused(hand, tiny):
    few = Split(hand.images[:3], hand.labels[:3])
    with pytest.raises(ValueError, match="4 drawings are needed, there are 3"):
        teaching.teach(models.default(), few, tiny, np.random.default_rng(0))


# --- what is kept --------------------------------------------------------------------------------


def test_lessons_are_kept_apart_for_each_visitor(tmp_path, hand):
    ada, bob = teaching.Lessons(tmp_path, "ada"), teaching.Lessons(tmp_path, "../../bob/../")
    for i in range(3):
        ada.add(hand.images[i], int(hand.labels[i]))
    assert len(ada.own().labels) == 3 and len(bob.own().labels) == 0
    bob.add(hand.images[9], 4)
    ada.drop_last()
    again = teaching.Lessons(tmp_path, "ada").own()
    np.testing.assert_array_equal(again.images, hand.images[:2])
    assert bob.own().labels.tolist() == [4]
    assert [p.name for p in tmp_path.iterdir()] == ["taught"]
    ada.reset()
    assert len(ada.own().labels) == 0 and ada.model() is None and ada.stamp() == 0


def test_a_taught_copy_is_kept_and_can_be_taken_away(tmp_path, taught, mnist):
    model, _ = taught
    lessons = teaching.Lessons(tmp_path, "ada")
    lessons.keep(model)
    images = mnist.test.images[:20]
    (tmp_path / "mine.npz").write_bytes(lessons.model_file())
    for back in (lessons.model(), models.load(tmp_path / "mine.npz")):
        np.testing.assert_array_equal(back.network.predict(images), model.network.predict(images))
        assert isinstance(back.spec, RunSpec) and back.about == model.about


def test_the_drawings_are_a_dataset(tmp_path, hand):
    own = Split(hand.images[:9], hand.labels[:9])
    (tmp_path / "hand.npz").write_bytes(teaching.dataset_file(own))
    back = dataset.load(tmp_path / "hand.npz")
    held = teaching.held_out(9)
    np.testing.assert_array_equal(back.train.images, own.images[~held])
    np.testing.assert_array_equal(back.test.labels, own.labels[held])
    with pytest.raises(ValueError, match="2 drawings"):
        teaching.dataset_file(Split(own.images[:1], own.labels[:1]))


def test_the_disk_is_bounded(tmp_path, hand, monkeypatch):
    monkeypatch.setattr(teaching, "MOST", 2)
    most = replace(storage.SHELVES["taught"], most=3)
    monkeypatch.setitem(storage.SHELVES, "taught", most)
    for visitor in "abcde":
        teaching.Lessons(tmp_path, visitor).add(hand.images[0], 1)
    storage.sweep(tmp_path)
    assert len(list((tmp_path / "taught").iterdir())) == 3
    last = teaching.Lessons(tmp_path, "e")
    last.add(hand.images[1], 2)
    with pytest.raises(ValueError, match="2 drawings already"):
        last.add(hand.images[2], 3)


def test_a_file_is_no_pickle(tmp_path, hand):
    lessons = teaching.Lessons(tmp_path, "ada")
    lessons.add(hand.images[0], 1)
    with np.load(io.BytesIO(lessons._file.read_bytes()), allow_pickle=False) as kept:
        assert set(kept.files) == {"images", "labels"}
