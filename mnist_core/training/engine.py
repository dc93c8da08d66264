"""RunSpec -> Keras model -> compiled chunks -> events. The only file that imports TensorFlow.

Layers, optimizers and losses are Keras's own; only the loop around them is ours. `model.fit` goes
back to Python at every batch, which for these small networks costs ten times the arithmetic. Here
the images stay in one tensor and one compiled loop runs many steps: slice the epoch's permutation,
gather, differentiate, apply. Python comes back between chunks, often enough to draw and to stop.
"""

from __future__ import annotations

import os

# These count only before TensorFlow's import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Matrix products this small gain nothing from a second thread, but wait for it when another process
# has the core; so the other core is left to the page.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from .stderr_filter import stderr_without

# oneDNN halves the time of a convolution, but announces itself before the log level is read.
with stderr_without("absl::InitializeLog", "oneDNN custom operations"):
    import keras
    import tensorflow as tf
    from keras.src.random import seed_generator

from mnist_core.data.dataset import Mnist
from mnist_core.design import augmentation
from mnist_core.design.spec import CLASSES, IMAGE_SHAPE, L2, OPTIMIZERS, Block, RunSpec

from . import events, loop
from .control import Control
from .inside import Inside
from .loop import Arrays, Parts
from .model_formats import MODEL_FILES

EVALUATION_BATCH = 1000
PROGRAMS_KEPT = 4  # each holds some 10 MB of compiled code


class FastDropout(keras.layers.Dropout):
    """Keras's dropout, its random bits drawn by ThreeFry: TensorFlow's default (Philox) compiles
    to a loop that took more time than all the matrix products of the step. Same distribution.
    ThreeFry is there under XLA only."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        uniform = tf.random.stateless_uniform(tf.shape(inputs), seed, alg="threefry")
        kept = tf.cast(uniform >= self.rate, inputs.dtype)
        return inputs * (kept / (1 - self.rate))


def build(
    spec: RunSpec, dtype: str | None = None, replaced: Mapping[str, type[keras.Layer]] = {}
) -> keras.Sequential:
    """The Keras model of a RunSpec: uint8 (n, 28, 28) to logits (n, 10), scaling inside.

    `dtype` is Keras's default, float32, if none is given; `replaced` names Keras layer classes to
    be built from another class.
    """
    layers = [
        (replaced[b.kind] if b.kind in replaced else getattr(keras.layers, b.kind))(
            name=b.name, dtype=dtype, **_arguments(b)
        )
        for b in spec.stack()
    ]
    return keras.Sequential([keras.Input(IMAGE_SHAPE, dtype="uint8", name="image"), *layers])


def _arguments(block: Block) -> dict[str, Any]:
    """The block's arguments with Keras's own objects in place of ours."""
    return {
        name: keras.regularizers.L2(value.factor) if isinstance(value, L2) else value
        for name, value in block.arguments.items()
    }


def fused(spec: RunSpec) -> bool:
    """Whether XLA compiles the design: its convolutions are many times slower on a CPU than
    TensorFlow's own."""
    return not spec.convolutions


def seeded(spec: RunSpec) -> keras.Sequential:
    """The model to train, with the initial weights that the spec's seed gives. Keras draws a seed
    for each of them from Python's `random`, which Dask's threads draw from as well: meanwhile it
    has a generator of its own, which says the same as a `random` that nobody else uses."""
    keras.utils.set_random_seed(spec.seed)
    shared, seed_generator.python_random = seed_generator.python_random, Random(spec.seed)
    try:
        return build(spec, replaced={"Dropout": FastDropout} if fused(spec) else {})
    finally:
        seed_generator.python_random = shared


def optimizer(spec: RunSpec) -> keras.optimizers.Optimizer:
    """The Keras optimizer of a RunSpec."""
    chosen = OPTIMIZERS[spec.optimizer]
    return getattr(keras.optimizers, chosen.keras)(spec.learning_rate, **dict(chosen.arguments))


def loss(spec: RunSpec, dtype: str = "float32") -> Callable[[tf.Tensor, tf.Tensor], Any]:
    """The Keras loss of a RunSpec for labels (n,) and logits (n, 10): a mean in nats."""
    if spec.loss == "sparse":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype)
    one_hot = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=spec.label_smoothing, dtype=dtype
    )
    return lambda labels, logits: one_hot(tf.one_hot(labels, CLASSES), logits)


def compiled(spec: RunSpec, **how: Any) -> keras.Sequential:
    """The model as a tutorial would `compile` it, for `fit`; `how` goes to `compile`."""
    model = build(spec)
    model.compile(optimizer=optimizer(spec), loss=loss(spec), metrics=["accuracy"], **how)
    return model


def arrays(images: np.ndarray, labels: np.ndarray) -> Arrays:
    """Images (n, 28, 28) uint8 and their labels (n,), as a Program takes them."""
    return Arrays(tf.constant(images), tf.constant(labels, tf.int32))


@lru_cache(maxsize=2)
def _resident(data: Mnist) -> tuple[Arrays, Arrays]:
    train, test = (arrays(split.images, split.labels) for split in (data.train, data.test))
    return train, test


@lru_cache(maxsize=2)
def _parts(data: Mnist, validation: str, share: float) -> Parts:
    return loop.parts(*_resident(data), validation, share)


class Program:
    """A compiled network: the model, its optimizer, the chunk loop and the evaluation."""

    def __init__(self, spec: RunSpec) -> None:
        self.batch_size = spec.batch_size
        self.model = seeded(spec)
        self.optimizer = optimizer(spec)
        self.optimizer.build(self.model.trainable_variables)
        self._rate: Any = self.optimizer.learning_rate  # a variable, as long as it is no schedule
        self._fresh_optimizer = [v.numpy() for v in self.optimizer.variables]
        self._loss = loss(spec)
        self.augment = spec.augment
        self.draws = keras.random.SeedGenerator(spec.seed, name="augment")
        self._distort = tf.function(self._distorted, jit_compile=True, autograph=False)
        self.chunk = tf.function(self._chunk, jit_compile=fused(spec), autograph=False)
        self._totals = tf.function(self._evaluate, autograph=False)
        self._logits = tf.function(lambda images: self.model(images, training=False))

    def reset(self, spec: RunSpec) -> None:
        """As new: the seed's initial weights, an optimizer that has seen nothing."""
        fresh = seeded(spec)
        for mine, new in zip(self.model.variables, fresh.variables, strict=True):
            mine.assign(new)
        for mine, new in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            mine.assign(new)
        self._rate.assign(spec.learning_rate)
        self.draws.state.assign([spec.seed, 0])

    def train_step(self, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One batch: the mean loss and the number of right answers before the update."""
        variables = self.model.trainable_variables
        if self.augment:
            images = self._distort(images, tf.cast(self.draws.next(), tf.int32))
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = self._total(labels, logits)
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss, _right(logits, labels)

    def _distorted(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The batch as the network is shown it this time: uint8, like the images themselves."""
        shape = (_count(images), augmentation.draws(self.augment))
        noise = tf.random.stateless_uniform(shape, seed, -1, 1, alg="threefry")
        floats = augmentation.distort(tf.cast(images, tf.float32), noise, self.augment, keras.ops)
        return tf.cast(tf.round(floats), tf.uint8)

    def _total(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The loss with the penalties of the layers, as Keras reports it."""
        return tf.add_n([self._loss(labels, logits), *self.model.losses])

    def _chunk(self, data: Arrays, batches, rates, first: tf.Tensor, steps: tf.Tensor):
        """Run `steps` rows of `batches` (m, batch) from row `first` on, each at its learning rate
        of `rates` (m,); the loss and the right answers of each, in vectors of m that begin with
        them. `first` and `steps` are tensors, so that one compilation serves all chunks. A row is
        taken by `gather`: `slice` would make XLA compile anew for each `first`."""

        def body(i, losses, rights):
            self._rate.assign(tf.gather(rates, first + i))
            chosen = tf.gather(batches, first + i)
            batch = Arrays(tf.gather(data.images, chosen), tf.gather(data.labels, chosen))
            loss, right = self.train_step(*batch)
            now = tf.equal(places, i)  # a TensorArray would cost more than this
            return i + 1, tf.where(now, loss, losses), tf.where(now, right, rights)

        places = tf.range(batches.shape[0])
        start = (tf.constant(0), tf.zeros_like(places, tf.float32), tf.zeros_like(places))
        return tf.while_loop(lambda i, *_: i < steps, body, start)[1:]

    def _evaluate(self, images: tf.Tensor, labels: tf.Tensor):
        logits = self.model(images, training=False)
        return self._total(labels, logits) * _count(labels), _right(logits, labels)

    def evaluate(self, data: Arrays) -> tuple[float, float]:
        """Mean loss (nats) and accuracy (0…1) over all of `data`."""
        loss, right = 0.0, 0
        for i in range(0, len(data), EVALUATION_BATCH):
            a, b = self._totals(*data.part(i, i + EVALUATION_BATCH))
            loss, right = loss + float(a), right + int(b)
        return loss / len(data), right / len(data)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The logits float32 (n, 10) for uint8 images (n, 28, 28)."""
        parts = (images[i : i + EVALUATION_BATCH] for i in range(0, len(images), EVALUATION_BATCH))
        return np.concatenate([self._logits(tf.constant(part)).numpy() for part in parts])

    def compile(self, data: Arrays) -> None:
        """Compile the loop by running no step of it."""
        self.run(data, self.epoch(len(data), 0, 0), np.zeros(len(data) // self.batch_size), 0, 0)

    def epoch(self, n: int, seed: int, epoch: int) -> tf.Tensor:
        """The batches of an epoch over n images, as `run` takes them."""
        return batches(n, self.batch_size, seed, epoch)

    def run(
        self, data: Arrays, rows: tf.Tensor, rates: np.ndarray, first: int, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Train `steps` batches of `rows` from `first` on: the loss (float32) and the right answers
        (int32) of each, from before its update."""
        each_rate = tf.constant(rates, tf.float32)
        told = self.chunk(data, rows, each_rate, tf.constant(first), tf.constant(steps))
        losses, right = (each.numpy()[:steps] for each in told)
        return losses, right

    def weights(self) -> dict[str, np.ndarray]:
        """A copy of the weights as they are."""
        return weights(self.model)

    def state(self) -> dict[str, np.ndarray]:
        """A copy of everything else that training changes."""
        return _read(self._state())

    def load(self, values: Mapping[str, np.ndarray]) -> None:
        """Set the weights. Raises KeyError if `values` are of another design."""
        for name, variable in named_weights(self.model).items():
            variable.assign(values[name])

    def restore(self, saved: events.Checkpoint) -> None:
        """Go back to a checkpoint of the same design. Raises KeyError if it is of another. One
        without a state is of weights that came in a file: its optimizer begins anew."""
        self.load(saved.weights)
        for name, variable in self._state().items() if saved.state else ():
            variable.assign(saved.state[name])

    def _state(self) -> dict[str, Any]:
        """Variables that are not weights: the optimizer's and the random generators'."""
        weights = {id(v) for v in self.model.weights}
        generators = {
            f"{layer.name}/{v.name}": v
            for layer in self.model.layers
            for v in layer.variables
            if id(v) not in weights
        }
        if self.augment:
            generators["augment/draws"] = self.draws.state
        return generators | {f"optimizer/{i}": v for i, v in enumerate(self.optimizer.variables)}


def named_weights(model: keras.Model) -> dict[str, Any]:
    return {f"{layer.name}/{v.name}": v for layer in model.layers for v in layer.weights}


def _read(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.array(v.value.numpy()) for name, v in variables.items()}


def weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The model's weights as float32 arrays, by the names that `Network.from_weights` takes."""
    return _read(named_weights(model))


def _count(batch: tf.Tensor) -> int:
    """How many images a batch has, which is known when its program is compiled."""
    (n, *_) = batch.shape
    assert n is not None
    return n


def _right(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    hit = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), labels)
    return tf.reduce_sum(tf.cast(hit, tf.int32))


def batches(n: int, size: int, seed: int, epoch: int) -> tf.Tensor:
    """`loop.batches` as the compiled loop takes them."""
    return tf.constant(loop.batches(n, size, seed, epoch))


def stepper(spec: RunSpec, images: np.ndarray, labels: np.ndarray) -> Callable[[int], float]:
    """A compiled program as a function that trains so many steps in one chunk, at most one epoch,
    and returns their mean loss: for measuring."""
    program, data = Program(spec), arrays(images, labels)
    program.compile(data)
    rows = program.epoch(len(data), spec.seed, 0)
    rates = np.full(len(rows), spec.learning_rate)
    return lambda steps: float(program.run(data, rows, rates, 0, steps)[0].mean())


_programs: OrderedDict[tuple, Program] = OrderedDict()


def _program(spec: RunSpec) -> Program:
    """The compiled program of a design, kept for the next run that changes only what is not
    compiled: learning rate, schedule, epochs, seed, initial values, what is kept. A process trains
    one run at a time, so sharing it is safe."""
    key = (spec.convolutions, spec.layers, spec.augment, spec.optimizer, spec.batch_size, spec.l2,
           spec.loss, spec.label_smoothing)  # fmt: skip
    program = _programs.pop(key, None) or Program(spec)
    _programs[key] = program
    if len(_programs) > PROGRAMS_KEPT:
        _programs.popitem(last=False)
    program.reset(spec)
    return program


def train(
    spec: RunSpec,
    data: Mnist,
    control: Control | None = None,
    resume: events.Checkpoint | None = None,
) -> Iterator[events.Event | Inside]:
    """As `frameworks.train`, in TensorFlow whatever the spec names."""
    spec.check()
    parts = _parts(data, spec.validation, spec.validation_share)
    return loop.Run(spec, parts, _program, control or Control(), resume).events()


def predict(spec: RunSpec, values: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The logits float32 (n, 10) that a design with these weights gives for uint8 images
    (n, 28, 28). Raises KeyError if the weights are of another design."""
    program = _program(spec)
    program.load(values)
    return program.logits(images)


def model_file(
    spec: RunSpec, values: Mapping[str, np.ndarray], name: str = "model.keras"
) -> bytes:
    """One of MODEL_FILES of the design with these weights: for `keras.models.load_model`, for
    LiteRT (TensorFlow Lite), or ONNX. Each takes uint8 images (n, 28, 28) and gives the logits
    float32 (n, 10). Raises KeyError if the weights are of another design."""
    model = build(spec)
    for named, variable in named_weights(model).items():
        variable.assign(values[named])
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras looks for what NumPy 2 lacks
        path = Path(folder) / name
        if form := MODEL_FILES[name].keras_format:
            model(np.zeros((1, *IMAGE_SHAPE), np.uint8))  # Keras exports what has been called
            model.export(path, format=form, verbose=False)
        else:
            model.save(path)
        return path.read_bytes()


def keras_predictor(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """Probabilities (n, 10) for uint8 images (n, 28, 28) from a `.keras` file of this project.

    Keras's safe mode refuses code in the file. Raises ValueError for a file it cannot read.
    """
    model: Any = keras.models.load_model(path, safe_mode=True, compile=False)
    return lambda images: np.asarray(keras.ops.softmax(model(images, training=False)))


def warm(data: Mnist) -> None:
    """Do what the first training on `data` would otherwise wait for: compile the default design."""
    prepared(RunSpec(), data)


def prepared(spec: RunSpec, data: Mnist) -> tuple[Program, Parts]:
    """The compiled program of a design, kept for its next run, and the images of that run."""
    program, parts = _program(spec), _parts(data, spec.validation, spec.validation_share)
    program.compile(parts.train)
    return program, parts
