"""Label errors: injected ones are found, known ones of MNIST are near the top."""

import numpy as np
import pytest

from mnist_core.statistics import label_errors

SMALL = {"centres": 500, "folds": 4}


@pytest.fixture(scope="module")
def spoiled(mnist):
    """2,500 images, 20 of them with a wrong label, and which."""
    images, labels = mnist.train.images[:2500], mnist.train.labels[:2500].copy()
    rng = np.random.default_rng(5)
    wrong = rng.choice(2500, 20, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, 20)) % 10
    return images, labels, wrong


@pytest.fixture(scope="module")
def found(spoiled):
    images, labels, _ = spoiled
    shares = []
    probabilities = label_errors.out_of_fold(images, labels, **SMALL, report=shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    return probabilities


def test_injected_errors_come_first(spoiled, found):
    _, labels, wrong = spoiled
    ranking = label_errors.rank(found, labels)
    ranks = np.flatnonzero(np.isin(ranking.index, wrong))
    assert (ranks < 40).sum() >= 18  # of 20; between them stand digits that are truly odd
    assert np.median(ranks) < 15
    assert ranking.confident[ranks].mean() > 0.7


def test_the_true_digit_is_named(spoiled, mnist, found):
    wrong = spoiled[2]
    assert (found[wrong].argmax(axis=1) == mnist.train.labels[wrong]).mean() > 0.85


def test_no_image_is_judged_by_a_model_that_saw_its_label(spoiled, found):
    """Another label on one image leaves its own scores as they are, bit for bit: they come from
    the other folds. Those of others move."""
    images, labels, _ = spoiled
    other = labels.copy()
    other[11] = (other[11] + 1) % 10
    again = label_errors.out_of_fold(images, other, **SMALL)
    assert (again[11] == found[11]).all()
    assert (again != found).any()


def test_rows_are_probabilities(found):
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found.min() >= 0


def test_upright_leaves_a_bar_and_sets_a_slanted_one_upright():
    bar = np.zeros((1, 28, 28), np.uint8)
    bar[0, 4:24, 13:16] = 200
    assert (label_errors.upright(bar) == bar).all()
    slanted = np.zeros_like(bar)
    for row in range(4, 24):
        left = 13 + round(0.5 * (14 - row))
        slanted[0, row, left : left + 3] = 200
    width = lambda image: int((image[0].max(axis=0) > 60).sum())  # noqa: E731
    assert width(slanted) >= 11 and width(label_errors.upright(slanted)) <= 5


def test_an_empty_image_is_left_empty():
    assert not label_errors.upright(np.zeros((2, 28, 28), np.uint8)).any()


def test_the_ranking_is_by_margin():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    probabilities = np.pad(probabilities, ((0, 0), (0, 8)))
    ranking = label_errors.rank(probabilities, np.array([0, 0, 1]))
    assert ranking.index.tolist() == [1, 2, 0]
    assert ranking.predicted.tolist() == [1, 1, 0]
    np.testing.assert_allclose(ranking.margin, [-0.6, 0.2, 0.8])


def test_off_diagonal_by_hand():
    """Thresholds: digit 0 (0.9 + 0.1) / 2 = 0.5; digit 1 (0.9 + 0.7) / 2 = 0.8."""
    ones = np.array([0.1, 0.9, 0.9, 0.7])  # probability of 1; labels 0, 0, 1, 1
    probabilities = np.pad(np.stack([1 - ones, ones], axis=1), ((0, 0), (0, 8)))
    labels = np.array([0, 0, 1, 1])
    assert label_errors.off_diagonal(probabilities, labels).tolist() == [False, True, False, False]


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="at least 10"):
        label_errors.out_of_fold(np.zeros((9, 28, 28), np.uint8), np.zeros(9, np.uint8))


def test_ten_images_and_missing_digits_are_enough(mnist):
    labels = mnist.train.labels[:10]
    assert label_errors.out_of_fold(mnist.train.images[:10], labels).shape == (10, 10)


@pytest.mark.slow
def test_the_known_errors_of_mnist_are_near_the_top(mnist):
    """Test images that Northcutt, Athalye, Mueller (2021) and the eye call wrongly labelled."""
    if len(mnist.train.labels) != 60_000:
        pytest.skip("needs all of MNIST")
    images = np.concatenate([mnist.train.images, mnist.test.images])
    labels = np.concatenate([mnist.train.labels, mnist.test.labels])
    ranking = label_errors.rank(label_errors.out_of_fold(images, labels), labels)
    of_test = ranking.index[ranking.index >= 60_000] - 60_000
    for index in (9729, 3520, 3558, 9587, 2130, 1530):
        assert index in of_test[:20]
    for index in (5937, 1901, 4248):
        assert index in of_test[:100]
