"""RunSpec -> NumPy network -> mini-batch gradient descent -> events: a training by hand.

The same loop as the engine's runs around it, so it is watched, paused, stopped, measured and taken
up again in the same way; images, batches and epochs are the same too. Only the arithmetic is that
of `network` and `optimizers`, and random numbers are NumPy's: its runs begin with other weights
than Keras's of the same seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController

from mnist_core.data.dataset import Mnist
from mnist_core.design import augmentation
from mnist_core.design.spec import RunSpec
from mnist_core.network.layers import Array, Dense
from mnist_core.network.network import Network
from mnist_core.network.optimizers import OPTIMIZERS, Objective

from . import events, loop
from .control import Control
from .inside import Inside
from .loop import Arrays

EVALUATION_BATCH, CONVOLUTION_BATCH = 1000, 50  # images at once; maps of more leave the cache


class _First(Dense):
    """The first layer with weights. Nobody asks it for ∂L/∂pixels, which would take a third of a
    step: so it passes on what it was given, and nothing stands before it."""

    def backward(self, d_out: Array) -> Array:
        self.gradients = {"kernel": self.x.T @ d_out, "bias": d_out.sum(axis=0)}
        return d_out


class Program:
    """A network with its optimizer, ready to run steps."""

    def __init__(self, spec: RunSpec) -> None:
        self.spec, self.objective = spec, Objective.of(spec)
        self.rng = np.random.default_rng(spec.seed)
        network = Network.from_spec(spec, self.rng)
        first = next(i for i, layer in enumerate(network.layers) if layer.parameters)
        if isinstance(dense := network.layers[first], Dense):
            network.layers[first] = _First(dense.name, **dense.parameters)
        self.network = network
        self.trained = Network(network.layers[first:])
        self.optimizer = OPTIMIZERS[spec.optimizer](spec.learning_rate)
        # Products this small gain nothing from a second thread, but wait for it.
        self.threads = ThreadpoolController()

    def compile(self, data: Arrays) -> None:
        """There is nothing to compile."""

    def epoch(self, n: int, seed: int, epoch: int) -> Array:
        """The batches of an epoch over n images, as `run` takes them."""
        return loop.batches(n, self.spec.batch_size, seed, epoch)

    def run(
        self, data: Arrays, rows: Array, rates: Array, first: int, steps: int
    ) -> tuple[Array, Array]:
        """Train `steps` batches of `rows` from `first` on, each at its learning rate of `rates`:
        the loss and the right answers of each, from before its update."""
        with self._calmly():
            told = [self.step(data.images[rows[i]], data.labels[rows[i]], float(rates[i]))
                    for i in range(first, first + steps)]  # fmt: skip
        losses, right = np.array(told).reshape(steps, 2).T
        return losses, right.astype(int)

    @contextmanager
    def _calmly(self) -> Iterator[None]:
        """On one thread, and without warnings: the loop says when a loss is no number any more."""
        with self.threads.limit(limits=1, user_api="blas"), np.errstate(all="ignore"):
            yield

    def step(self, images: Array, labels: Array, rate: float) -> tuple[float, int]:
        """One batch, uint8 (n, 28, 28) and labels (n,): its mean loss and right answers before
        the update."""
        if self.spec.augment:
            images = augmentation.distorted(images, self.spec.augment, self.rng)
        logits = self.network.forward(images, training=True)
        loss, _ = self.objective.differentiate(self.trained, logits, labels)
        self.optimizer.learning_rate = rate
        for layer in self.trained.layers:
            for name, gradient in layer.gradients.items():
                layer.parameters[name] = self.optimizer.update(
                    f"{layer.name}/{name}", layer.parameters[name], gradient
                )
        return loss, int((logits.argmax(axis=1) == labels).sum())

    def evaluate(self, data: Arrays) -> tuple[float, float]:
        """Mean loss (nats) and accuracy (0…1) over all of `data`."""
        size = CONVOLUTION_BATCH if self.spec.convolutions else EVALUATION_BATCH
        loss, right = 0.0, 0
        with self._calmly():
            for i in range(0, len(data), size):
                images, labels = data.part(i, i + size)
                logits = self.network.forward(images)
                loss += self.objective.loss(self.network, logits, labels) * len(labels)
                right += int((logits.argmax(axis=1) == labels).sum())
        return loss / len(data), right / len(data)

    def weights(self) -> dict[str, Array]:
        """The weights as they are: every step makes new arrays, so these stay."""
        return self.network.weights()

    def state(self) -> dict[str, Array]:
        """A copy of everything else that training changes: the optimizer's memory, and where the
        random numbers are."""
        remembered = {
            f"optimizer/{name}/{what}": value.copy()
            for name, kept in self.optimizer.state.items()
            for what, value in kept.items()
        }
        generator = json.dumps(self.rng.bit_generator.state).encode()
        return remembered | {"generator": np.frombuffer(generator, np.uint8)}

    def load(self, values: Mapping[str, Array]) -> None:
        """Set the weights. Raises KeyError if `values` are of another design."""
        for layer in self.network.layers:
            for group in (layer.parameters, getattr(layer, "moving", {})):
                for name in group:
                    group[name] = np.array(values[f"{layer.name}/{name}"], self.network.dtype)

    def restore(self, saved: events.Checkpoint) -> None:
        """Go back to a checkpoint of the same design. Raises KeyError if it is of another. One
        without a state is of weights that were given: its optimizer begins anew."""
        self.load(saved.weights)
        self.optimizer.state = {}
        state = dict(saved.state)
        if not state:
            return
        self.rng.bit_generator.state = json.loads(state.pop("generator").tobytes())
        for key, value in state.items():
            name, _, what = key.removeprefix("optimizer/").rpartition("/")
            self.optimizer.state.setdefault(name, {})[what] = value.copy()


def train(
    spec: RunSpec,
    data: Mnist,
    control: Control | None = None,
    resume: events.Checkpoint | None = None,
) -> Iterator[events.Event | Inside]:
    """As `frameworks.train`, in NumPy whatever the spec names."""
    spec.check()
    train, test = (Arrays(split.images, split.labels) for split in (data.train, data.test))
    parts = loop.parts(train, test, spec.validation, spec.validation_share)
    return loop.Run(spec, parts, Program, control or Control(), resume).events()


def stepper(spec: RunSpec, images: Array, labels: Array) -> Callable[[int], float]:
    """A program as a function that trains so many steps, at most one epoch, and returns their mean
    loss: for measuring."""
    program, data = Program(spec), Arrays(images, labels)
    rows = program.epoch(len(data), spec.seed, 0)
    rates = np.full(len(rows), spec.learning_rate)
    return lambda steps: float(program.run(data, rows, rates, 0, steps)[0].mean())
