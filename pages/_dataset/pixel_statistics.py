"""What the pixels say: of the images found, class by class, and of single members of a class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from mnist_core.charts import pixel_charts
from mnist_core.data.dataset import Mnist
from mnist_core.statistics import pixels, shapes, typical
from pages._components import digit_grid
from pages._dataset import opening
from pages._dataset.filters import DIGITS, SPLITS, Found
from pages._shell import chart, links, session, shared, waiting

AT_EACH_END = 10
UNITS = {"usual variation": "distance (standard deviations, 50 principal components)",
         "plain distance": "distance (Euclidean, pixels from 0 to 1)"}  # fmt: skip


def section(data: Mnist, found: Found) -> None:
    """All of it, the images found first and then the classes of their split."""
    n = len(found.indices)
    st.header(f"{'All ' if found.whole else ''}{n:,} {found.words}", divider="gray")
    if n:
        _of_these(data, found)
    else:
        st.info("There are no such images. Choose other filters.", icon=":material/search:")
    st.header("Class by class", divider="gray")
    _classes(found.split)
    st.header("Typical and unusual", divider="gray")
    _members(data, found.split)


# ----------------------------------------------------------------- the images found


def _of_these(data: Mnist, found: Found) -> None:
    levels, means = _levels(data, found), shared.levels(found.split).mean
    left, right = st.columns(2, gap="large")
    with left:
        log = session.widget("log_pixels") is not False
        whose = f"{'all ' if found.whole else 'these '}{len(found.indices):,} {found.words}"
        chart.show(pixel_charts.histogram(levels.histogram, whose, log), "histogram")
        st.toggle("Log scale", value=True, key="log_pixels")
    with right:
        counts = [shared.levels(split).count for split in SPLITS]
        chart.show(pixel_charts.class_counts(*counts), "class-counts")
    places = [*st.columns(3, gap="medium"), *st.columns(3, gap="medium")]
    for place, name in zip(places, pixel_charts.PICTURES, strict=False):
        with place:
            chart.show(pixel_charts.picture(name, levels, means), name)
    with places[-1]:
        st.markdown(
            "**Hover over a pixel** to see its mean in each class of the "
            f"{SPLITS[found.split]} images.\n\n"
            "**Median**: half of the images are darker there, half are brighter.\n\n"
            "**Deviation**: the standard deviation over the images, in gray levels.\n\n"
            "**Entropy**: Shannon's, over the 256 gray levels that one pixel takes in these "
            "images: 0 bits if it never changes, 8 bits if all levels are equally frequent."
        )


def _levels(data: Mnist, found: Found) -> pixels.Levels:
    """The gray levels of the images found, of all classes together."""
    if found.whole:
        return shared.levels(found.split).pooled()
    images = getattr(data, found.split).images

    def compute() -> pixels.Levels:
        chosen = images[np.sort(found.indices)]
        return pixels.levels(chosen, np.zeros(len(chosen), np.uint8)).of(0)

    return shared.resource(data.digest, f"levels {found.name}", compute)


# ------------------------------------------------------------------- class by class


def _classes(split: str) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        _shapes()
    means = shared.levels(split).mean
    with right:
        chart.show(pixel_charts.class_distances(typical.between(means)), "class-distances")
        st.caption("Euclidean, in the space of 784 pixels from 0 to 1. Split: " + split + ".")
    _difference(means)


def _shapes() -> None:
    names = {measure.title: name for name, measure in shapes.MEASURES.items()}
    title = st.selectbox("Measure", list(names), key="measure", filter_mode=None,
                         bind="query-params")  # fmt: skip
    name = names[title]
    quantiles = [_quantiles(split, name) for split in SPLITS]
    if any(np.isfinite(q).any() for q in quantiles[:1]):
        chart.show(pixel_charts.shape_by_class(name, *quantiles), f"shape-{name}")
    st.caption(f"{title}: {shapes.MEASURES[name].says}. Box: the middle half of the images; "
               "line: the median; ends: 5 % and 95 %.")  # fmt: skip


def _quantiles(split: str, name: str) -> np.ndarray:
    labels = getattr(shared.data(), split).labels
    values = shared.measures(split)[name]
    return shared.per_data(shared.data().digest, f"quantiles {split} {name}",
                              lambda: shapes.by_class(values, labels))  # fmt: skip


def _difference(means: np.ndarray) -> None:
    controls, drawn = st.columns([1, 2], gap="large")
    with controls:
        one = _digit("One digit", "4", "one")
        other = _digit("The other", "9", "other")
    with drawn:
        if np.isnan(means[[one, other]]).any():
            st.info("One of them has no image in this split. Choose other digits.")
        else:
            chart.show(pixel_charts.difference(means, one, other), "difference")


def _digit(label: str, default: str, key: str) -> int:
    return int(links.one_of(label, DIGITS, default, key, wrap=True))


# -------------------------------------------------------------- members of a class


def _members(data: Mnist, split: str) -> None:
    digit = _digit("Digit", "4", "of")
    how = links.one_of("Distance from the class mean", list(typical.MEASURES), "usual variation",
                       "distance")  # fmt: skip
    part = getattr(data, split)
    indices = np.flatnonzero(part.labels == digit)
    if not len(indices):
        st.info("No image of this split has this label. Choose another digit.")
        return
    job = shared.job(data.digest, f"distance {split} {digit} {how}",
                  _compute(typical.MEASURES[how], part.images, indices))  # fmt: skip
    if not waiting.ready(job, "Measuring distances"):
        return
    distances = job.result()
    order = indices[np.argsort(distances, kind="stable")]
    ends = (("Most typical", order[:AT_EACH_END]), ("Most unusual", order[::-1][:AT_EACH_END]))
    for column, (title, shown) in zip(st.columns(2, gap="large"), ends, strict=True):
        with column:
            st.markdown(f"**{title}**")
            clicked = digit_grid.show(part.images[shown], part.labels[shown], shown, None,
                                          f"grid_{title.split()[-1]}")  # fmt: skip
        if clicked is not None:
            opening.open_image(int(clicked))
    chart.show(pixel_charts.typicality(distances, indices, UNITS[how]), "typicality")


def _compute(measure: Callable, images: np.ndarray, indices: np.ndarray) -> Callable:
    return lambda report: measure(images[indices])

