"""A run as a Jupyter notebook: the tutorial's steps with the very code of `keras_script`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from mnist_core.design.spec import RunSpec

from . import keras_script

_HEAD = """\
# MNIST with Keras: {network}

{result}

The weights start from the seed, so training again gives nearly the same network: expect the
accuracy to differ by a few tenths of a percent. It needs `keras`, `tensorflow` and `plotly`.
"""
_DATA = """\
## The digits

60,000 images to train on and 10,000 to test on, 28 × 28 gray values from 0 to 255 each. The network
scales them itself."""
_DISTORT = """\
## Augmentation

Each training image is shown in a new distortion every time."""
_MODEL = """\
## The network

{parameters:,} parameters, from the image to ten logits, one for each digit."""
_COMPILE = """\
## What is trained, and how

The loss to make small, and the optimizer that does it."""
_FIT = "## Training"
_CURVES = """\
## The curves

Where the validation loss turns up while the training loss still falls, the network has begun to
learn its images by heart."""
_EVALUATE = """\
## The test set

The network has never seen these images."""

_CURVES_CODE = """\
import plotly.graph_objects as go

history = model.history.history
for metric in ("loss", "accuracy"):
    figure = go.Figure(layout={"title": metric, "xaxis_title": "epoch", "yaxis_title": metric})
    for name in (metric, f"val_{metric}"):
        values = history[name]
        figure.add_scatter(x=list(range(1, len(values) + 1)), y=values, name=name)
    figure.show()
"""
_FIVE = """\
predicted = model.predict(x_test[:5], verbose=0).argmax(axis=1)
print("predicted", predicted.tolist(), "true", y_test[:5]{labels}.tolist())
"""


def notebook(spec: RunSpec, result: str, notes: Sequence[str] = ()) -> str:
    """The notebook, in nbformat 4.5, that trains `spec` anew. `result` is a sentence on what the
    run reached, `notes` say what the notebook does not repeat. Raises SpecError for a design that
    cannot be trained."""
    cells = [_cell(i, kind, text) for i, (kind, text) in enumerate(_cells(spec, result, notes))]
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    whole = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False)


def _cells(spec: RunSpec, result: str, notes: Sequence[str]) -> Iterator[tuple[str, str]]:
    step = keras_script.steps(spec)
    head = _HEAD.format(network="-".join(spec.sizes), result=result)
    yield "markdown", head + "".join(f"\n- {note}" for note in notes)
    yield "code", step.imports
    if step.distort:
        yield "markdown", _DISTORT
        yield "code", step.distort
    yield "markdown", _DATA
    yield "code", f"{step.data}x_train.shape, x_test.shape"
    yield "markdown", _MODEL.format(parameters=spec.parameters)
    yield "code", step.model
    yield "markdown", _COMPILE
    yield "code", step.compile
    yield "markdown", _FIT
    yield "code", step.fit
    yield "markdown", _CURVES
    yield "code", _CURVES_CODE
    yield "markdown", _EVALUATE
    yield "code", step.evaluate
    yield "code", _FIVE.format(labels=".argmax(axis=1)" if spec.loss == "categorical" else "")


def _cell(i: int, kind: str, text: str) -> dict[str, object]:
    lines = text.strip().splitlines(keepends=True)
    cell: dict[str, object] = {"cell_type": kind, "id": f"cell-{i}", "metadata": {},
                               "source": lines}  # fmt: skip
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell
