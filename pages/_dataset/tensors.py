"""Meet the tensors: what the four arrays are, how they are sliced, and what a network gets."""

from __future__ import annotations

import numpy as np
import streamlit as st

from mnist_core.basis.numbers import fixed
from mnist_core.data.dataset import Mnist, Split
from mnist_core.statistics import pixels
from pages._components import pictures
from pages._dataset import filters, state
from pages._shell import links, markup, session, shared

FIRST = 10
SIDE = 28
FIRST_SLICED = 7  # as in the tutorials' train_images[7, 14:, 14:]


def section(data: Mnist) -> None:
    """From the arrays as a whole to one image, and to what becomes of it."""
    st.header("Four arrays", divider="gray")
    _table()
    split = filters.split_control()
    part = getattr(data, split)
    _first(split, part)
    st.header("A slice of an array", divider="gray")
    index = _index(len(part.labels))
    image, label = part.images[index], int(part.labels[index])
    _slice(split, index, image)
    st.header("What a network gets", divider="gray")
    st.caption(f"For `{split}_images[{index}]`, a {label}: before and after.")
    _normalised(split, image)
    _flattened(image)
    _one_hot(split, index, label)


# --------------------------------------------------------------------- the arrays


def _arrays() -> dict[str, np.ndarray]:
    data = shared.data()
    return {"train_images": data.train.images, "train_labels": data.train.labels,
            "test_images": data.test.images, "test_labels": data.test.labels}  # fmt: skip


def _table() -> None:
    """Shapes, dtypes, ranges and sizes of the four arrays."""
    facts = shared.per_data(shared.data().digest, "facts",
                           lambda: [pixels.facts(*item) for item in _arrays().items()])  # fmt: skip
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
    memory = sum(f.nbytes for f in facts)
    st.caption(
        f"The rank is the number of axes: images have three (which one, row, column), labels one. "
        f"uint8 is a whole number from 0 to 255 in one byte, so all four take "
        f"{memory / 2**20:.0f} MB; as float32 they would take {4 * memory / 2**20:.0f}."
    )


def _first(split: str, part: Split) -> None:
    labels = part.labels[:FIRST]
    st.code(f">>> {split}_labels[:{len(labels)}]\n{labels!r}\n"
            f">>> {split}_images[:{len(labels)}].shape\n{part.images[:FIRST].shape}")  # fmt: skip
    st.html(
        '<div style="display:grid;gap:6px;grid-template-columns:repeat(auto-fit,minmax(52px,1fr))">'
        + "".join(markup.digit(image, "100%", f"a handwritten {label}")
                  for image, label in zip(part.images[:FIRST], labels, strict=True))
        + "</div>"
    )  # fmt: skip


# ------------------------------------------------------------------------ slicing


def _index(n: int) -> int:
    """Which image; the one that the browser has picked, and the other way round."""
    mine = state.mine()
    if mine.picked is None or not 0 <= mine.picked < n:
        asked = links.image_from_url() if mine.picked is None else 0
        mine.picked = min(FIRST_SLICED if asked is None else asked, n - 1)
    session.set_widget("index", mine.picked)

    def pick() -> None:
        mine.picked = int(session.widget("index"))

    st.number_input("Index of the image", 0, n - 1, key="index", on_change=pick, width=220)
    links.image_to_url(mine.picked)
    return mine.picked


def _slice(split: str, index: int, image: np.ndarray) -> None:
    controls, picture = st.columns([3, 2], gap="large")
    with controls:
        rows = st.slider("Rows", 0, SIDE, (14, SIDE), key="rows", bind="query-params")
        columns = st.slider("Columns", 0, SIDE, (14, SIDE), key="columns", bind="query-params")
        part = image[slice(*rows), slice(*columns)]
        expression = f"{split}_images[{index}, {written(rows)}, {written(columns)}]"
        st.code(f">>> {expression}.shape\n{part.shape}\n>>> {expression}\n{_printed(part)}",
                height=330)  # fmt: skip
        st.caption("The first index chooses the image and is gone from the shape; a slice "
                   "`start:stop` keeps its axis, with `stop` left out.")  # fmt: skip
    with picture:
        st.html(_cut(image, rows, columns))
        says = "Nothing is left: a slice may be empty." if not part.size else (
            f"{part.size} of 784 pixels. The frame shows where they were."
        )  # fmt: skip
        st.caption(says)
        if part.size:
            st.html(_picture(part, f"rows {rows}, columns {columns}"))


def written(span: tuple[int, int]) -> str:
    """A slice as one writes it: an end that is the axis's own is left out."""
    start, stop = span
    return f"{start or ''}:{'' if stop == SIDE else stop}"


def _printed(array: np.ndarray) -> str:
    return np.array2string(array, max_line_width=200, threshold=1000, separator=", ")


def _picture(part: np.ndarray, alt: str, size: str = "min(100%, 16rem)") -> str:
    height, width = part.shape
    return (f'<img class="digit" src="{pictures.png(np.ascontiguousarray(part))}" alt="{alt}" '
            f'style="width:{size};aspect-ratio:{width}/{height}">')  # fmt: skip


def _cut(image: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> str:
    """The whole image with a frame around the slice."""
    (top, bottom), (left, right) = rows, columns
    height, width = 100 * (bottom - top) / SIDE, 100 * (right - left) / SIDE
    box = f"top:{100 * top / SIDE}%;left:{100 * left / SIDE}%;height:{height}%;width:{width}%"
    return (
        '<div style="position:relative;width:min(100%,16rem)">'
        f'{_picture(image, "the digit", "100%")}'
        f'<div style="position:absolute;{box};outline:3px solid {markup.ACCENT}"></div></div>'
    )


# ------------------------------------------------------------- before and after


def _normalised(split: str, image: np.ndarray) -> None:
    st.subheader("Normalise: divide by 255", anchor=False)
    row = int(image.max(axis=1).argmax())
    first = int(image[row].argmax())
    span = slice(max(0, first - 4), first + 4)
    before, after = st.columns(2, gap="large")
    cut = f"[{row}, {span.start}:{span.stop}]"
    before.code(f">>> image{cut}\n{_printed(image[row, span])}\n>>> image.dtype\n{image.dtype}")
    scaled = image.astype(np.float32) / 255
    shown = np.array2string(scaled[row, span], precision=3, separator=", ")
    after.code(f">>> scaled = image / 255\n>>> scaled{cut}\n{shown}")
    values = np.unique(image)
    st.caption(
        f"The values become numbers from 0 to 1 and not only 0 and 1: this image has "
        f"{len(values)} different ones, from {fixed(scaled.min(), 3)} to {fixed(scaled.max(), 3)}. "
        "The picture "
        "stays the same. A network learns more easily from inputs of about the size of its weights "
        "than from numbers up to 255. Here the scaling is part of the model."
    )


def _flattened(image: np.ndarray) -> None:
    st.subheader("Flatten: 28 × 28 becomes 784", anchor=False)
    st.code(f">>> image.shape\n{image.shape}\n>>> image.reshape(784).shape\n"
            f"{image.reshape(784).shape}")  # fmt: skip
    flat = np.repeat(image.reshape(1, -1), 24, axis=0)
    st.html(_picture(flat, "the 784 pixels in one line", "100%"))
    inked = np.flatnonzero(image.ravel())
    where = f"; the first with ink is number {inked[0]}, the last {inked[-1]}" if len(inked) else ""
    st.caption(
        f"Row after row in one line: pixel (row, column) becomes number 28 × row + column{where}. "
        "A dense layer takes a list of numbers and does not know which pixels were neighbours. "
        "Convolutions do, and take the image unflattened."
    )


def _one_hot(split: str, index: int, label: int) -> None:
    st.subheader("One-hot: a label becomes ten numbers", anchor=False)
    vector = np.eye(10, dtype=np.uint8)[label]
    before, after = st.columns(2, gap="large")
    before.code(f">>> {split}_labels[{index}]\n{label}")
    after.code(f">>> np.eye(10)[{split}_labels[{index}]]\n{_printed(vector)}")
    cells = "".join(
        f'<div><b>{digit}</b><span class="{"one" if value else ""}">{value}</span></div>'
        for digit, value in enumerate(vector.tolist())
    )
    st.html(f"{_STYLE}<div class='onehot'>{cells}</div>")
    st.caption(
        f"A 1 in place {label} and nine 0s: the probabilities that a perfect network would answer "
        f"with. So {label} is not closer to {(label + 1) % 10} than to any other digit. The loss "
        "`categorical_crossentropy` takes this form; `sparse_categorical_crossentropy` takes the "
        "label itself and computes the same."
    )


_STYLE = f"""<style>
.onehot {{ display: grid; grid-template-columns: repeat(10, 1fr); gap: 4px; max-width: 36rem;
  font-variant-numeric: tabular-nums; text-align: center; }}
.onehot b {{ display: block; font-weight: 400; opacity: .65; font-size: .85rem; }}
.onehot span {{ display: block; padding: 6px 0; border-radius: 3px;
  background: color-mix(in srgb, currentColor 9%, transparent); }}
.onehot span.one {{ background: {markup.ACCENT}; color: #fff; font-weight: 700; }}
</style>"""
