"""predict: the digits in image files."""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_core.basis import LabError

from .console import Parser, Refused, json_option, refusing
from .train import KINDS

if TYPE_CHECKING:
    import numpy as np

    from mnist_core.imaging.drawing import Reader

ABOUT = "Read the digits in image files."


def options(parser: Parser) -> None:
    """What may be given."""
    parser.add_argument("--model", required=True, metavar="FILE",
                        help="an .npz or .keras file, or `default` for the one that comes along")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="any image file")
    json_option(parser)


def run(given: argparse.Namespace) -> None:
    import numpy as np

    predictor = _predictor(given.model)
    images, refused = {}, {}
    for i, path in enumerate(given.images):
        try:
            images[i] = _digit(path)
        except Refused as error:  # the others are still read
            refused[path] = str(error)
    read = predictor(np.stack(list(images.values()))).astype(float) if images else ()
    found = []
    for i, p in zip(images, read, strict=True):
        path, digit = given.images[i], int(p.argmax())
        print(f"{path}: {digit} ({p[digit]:.1%})")
        found.append({"image": path, "digit": digit, "probabilities": p.tolist()})
    if given.json:
        print(json.dumps({"model": given.model, "predictions": found, "refused": refused}))
    if refused:
        raise Refused("\n".join(refused.values()))


def _digit(path: str) -> np.ndarray:
    """The image file as the model takes it: uint8 (28, 28)."""
    import numpy as np

    from mnist_core.imaging import drawing

    with refusing(drawing.BadImage):
        image = drawing.read_image(path)
    with refusing(drawing.BadImage, drawing.EmptyDrawing, about=f"{path}: "):
        return np.round(255 * drawing.to_mnist(image)).astype(np.uint8)


def _predictor(name: str) -> Reader:
    """Probabilities (n, 10) for uint8 images (n, 28, 28), from a model file or "default"."""
    from mnist_core.runs import models

    if name == "default":
        return models.default().network.predict
    path = Path(name)
    if path.suffix not in KINDS:
        raise Refused(f"--model takes `default` or a file that ends in {' or '.join(KINDS)}.")
    if path.suffix == ".keras":
        return _keras_predictor(path)
    with refusing(LabError):
        return models.load(path).network.predict


def _keras_predictor(path: Path) -> Reader:
    if not path.is_file():
        raise Refused(f"{path} cannot be read (no such file).")
    if not zipfile.is_zipfile(path):
        raise Refused(f"{path} is damaged or not a Keras model file.")
    import numpy as np

    from mnist_core.training import engine

    try:
        predict = engine.keras_predictor(path)
        if predict(np.zeros((1, 28, 28), np.uint8)).shape != (1, 10):
            raise ValueError("its output is not ten classes")
    except Exception as error:  # a foreign model can make Keras raise almost anything
        raise Refused(f"{path} is not a Keras model for MNIST digits.") from error
    return predict
