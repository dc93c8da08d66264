"""One short training, looked at after every epoch: training loss, validation loss, when to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnist_core.network.losses import cross_entropy
from mnist_core.network.network import Network
from mnist_core.network.optimizers import OPTIMIZERS, Optimizer

Array = np.ndarray
Examples = tuple[Array, Array]  # images uint8 (n, 28, 28), labels (n,)


@dataclass(frozen=True, eq=False)
class Course:
    """Mean losses in nats and accuracies (0…1) before the first epoch and after each: all
    (epochs + 1,), measured as at inference, without dropout."""

    train_loss: Array
    validation_loss: Array
    train_accuracy: Array
    validation_accuracy: Array

    @property
    def best(self) -> int:
        """The epoch of the least validation loss."""
        return int(self.validation_loss.argmin())

    @property
    def most_accurate(self) -> int:
        """The first epoch of the highest validation accuracy."""
        return int(self.validation_accuracy.argmax())

    @property
    def gap(self) -> float:
        """Validation loss less training loss at the end, in nats."""
        return float(self.validation_loss[-1] - self.train_loss[-1])

    def stops(self, patience: int) -> int | None:
        """The epoch at which early stopping ends: the first with `patience` epochs behind it that
        brought no smaller validation loss. None if it goes through to the end."""
        least, since = np.inf, 0
        for epoch, loss in enumerate(self.validation_loss):
            least, since = (loss, 0) if loss < least else (least, since + 1)
            if since >= patience:
                return epoch
        return None


def follow(
    network: Network, train: Examples, validation: Examples, epochs: int,
    rng: np.random.Generator, learning_rate: float = 1e-3, batch: int = 32,
    report: Callable[[float], None] = lambda share: None, optimizer: str = "adam",
) -> Course:  # fmt: skip
    """Train `network` on shuffled batches and measure it on both sets on the way."""
    rule = OPTIMIZERS[optimizer](learning_rate)
    measured = [(*_measure(network, *train), *_measure(network, *validation))]
    for epoch in range(epochs):
        order = rng.permutation(len(train[1]))
        for first in range(0, len(order), batch):
            rows = order[first : first + batch]
            _step(network, train[0][rows], train[1][rows], rule)
        measured.append((*_measure(network, *train), *_measure(network, *validation)))
        report((epoch + 1) / epochs)
    train_loss, train_accuracy, loss, accuracy = np.array(measured).T
    return Course(train_loss, loss, train_accuracy, accuracy)


def _step(network: Network, images: Array, labels: Array, optimizer: Optimizer) -> None:
    _, d_logits = cross_entropy(network.forward(images, training=True), labels)
    network.backward(d_logits)
    for layer in network.layers:
        for name, gradient in layer.gradients.items():
            old = layer.parameters[name]
            layer.parameters[name] = optimizer.update(f"{layer.name}/{name}", old, gradient)


def _measure(network: Network, images: Array, labels: Array) -> tuple[float, float]:
    logits = network.forward(images)
    return cross_entropy(logits, labels)[0], float((logits.argmax(axis=1) == labels).mean())
