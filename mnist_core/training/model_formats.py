"""The kinds of model file that Keras writes of a trained network. Standard library only."""

from __future__ import annotations

from typing import NamedTuple


class ModelFile(NamedTuple):
    """A kind of model file that Keras writes: what it is called, and `Model.export`'s name for its
    format, "" for Keras's own."""

    title: str
    keras_format: str


MODEL_FILES = {
    "model.keras": ModelFile("Keras", ""),
    "model.tflite": ModelFile("TensorFlow Lite", "litert"),
    "model.onnx": ModelFile("ONNX", "onnx"),
}
