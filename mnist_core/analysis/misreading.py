"""Why a model reads a picture as it does: the steps on the way to it, the images it resembles, and
what tips the balance between two labels.

A reader is any `Network`; its layers are copied before they are differentiated, because visitors
share them. Images are uint8 (28, 28) unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from mnist_core.basis.numbers import percent
from mnist_core.imaging import drawing, normalization, pictures
from mnist_core.network.losses import softmax
from mnist_core.network.network import Network

# name: what the step does; in the order in which they are taken
STEPS = {
    "resize": "the whole picture squeezed into 28 × 28",
    "ink": "ink white, paper black",
    "crop": "cut to the ink",
    "box": "shrunk into 20 × 20, its shape kept",
    "mass": "moved by its centre of mass",
    "deslant": "sheared upright",
    "pen": "redrawn with a typical pen",
}
MNISTS_OWN = ("resize", "ink", "crop", "box", "mass")  # all that `drawing.to_mnist` does

REGIONS = (
    "upper left", "top", "upper right",
    "left", "middle", "right",
    "lower left", "bottom", "lower right",
)  # fmt: skip
BLOCK = 256  # images whose differences stay in the processor's cache
PATH = 24  # points of the path from black to the image, for integrated gradients


# --- the steps -----------------------------------------------------------------------------------


def steps(picture: np.ndarray, ink: str, on: Collection[str]) -> dict[str, np.ndarray]:
    """What a model would see after each step of STEPS, those not in `on` left out: uint8 (28, 28)
    under each name. With exactly MNISTS_OWN on, "mass" is what `drawing.to_mnist` gives.

    Until the step "box" puts the picture into its frame, it is squeezed to 28 × 28 for the model.
    Takes a picture and `ink` as `drawing.to_mnist` does, and raises as it does.
    """
    whole = pictures.gray(pictures.checked(picture), ink) / np.float32(255)
    found = drawing.stages(picture, ink)["ink"]
    marks = found if "ink" in on else whole
    shown = {"resize": _squeezed(whole), "ink": _squeezed(marks)}
    if "crop" in on:
        marks = marks[drawing.bounding_box(marks)]
    shown["crop"] = _squeezed(marks)
    boxed = drawing.fit_in_box(marks) if "box" in on else shown["crop"]
    shown["box"] = _in_the_middle(boxed)
    shown["mass"] = frame = drawing.centre(boxed) if "mass" in on else shown["box"]
    if "deslant" in on:
        frame = normalization.deslant(frame[None])[0]
    shown["deslant"] = frame
    shown["pen"] = normalization.with_pen(frame) if "pen" in on else frame
    return {name: np.round(255 * image).astype(np.uint8) for name, image in shown.items()}


def _squeezed(marks: np.ndarray) -> np.ndarray:
    size = (drawing.SIDE, drawing.SIDE)
    image = Image.fromarray(np.ascontiguousarray(marks)).resize(size, Image.Resampling.BOX)
    return np.clip(np.asarray(image), 0, 1)


def _in_the_middle(boxed: np.ndarray) -> np.ndarray:
    frame = np.zeros((drawing.SIDE, drawing.SIDE), np.float32)
    top, left = ((drawing.SIDE - length) // 2 for length in boxed.shape)
    frame[top : top + boxed.shape[0], left : left + boxed.shape[1]] = boxed
    return frame


# --- the images it resembles ---------------------------------------------------------------------


def percentile(values: np.ndarray, value: float) -> float:
    """The share in percent of `values` below `value`, equal ones counted half; NaN left out."""
    known = values[~np.isnan(values)]
    if not len(known) or np.isnan(value):
        return float("nan")
    return float(100 * (np.mean(known < value) + np.mean(known == value) / 2))


# --- what tips the balance -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Balance:
    """What speaks for `label` against `rival` in an image.

    ink: float32 (28, 28), the share of each pixel's ink in the difference of the two logits;
    adding: float32 (28, 28), how much full ink at a blank pixel within 3 of the ink would add to
    it, by the gradient; margin: the difference itself, in nats; verdicts: for each region of
    REGIONS with ink, what the model would say without that ink.
    """

    label: int
    rival: int
    ink: np.ndarray
    adding: np.ndarray
    margin: float
    verdicts: dict[str, int]
    regions: np.ndarray

    def by_region(self) -> dict[str, float]:
        """The sum of `ink` over each region."""
        sums = np.bincount(self.regions.ravel(), self.ink.ravel().astype(float), len(REGIONS))
        return dict(zip(REGIONS, sums.tolist(), strict=True))


def balance(network: Network, image: np.ndarray, label: int, rival: int) -> Balance:
    """What tips the balance between two labels. `ink` is by integrated gradients from a black
    image (Sundararajan, Taly, Yan 2017): over all pixels it sums to the difference of the logits
    less that of the black image. `verdicts` are measured, region by region."""
    share = (np.arange(PATH, dtype=np.float32) + 0.5) / PATH
    path = np.concatenate([share[:, None, None] * image, image[None]]).astype(np.float32)
    gradient, margin = _gradient(network, path, label, rival)
    regions = thirds(image)
    without = np.where(regions == np.arange(len(REGIONS))[:, None, None], 0, image)
    said = network.predict(without.astype(np.uint8)).argmax(axis=1)
    inked = {REGIONS[i] for i in np.unique(regions[image > 0])}
    return Balance(
        label, rival,
        ink=gradient[:-1].mean(axis=0) * image,
        adding=np.where(_beside(image), 255 * gradient[-1], 0),
        margin=margin,
        verdicts={n: int(v) for n, v in zip(REGIONS, said, strict=True) if n in inked},
        regions=regions,
    )  # fmt: skip


def _beside(image: np.ndarray) -> np.ndarray:
    """Where a stroke might have been a little longer or bent another way: bool (28, 28)."""
    return ndimage.binary_dilation(image > 0, iterations=3) & (image == 0)


def _gradient(
    network: Network, images: np.ndarray, label: int, rival: int
) -> tuple[np.ndarray, float]:
    """∂(logit of label − logit of rival)/∂pixel of each image, and that difference in the last."""
    own = network.private()
    logits = own.forward(images)
    towards = np.zeros_like(logits)
    towards[:, label], towards[:, rival] = 1, -1
    return own.backward(towards), float(logits[-1, label] - logits[-1, rival])


def thirds(image: np.ndarray) -> np.ndarray:
    """The region of each pixel, an index into REGIONS: the box of the ink in three by three."""
    inked = np.argwhere(image > 0)
    low, high = (inked.min(axis=0), inked.max(axis=0)) if len(inked) else ((0, 0), (27, 27))
    row, column = (
        np.clip(3 * (np.arange(image.shape[i]) - low[i]) // max(high[i] - low[i] + 1, 1), 0, 2)
        for i in (0, 1)
    )
    return 3 * row[:, None] + column


def in_words(found: Balance) -> list[str]:
    """What tips the balance, in plain sentences."""
    sums = found.by_region()
    for_label = max(sums, key=lambda region: sums[region])
    against = min(sums, key=lambda region: sums[region])
    odds = float(softmax(np.array([found.margin, 0.0]))[0])
    lead, other = (found.label, found.rival) if found.margin >= 0 else (found.rival, found.label)
    said = [f"Between {found.label} and {found.rival} alone, it is {lead}, with "
            f"{percent(max(odds, 1 - odds))}."]  # fmt: skip
    if sums[for_label] > 0:
        said.append(f"The ink {_at(for_label)} speaks most for {found.label}.")
    if sums[against] < 0:
        said.append(f"The ink {_at(against)} speaks most for {found.rival}.")
    flips = [_at(name) for name, verdict in found.verdicts.items() if verdict == other]
    if flips:
        said.append(f"Without the ink {' or '.join(flips[:2])} the model would say {other}.")
    return said


def _at(region: str) -> str:
    return "in the middle" if region == "middle" else f"at the {region}"
