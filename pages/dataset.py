"""The digit browser and the pixel statistics."""

import numpy as np
import streamlit as st

from mnist_core import charts, pixels
from pages import _ui, _widgets

PER_PAGE = 100
ANY = "all"

_ui.page()
data = _ui.data()
mine = _ui.state()

st.title("The digits")
_ui.data_note()


def filters() -> tuple[str, np.ndarray]:
    """The split and the indices that the controls choose, and the page of them."""
    left, middle, right = st.columns([2, 5, 2], vertical_alignment="bottom")
    split = left.segmented_control("Split", ["train", "test"], default="train", required=True,
                                   key="split", bind="query-params")  # fmt: skip
    label = middle.segmented_control("Label", [ANY, *map(str, range(10))], default=ANY, wrap=True,
                                     required=True, key="label", bind="query-params")  # fmt: skip
    labels = getattr(data, split).labels
    found = np.arange(len(labels)) if label == ANY else np.flatnonzero(labels == int(label))
    if right.button("Surprise me", icon=":material/casino:", width="stretch", key="surprise",
                    disabled=not len(found)):  # fmt: skip
        mine.picked = int(np.random.default_rng().choice(found))
        _ui.set_widget("page", int(np.searchsorted(found, mine.picked)) // PER_PAGE + 1)
    return split, found


@st.fragment
def browse(split: str, found: np.ndarray) -> None:
    """A page of the grid beside the chosen digit; a click redraws only this."""
    images, labels = getattr(data, split).images, getattr(data, split).labels
    if not len(found):
        st.info("No image has this label in this split. Choose another label.")
        return
    pages = -(-len(found) // PER_PAGE)
    grid, detail = st.columns([3, 2], gap="large")
    with grid:
        _ui.set_widget("page", min(_ui.widget("page") or 1, pages))
        number = st.number_input(f"Page of {pages:,} ({len(found):,} images)", 1, pages,
                                 key="page", on_change=forget_picked)  # fmt: skip
        shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
        if mine.picked is None or mine.picked not in found:
            mine.picked = int(shown[0])
        clicked = _widgets.digit_grid(images[shown], labels[shown], shown, mine.picked, "grid")
        if clicked is not None and clicked != mine.picked:
            mine.picked = clicked
            st.rerun(scope="fragment")
    with detail:
        one_digit(split, mine.picked)
    with st.expander("This digit as a matrix of 28 × 28 numbers", expanded=True):
        st.html(_widgets.numbers(images[mine.picked]))
        st.caption("0 is black, 255 is white. This is all that a network gets to see.")


def forget_picked() -> None:
    """On another page of the grid the large digit is that page's first."""
    mine.picked = None


def one_digit(split: str, index: int) -> None:
    """The chosen digit, large."""
    image, label = getattr(data, split).images[index], getattr(data, split).labels[index]
    st.subheader(f"Index {index:,}, label {label}", anchor=False)
    st.html(_widgets.digit(image, "min(100%, 22rem)", f"a handwritten {label}"))
    inked = int((image > 0).sum())
    st.caption(
        f"`{split}_images[{index}]` · {inked} of 784 pixels have ink · brightest {image.max()}"
    )


def cached(what: str, compute):
    """A statistic of the data shown, shared by all visitors."""
    return _ui.per_source(data.source, what, compute)


def array_table() -> None:
    """Shapes, dtypes and ranges of the four arrays."""
    arrays = {
        "train_images": data.train.images, "train_labels": data.train.labels,
        "test_images": data.test.images, "test_labels": data.test.labels,
    }  # fmt: skip
    facts = cached("facts", lambda: [pixels.facts(*item) for item in arrays.items()])
    st.dataframe(
        [
            {
                "array": f.name, "shape": str(f.shape), "rank": f.rank, "dtype": f.dtype,
                "smallest": f.minimum, "largest": f.maximum,
                "memory": f"{f.nbytes / 2**20:.2f} MB",
            }
            for f in facts
        ],
        hide_index=True,
    )  # fmt: skip


def distributions() -> None:
    """Class counts of both splits, and how often each pixel value occurs."""
    left, right = st.columns(2, gap="large")
    splits = (data.train, data.test)
    counts = cached("counts", lambda: [pixels.class_counts(split.labels) for split in splits])
    left.plotly_chart(charts.class_counts(*counts), key="class_counts")
    values = cached("histogram", lambda: pixels.histogram(data.train.images))
    with right:
        log = _ui.widget("log_pixels") is not False
        st.plotly_chart(charts.pixel_histogram(values, log), key="pixel_histogram")
        st.toggle("Log scale", value=True, key="log_pixels")
        mean, deviation = pixels.intensity(values)
        st.caption(
            f"Training images, scaled to 0 … 1: mean {mean:.4f}, standard deviation "
            f"{deviation:.4f}."
        )


def images_of_pixels() -> None:
    """Mean and deviation per pixel, overall or for one class, and the pixels never inked."""
    every = cached("moments", lambda: pixels.moments(data.train.images, data.train.labels))
    choice = st.segmented_control("Images of", [ANY, *map(str, range(10))], default=ANY, wrap=True,
                                  required=True, key="mean_of")  # fmt: skip
    chosen = every.pooled() if choice == ANY else None
    mean = chosen.mean if chosen else every.mean[int(choice)]
    deviation = chosen.std if chosen else every.std[int(choice)]
    if np.isnan(mean).any():
        st.info("The training set has no image of this digit.")
        return
    never = cached("never", lambda: pixels.never_inked(data.train.images))
    whose = "all digits" if choice == ANY else f"the {choice}s"
    columns = st.columns(3, gap="medium")
    columns[0].plotly_chart(charts.pixel_map(mean, f"Mean of {whose}", "value"), key="mean")
    columns[1].plotly_chart(
        charts.pixel_map(deviation, f"Where {whose} differ most", "std", "Cividis"), key="std"
    )
    columns[2].plotly_chart(
        charts.marked_pixels(never, f"{never.sum()} pixels are never inked"), key="never"
    )


choice, indices = filters()
browse(choice, indices)
_ui.digits_first()

st.header("What the pixels say", divider="gray")
array_table()
distributions()
images_of_pixels()
spread = cached("ink", lambda: pixels.ink_by_class(data.train.images, data.train.labels))
st.plotly_chart(charts.ink_by_class(spread), key="ink")
st.caption("Box: the middle half of the images of a digit; line: the median; ends: 5 % and 95 %.")
