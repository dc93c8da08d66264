"""Named designs to begin with, each with the tutorial it comes from and what it teaches."""

from __future__ import annotations

from dataclasses import dataclass

from .spec import Augment, Conv, Layer, RunSpec


@dataclass(frozen=True)
class Recipe:
    """A design with a name; `title` is what people call it.

    `says` is what its tutorial teaches, in three sentences; `concepts` are the ideas to look up for
    it, by their names on the Backprop page. `published` is the test accuracy (0…1) that `source`
    reports."""

    title: str
    spec: RunSpec
    source: str
    says: str
    concepts: tuple[str, ...] = ()
    published: float | None = None


def network(spec: RunSpec) -> str:
    """The layers in short: 784-512 BN drop 0.2-10, or 28x28-conv32-conv64 drop 0.5-10."""
    first, *sizes, last = spec.sizes
    blocks = (*spec.convolutions, *spec.layers)
    hidden = (
        f"{size}{' BN' * x.batch_norm}{f' drop {x.dropout:g}' if x.dropout else ''}"
        for size, x in zip(sizes, blocks, strict=True)
    )
    return "-".join((first, *hidden, last))


def in_words(spec: RunSpec) -> str:
    """The layers as one would say them: "convolutions of 32 and 64 filters, then layers of 128 and
    64 units, with batch normalisation and dropout"."""
    parts = []
    if spec.convolutions:
        parts.append(f"convolutions of {_listed([x.filters for x in spec.convolutions])} filters")
    if spec.layers:
        kind = "a layer" if len(spec.layers) == 1 else "layers"
        parts.append(f"{kind} of {_listed([x.units for x in spec.layers])} units")
    blocks = (*spec.convolutions, *spec.layers)
    extras = ["batch normalisation"] * any(x.batch_norm for x in blocks)
    extras += ["dropout"] * any(x.dropout for x in blocks)
    said = ", then ".join(parts) or "no hidden layer"
    return f"{said}, with {' and '.join(extras)}" if extras else said


def _listed(numbers: list[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


RECIPES: dict[str, Recipe] = {
    "bn-128": Recipe(
        "One layer, batch norm",
        RunSpec((Layer(128, batch_norm=True),), batch_size=32, epochs=10, keep="val_accuracy"),
        "One hidden layer with batch normalisation, as many first Keras tutorials have it.",
        "One hidden layer is enough for about 98 %. "
        "Batch normalisation lets it learn fast from the first epoch. "
        "The validation curve jumps more than the training curve: look at both.",
        ("Batch norm", "Batches"),
    ),
    "bn-512-256": Recipe(
        "Two wide layers, batch norm",
        RunSpec((Layer(512, batch_norm=True), Layer(256, batch_norm=True)), epochs=5,
                keep="val_accuracy"),
        "Two wide layers, each followed by batch normalisation: the usual next tutorial.",
        "Five times the parameters of bn-128 buy hardly any accuracy in five epochs. "
        "An epoch costs about five times as much. "
        "Training accuracy runs ahead of validation: the network begins to learn by heart.",
        ("Overfitting", "Batch norm"),
    ),
    "dense-128-64": Recipe(
        "Two plain layers",
        RunSpec((Layer(128), Layer(64)), epochs=10, validation="test"),
        "A plain 128-64 network validated on the test set, as many tutorials do.",
        "Two dense layers without any trick are a good baseline. "
        "The validation loss turns up while the training loss still falls: overfitting. "
        "Its validation images are the test images, so do not choose an epoch by them.",
        ("Overfitting", "Activations"),
    ),
    "dropout-512-512": Recipe(
        "Wide layers, dropout",
        RunSpec((Layer(512, dropout=0.2), Layer(512, dropout=0.2)), batch_size=128, epochs=5,
                validation="test", schedule="cosine", loss="categorical"),
        "The network of Keras's old mnist_mlp example, which reports 98.40 % after 20 epochs of "
        "RMSprop; here with Adam and 5 epochs, in which a rate that falls to zero makes up for the "
        "other 15.",
        "Dropout leaves out a fifth of the units at each step. "
        "Training accuracy is measured with units missing, so validation is higher at first. "
        "Wide layers overfit less with it than without.",
        ("Dropout", "Labels"),
        published=0.984,
    ),
    "rmsprop-512": Recipe(
        "One wide layer, RMSprop",
        RunSpec((Layer(512),), optimizer="rmsprop", batch_size=128, epochs=5, validation="test"),
        "The first network of Chollet's “Deep Learning with Python”. The book prints 97.85 % "
        "and reruns since report up to 97.99 %, training on all 60,000 images.",
        "A single wide layer and the optimizer of an earlier day. "
        "Five epochs of batches of 128 already give almost 98 %. "
        "The gap between training and test accuracy is the book's first example of overfitting.",
        ("Optimizers", "Overfitting"),
        published=0.9799,
    ),
    "quick": Recipe(
        "Best in 5 seconds",
        RunSpec((Layer(320, batch_norm=True),), learning_rate=0.004, batch_size=256, epochs=4,
                validation_share=0.05, schedule="warmup"),
        "Found by trying: the best accuracy within 5 seconds of training on two cores.",
        "Batch normalisation allows a large learning rate, which a warm-up makes safe at first. "
        "A rate that falls to zero at the end gives what would else take several epochs more. "
        "One layer of moderate width beats deeper ones when seconds count.",
        ("Learning rate", "Batch norm"),
    ),
    "numpy-128-64-32": Recipe(
        "Three layers in NumPy",
        RunSpec((Layer(128), Layer(64), Layer(32)), learning_rate=0.002, batch_size=32, epochs=6,
                validation_share=0.05, schedule="cosine", initializer="he_normal",
                framework="numpy"),
        "The network that tutorials write in NumPy to explain backpropagation, which reach 97.10 % "
        "with mini-batches; here with Adam.",
        "Every product, derivative and step is a line of NumPy that the Backprop page shows. "
        "He's initial weights suit its ReLUs. "
        "For a network this small it takes fewer milliseconds a step than Keras's own `fit`.",
        ("Activations", "Optimizers"),
        published=0.971,
    ),
    "convnet": Recipe(
        "Convolutions",
        RunSpec(
            (Layer(128, batch_norm=True, dropout=0.3),),
            learning_rate=0.002, batch_size=128, epochs=6, validation_share=0.05,
            schedule="cosine",
            convolutions=(Conv(32, 5, batch_norm=True), Conv(64, 5, batch_norm=True, dropout=0.2)),
        ),
        "After TensorFlow's early tutorial “Deep MNIST for Experts”, which reports about 99.2 % "
        "after 20,000 batches of 50; here with batch normalisation, no padding, a smaller dense "
        "layer, and 6 epochs.",
        "A kernel of 5 × 5 is the same everywhere, so a stroke is learned once for all places. "
        "With fewer parameters than one dense layer of 512 it makes less than half the errors. "
        "A step costs far more arithmetic all the same: parameters are not what a network costs.",
        ("Tensors", "Batch norm"),
        published=0.992,
    ),
    "default": Recipe(
        "The model that answers here",
        RunSpec(
            (Layer(128, batch_norm=True, dropout=0.3),),
            learning_rate=0.003, batch_size=128, epochs=9, validation_share=0.05,
            schedule="warmup",
            convolutions=(Conv(24, 5, batch_norm=True), Conv(48, 5, batch_norm=True, dropout=0.2)),
            augment=Augment(shift=1.5, rotation=10, zoom=0.15, shear=12, elastic=1.2, pen=0.6),
        ),
        "Found by trying, for drawings rather than for MNIST: small enough to ship and to answer "
        "at once.",
        "Every image is bent, leant and inked anew each time, so no image is seen twice. "
        "Training accuracy stays below validation accuracy to the end: what it trains on is "
        "harder. "
        "On the habits of other hands it is trained with the data that `--data hands` mixes.",
        ("Overfitting", "Dropout"),
    ),
}  # fmt: skip
