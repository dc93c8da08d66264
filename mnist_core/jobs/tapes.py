"""What GradientTape says: of any network's loss, and of a line through points.

What a page shows beside our own arithmetic, in float64, done by a worker as `errands.CALLS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnist_core.design.spec import RunSpec
from mnist_core.lessons import regression
from mnist_core.lessons.gradient_checks import Question
from mnist_core.training import engine
from mnist_core.training.engine import keras, tf


class MaskedDropout(keras.layers.Dropout):
    """Dropout by a mask that is given: 0 where a value is dropped, 1 / (1 − rate) elsewhere."""

    mask: tf.Tensor | float = 1.0

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        return inputs * self.mask if training else inputs


_MOODY = (keras.layers.Dropout, keras.layers.BatchNormalization)  # other than in training


def _exact(spec: RunSpec) -> keras.Sequential:
    """The model in float64 throughout, with masks to give to its dropout. Three numbers of it Keras
    and TensorFlow would keep as float32: the scale, the factor of L2, the slope of leaky ReLU."""
    model = engine.build(spec, "float64", {"Dropout": MaskedDropout})
    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling):
            layer.scale = tf.constant(layer.scale, tf.float64)
        if penalty := getattr(layer, "kernel_regularizer", None):
            penalty.l2 = tf.constant(spec.l2, tf.float64)
        if getattr(layer, "activation", None) is keras.activations.leaky_relu:
            layer.activation = lambda z: tf.where(z > 0, z, 0.2 * z)
    return model


def tapes(questions: Sequence[Question]) -> list[dict[str, np.ndarray]]:
    """`tape` of each."""
    return [tape(question) for question in questions]


def tape(question: Question) -> dict[str, np.ndarray]:
    """∂L/∂parameter by "layer/parameter" and ∂L/∂pixel as "image", float64, as GradientTape finds
    them for a `gradient_checks.Question`."""
    spec = RunSpec.from_query(question.query)
    model = _exact(spec)
    for name, variable in engine.named_weights(model).items():
        variable.assign(question.weights[name])
    for name, mask in question.masks.items():
        model.get_layer(name).mask = tf.constant(mask, tf.float64)
    images = x = tf.constant(question.images, tf.float64)
    labels = tf.constant(question.labels, tf.int32)
    wanted = {v.path.removeprefix(f"{model.name}/"): v for v in model.trainable_variables}
    with tf.GradientTape() as tape:
        tape.watch(images)
        for layer in model.layers:  # the model itself would make uint8 of the pixels
            x = layer(x, training=question.training) if isinstance(layer, _MOODY) else layer(x)
        total = tf.add_n([engine.loss(spec, "float64")(labels, x), *model.losses])
    found = tape.gradient(total, wanted | {"image": images})
    return {name: tf.convert_to_tensor(gradient).numpy() for name, gradient in found.items()}


# ------------------------------------------------------------- a line, by GradientTape


def fit_line(
    x: np.ndarray, y: np.ndarray, learning_rate: float, epochs: int, seed: int
) -> np.ndarray:
    """As `regression.fit`, differentiated by TensorFlow. The weights are made outside the model
    function `line`, so each epoch finds them as the last one left them."""
    weights = [keras.Variable(w, dtype="float64") for w in _drawn(np.random.default_rng(seed))]
    adam = keras.optimizers.Adam(learning_rate)
    adam.build(weights)

    def line(x: tf.Tensor) -> tf.Tensor:
        slope, intercept = weights
        return slope * x + intercept

    @tf.function
    def epoch(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(line(x) - y))
        before = [w + 0.0 for w in weights]
        adam.apply(tape.gradient(loss, weights), weights)
        return tf.stack([*before, loss])

    points = tf.constant(x, tf.float64), tf.constant(y, tf.float64)
    return np.array([epoch(*points).numpy() for _ in range(epochs + 1)])


def fit_line_inside(
    x: np.ndarray, y: np.ndarray, learning_rate: float, epochs: int, seed: int
) -> np.ndarray:
    """As `regression.fit_inside`: the same, but the weights are made inside the model function, so
    each call has new ones. Keras's Adam refuses weights that it was not made for, hence a new one
    each time as well."""
    rng = np.random.default_rng(seed)

    def line(x: tf.Tensor) -> tuple[tf.Tensor, list]:
        slope, intercept = weights = [keras.Variable(w, dtype="float64") for w in _drawn(rng)]
        return slope * x + intercept, weights

    def epoch(x: tf.Tensor, y: tf.Tensor) -> list[float]:
        with tf.GradientTape() as tape:
            predicted, weights = line(x)
            loss = tf.reduce_mean(tf.square(predicted - y))
        before = [float(w) for w in weights]
        keras.optimizers.Adam(learning_rate).apply(tape.gradient(loss, weights), weights)
        return [*before, float(loss)]

    points = tf.constant(x, tf.float64), tf.constant(y, tf.float64)
    return np.array([epoch(*points) for _ in range(epochs + 1)])


def _drawn(rng: np.random.Generator) -> list[np.ndarray]:
    return list(regression.draw(rng).values())
