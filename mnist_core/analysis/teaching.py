"""A copy of a model, taught the visitor's own hand, with what it gained and what it forgot.

A quarter of the visitor's drawings is held out and never learned from. Each step mixes own drawings
with MNIST's images, so that the copy does not forget them ("rehearsal": Robins, "Catastrophic
forgetting, rehearsal and pseudorehearsal", Connection Science 7, 1995); the test set says
how well that worked.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from mnist_core import storage
from mnist_core.basis import LabError
from mnist_core.data.formats import NPZ_ARRAYS, Mnist, Split
from mnist_core.network.network import Network
from mnist_core.runs import models

EVERY = 4  # of so many drawings one is held out
FEWEST = 4  # drawings, before anything can be learned and measured
MOST = 500
BATCH = 32  # own drawings in each step, and as many of MNIST's images
# Steps of the copy's training, their learning rate, and the test images that measure it: a
# convolution takes far longer, and runs away from larger steps.
EFFORT = {"dense": (240, 0.05, 10_000), "convolution": (100, 0.01, 1_000)}


@dataclass(frozen=True)
class Report:
    """How many were read correctly, before and after, of the `held` own drawings that were not
    learned from and of the `tested` test images; `lost` test images were read correctly only
    before, `won` only after."""

    taught: int
    held: int
    own_before: int
    own_after: int
    tested: int
    test_before: int
    test_after: int
    lost: int
    won: int


def held_out(n: int) -> np.ndarray:
    """Which of n drawings are held out: bool (n,), the second of each four."""
    return np.arange(n) % EVERY == 1


def teach(
    model: models.Model,
    own: Split,
    data: Mnist,
    rng: np.random.Generator,
    report: Callable[[float], None] = lambda share: None,
) -> tuple[models.Model, Report]:
    """A copy of the model, trained on `own` less its held-out part, mixed with MNIST. `report`
    gets the share that is done. Raises LabError with fewer than 4 drawings."""
    if len(own.labels) < FEWEST:
        raise LabError(f"{FEWEST} drawings are needed, there are {len(own.labels)}.")
    steps, rate, most = EFFORT["convolution" if model.spec.convolutions else "dense"]
    held = held_out(len(own.labels))
    test = Split(data.test.images[:most], data.test.labels[:most])
    # Products this small gain nothing from a second thread, and on a busy machine it costs seconds.
    with threadpool_limits(1, "blas"):
        network = Network.from_weights(model.spec, model.network.weights(), rng=rng)
        for step in range(steps):
            batch = _batch(own.images[~held], own.labels[~held], data.train, rng)
            network.step(*batch, rate, training=False)
            report(step / steps)
        found = _compare(model.network, network, Split(own.images[held], own.labels[held]), test)
    found = replace(found, taught=int((~held).sum()))
    about = {"test_accuracy": found.test_after / found.tested, "taught": asdict(found)}
    return models.Model(model.spec, network, about), found


def _batch(
    images: np.ndarray, labels: np.ndarray, mnist: Split, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    own, others = rng.integers(len(labels), size=BATCH), rng.integers(len(mnist.labels), size=BATCH)
    moved = [np.roll(images[i], rng.integers(-1, 2, 2), axis=(0, 1)) for i in own]
    return (
        np.concatenate([np.stack(moved), mnist.images[others]]),
        np.concatenate([labels[own], mnist.labels[others]]),
    )


def _compare(before: Network, after: Network, own: Split, test: Split) -> Report:
    right = {
        (when, what): network.predict(split.images).argmax(axis=1) == split.labels
        for when, network in (("before", before), ("after", after))
        for what, split in (("own", own), ("test", test))
    }
    was, now = right["before", "test"], right["after", "test"]
    return Report(
        taught=0, held=len(own.labels), tested=len(test.labels),
        own_before=int(right["before", "own"].sum()), own_after=int(right["after", "own"].sum()),
        test_before=int(was.sum()), test_after=int(now.sum()),
        lost=int((was & ~now).sum()), won=int((now & ~was).sum()),
    )  # fmt: skip


# --- what is kept for a visitor ------------------------------------------------------------------


class Lessons:
    """One visitor's drawings with their labels, and the copy that they taught, in a folder of
    their own under `home`. The visitor's name comes from a cookie, so it names no folder itself.
    """

    def __init__(self, home: Path, visitor: str) -> None:
        self._home = Path(home)
        self._folder = self._home / "taught" / storage.whose(visitor)
        self._file, self._model = self._folder / "lessons.npz", self._folder / "model.npz"

    def own(self) -> Split:
        """The drawings, the oldest first."""
        if not self._file.exists():
            return Split(np.empty((0, 28, 28), np.uint8), np.empty(0, np.uint8))
        with np.load(self._file, allow_pickle=False) as kept:
            return Split(kept["images"], kept["labels"])

    def add(self, image: np.ndarray, label: int) -> None:
        """Keep a drawing uint8 (28, 28) with what it was. LabError beyond 500 of them."""
        own = self.own()
        if len(own.labels) >= MOST:
            raise LabError(f"There are {MOST} drawings already: reset them to begin anew.")
        images = np.concatenate([own.images, image[None]])
        self._write(images, np.append(own.labels, np.uint8(label)))

    def drop_last(self) -> None:
        """Forget the newest drawing."""
        own = self.own()
        self._write(own.images[:-1], own.labels[:-1])

    def keep(self, model: models.Model) -> None:
        """Keep the taught copy in place of an earlier one."""
        models.save(self._model, model.spec, model.network.weights(), model.about)

    def model(self) -> models.Model | None:
        """The taught copy, if there is one, which is in use by that."""
        storage.use(self._folder)
        return models.load(self._model) if self._model.exists() else None

    def stamp(self) -> int:
        """What changes with the taught copy; 0 without one."""
        return self._model.stat().st_mtime_ns if self._model.exists() else 0

    def model_file(self) -> bytes:
        """The taught copy as a file that `models.load` reads."""
        return self._model.read_bytes()

    def reset(self) -> None:
        """Forget the drawings and the copy."""
        storage.remove(self._folder)

    def _write(self, images: np.ndarray, labels: np.ndarray) -> None:
        with storage.replacing(self._file) as file:
            np.savez_compressed(file, images=images, labels=labels)
        storage.use(self._folder)


def dataset_file(own: Split) -> bytes:
    """The drawings in Keras's layout, the held-out ones as the test set: an .npz that MNIST_DATA
    can name. Raises LabError with fewer than 2."""
    if len(own.labels) < 2:
        raise LabError("A dataset needs 2 drawings: one to train and one to test.")
    held = held_out(len(own.labels))
    arrays = (own.images[~held], own.labels[~held], own.images[held], own.labels[held])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(zip(NPZ_ARRAYS, arrays, strict=True)))
    return buffer.getvalue()
