"""How a design is written in a link: each field of a RunSpec as text, and read back."""

from __future__ import annotations

import re
from typing import Any

from .choices import AUGMENTATIONS, Augment, Conv, Layer

# The URL form. A layer is written as 128-relu-bn-d0.2, a convolution as 32-k3-relu-bn-p2-d0.2, the
# augmentation as shift2-rotation10; layers are joined by "~". None of it needs escaping in a URL.
# The version changes whenever a default or a meaning does.
VERSION = "1"
_LAYER = re.compile(
    r"(?P<units>\d{1,5})-(?P<activation>[a-z_]+)(?P<bn>-bn)?(?:-d(?P<drop>[\d.e-]+))?"
)
_NO_LAYERS = "none"
_CONV = re.compile(
    r"(?P<filters>\d{1,3})-k(?P<kernel>\d)-(?P<activation>[a-z_]+)(?P<bn>-bn)?-p(?P<pool>\d)"
    r"(?:-d(?P<drop>[\d.e-]+))?"
)
_DISTORTION = re.compile(r"(?P<name>[a-z]+)(?P<most>\d[\d.]*(?:e-\d+)?)")


def _write_layers(layers: tuple[Layer, ...]) -> str:
    return _NO_LAYERS if not layers else "~".join(
        f"{x.units}-{x.activation}{'-bn' * x.batch_norm}"
        f"{f'-d{_write_number(x.dropout)}' if x.dropout else ''}"
        for x in layers
    )


def _write_number(value: float) -> str:
    return repr(float(value))  # the shortest text that reads back equal; NumPy's repr does not


def _read_layers(text: str) -> tuple[Layer, ...]:
    if text == _NO_LAYERS:
        return ()
    layers = []
    for part in text.split("~"):
        match = _LAYER.fullmatch(part)
        if not match:
            raise ValueError(part)
        dropout = float(match["drop"] or 0.0)
        layers.append(Layer(int(match["units"]), match["activation"], bool(match["bn"]), dropout))
    return tuple(layers)


def _write_convolutions(blocks: tuple[Conv, ...]) -> str:
    return "~".join(
        f"{x.filters}-k{x.kernel}-{x.activation}{'-bn' * x.batch_norm}-p{x.pool}"
        f"{f'-d{_write_number(x.dropout)}' if x.dropout else ''}"
        for x in blocks
    )


def _read_convolutions(text: str) -> tuple[Conv, ...]:
    blocks = []
    for part in text.split("~"):
        match = _CONV.fullmatch(part)
        if not match:
            raise ValueError(part)
        filters, kernel, pool = (int(match[name]) for name in ("filters", "kernel", "pool"))
        dropout = float(match["drop"] or 0.0)
        blocks.append(Conv(filters, kernel, match["activation"], bool(match["bn"]), pool, dropout))
    return tuple(blocks)


def _write_augment(augment: Augment) -> str:
    given = {name: getattr(augment, name) for name in AUGMENTATIONS}
    return "-".join(f"{name}{_write_number(most)}" for name, most in given.items() if most)


def _read_augment(text: str) -> Augment:
    given = {}
    for part in re.split(r"-(?=[a-z])", text):
        match = _DISTORTION.fullmatch(part)
        if not match or match["name"] in given:
            raise ValueError(part)
        given[match["name"]] = float(match["most"])
    return Augment(**given)


def _read_whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError(text)
    return int(text)


# key in the link: the field, how it is written, how it is read (ValueError for anything else)
FIELDS: dict[str, tuple[str, Any, Any]] = {
    "net": ("layers", _write_layers, _read_layers),
    "opt": ("optimizer", str, str),
    "lr": ("learning_rate", _write_number, float),
    "batch": ("batch_size", str, _read_whole),
    "epochs": ("epochs", str, _read_whole),
    "val": ("validation", str, str),
    "share": ("validation_share", _write_number, float),
    "seed": ("seed", str, _read_whole),
    "sched": ("schedule", str, str),
    "init": ("initializer", str, str),
    "l2": ("l2", _write_number, float),
    "loss": ("loss", str, str),
    "smooth": ("label_smoothing", _write_number, float),
    "keep": ("keep", str, str),
    "patience": ("patience", str, _read_whole),
    "conv": ("convolutions", _write_convolutions, _read_convolutions),
    "aug": ("augment", _write_augment, _read_augment),
    "fw": ("framework", str, str),
}
