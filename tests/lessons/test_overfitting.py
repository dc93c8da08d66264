"""The short training: it learns, it overfits, and early stopping stops it."""

import numpy as np
import pytest

from mnist_core.charts import concept_charts
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.lessons import overfitting
from mnist_core.lessons.overfitting import Course
from mnist_core.network.network import Network


def course(losses):
    losses = np.array(losses)
    return Course(losses, losses, losses, losses)


@pytest.mark.parametrize(
    ("losses", "patience", "best", "stop"),
    [
        ([3, 2, 1, 0.5], 2, 3, None),
        ([3, 1, 2, 2, 0.5], 2, 4, 3),
        ([3, 1, 2, 2, 0.5], 3, 4, None),
        ([1, 1, 1, 1], 1, 0, 1),
    ],
)
def test_patience_counts_epochs_without_a_better_one(losses, patience, best, stop):
    history = course(losses)
    assert history.best == best
    assert history.stops(patience) == stop


def test_few_images_are_learned_by_heart(mnist):
    train, rng, shares = mnist.train, np.random.default_rng(0), []
    network = Network.from_spec(RunSpec(layers=(Layer(64),)), rng)
    history = overfitting.follow(
        network, (train.images[:100], train.labels[:100]),
        (train.images[-300:], train.labels[-300:]), 25, rng, 0.003, report=shares.append,
    )  # fmt: skip
    assert history.train_loss.shape == (26,) and shares[-1] == 1.0
    assert history.train_accuracy[-1] == 1.0
    assert history.train_loss[0] > 2 and history.train_loss[-1] < 0.05
    assert history.validation_loss[-1] > history.validation_loss[history.best]
    assert history.best < 25
    reading = concept_charts.course(history, 3).reading
    assert f"least after epoch {history.best}" in reading and "by heart" in reading
