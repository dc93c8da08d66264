"""The dataset page: filters, order, links, basket, slices and statistics of what is found."""

import csv
import io
import re
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mnist_core.basis import Job
from mnist_core.data import dataset, formats
from mnist_core.runs import models
from mnist_core.statistics import shapes
from pages._dataset import basket, image_columns
from pages._shell import answering, session, shared, waiting
from tests.pages.visiting import answer, done, open_page, query, remembered, text


def shown(app) -> tuple[int, int]:
    """Index and label of the digit that is shown large."""
    heading = next(s.value for s in app.subheader if s.value.startswith("Index"))
    index, label = re.fullmatch(r"Index ([\d,]+), label (\d)", heading).groups()
    return int(index.replace(",", "")), int(label)


def count(app) -> int:
    """How many images are found."""
    return int(re.search(r"\(([\d,]+) images\)", app.number_input(key="page").label)[1]
               .replace(",", ""))  # fmt: skip


def sequence(app, n: int) -> list[int]:
    """The first n indices in the order that the page shows them."""
    found = [shown(app)[0]]
    while len(found) < n:
        app.button(key="after").click().run()
        found.append(shown(app)[0])
    return found


# ----------------------------------------------------------------------- filters


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("chosen", [[], ["0"], ["7", "3"]])
def test_split_and_labels_choose_the_images(visit, tiny, split, chosen):
    app = visit("dataset")
    app.segmented_control(key="split").set_value(split)
    app.segmented_control(key="label").set_value(chosen).run()
    labels = getattr(tiny, split).labels
    found = np.flatnonzero(np.isin(labels, [int(c) for c in chosen] or range(10)))
    assert count(app) == len(found)
    assert app.number_input(key="page").max == -(-len(found) // 100)
    assert shown(app) == (found[0], labels[found[0]])
    assert f"{split}_images[{found[0]}]" in text(app)


def test_filters_combine(visit, tiny):
    app = visit("dataset")
    app.segmented_control(key="split").set_value("test")
    app.segmented_control(key="label").set_value(["2", "3", "5"])
    app.slider(key="inked").set_value((10, 16))
    app.slider(key="sure").set_value((90, 100))
    app.segmented_control(key="says").set_value(["2", "3"]).run()
    p = models.default().network.predict(tiny.test.images)
    ink = 100 * tiny.test.images.mean(axis=(1, 2)) / 255
    met = np.isin(tiny.test.labels, [2, 3, 5]) & (ink >= 10) & (ink <= 16)
    met &= (p.max(axis=1) >= 0.9) & np.isin(p.argmax(axis=1), [2, 3])
    expected = np.flatnonzero(met)
    assert 0 < len(expected) < 60
    assert count(app) == len(expected) and shown(app)[0] == expected[0]


@pytest.mark.parametrize("said", ["right", "wrong"])
def test_images_are_found_by_whether_the_model_is_right(desk, tiny, use, tmp_path, said):
    labels = tiny.test.labels.copy()
    labels[10:30] = (labels[10:30] + 1) % 10
    formats.write(tmp_path / "odd.npz", replace(tiny, test=formats.Split(tiny.test.images, labels)))
    use(dataset.load(tmp_path / "odd.npz"))
    app = open_page("dataset", answer=said, split="test")
    right = models.default().network.predict(tiny.test.images).argmax(axis=1) == labels
    expected = np.flatnonzero(right == (said == "right"))
    assert count(app) == len(expected) >= 20 and shown(app)[0] == expected[0]
    assert ("rightly" in text(app)) == (said == "right")


@pytest.mark.parametrize("name", ["index", "label", "ink", "slant", "confidence", "for_label"])
@pytest.mark.parametrize("order", ["rising", "falling"])
def test_any_column_sorts_both_ways(visit, tiny, name, order):
    app = visit("dataset", split="test", sort=image_columns.COLUMNS[name].title, order=order)
    images, labels = tiny.test.images, tiny.test.labels
    p = models.default().network.predict(images)
    values = {
        "index": np.arange(len(labels)), "label": labels.astype(int), "confidence": p.max(axis=1),
        "for_label": p[np.arange(len(labels)), labels], **shapes.measures(images),
    }[name]  # fmt: skip
    sign = -1 if order == "falling" else 1
    expected = sorted(range(len(labels)), key=lambda i: sign * values[i])  # stable: ties by index
    assert sequence(app, 4) == expected[:4]


@pytest.fixture
def doubts(tiny, monkeypatch):
    """Out-of-fold predictions that are sure of all labels but two of each split."""
    labels = np.concatenate([tiny.train.labels, tiny.test.labels]).astype(int)
    doubted = [5, 17, len(tiny.train.labels) + 3, len(tiny.train.labels) + 9]
    said = np.full((len(labels), 10), 0.01)
    said[np.arange(len(labels)), labels] = 0.91
    for i, row in enumerate(doubted):
        said[row], said[row, (labels[row] + 1) % 10] = 0.0, 0.99 - i / 100
    suspects = done({"probabilities": said})
    monkeypatch.setattr(shared, "computed", lambda task: {"suspects": suspects}[task])
    return {"train": [5, 17], "test": [3, 9]}


@pytest.mark.parametrize("split", ["train", "test"])
def test_doubtful_labels_can_be_found_and_sorted(visit, doubts, split):
    app = visit("dataset")
    app.segmented_control(key="split").set_value(split)
    app.toggle(key="doubtful").set_value(True).run()
    assert count(app) == 2
    app = visit("dataset", split=split, sort="Doubt about the label", order="falling")
    assert sequence(app, 2) == doubts[split]


def test_a_selection_from_elsewhere_is_shown_until_let_go(visit, tiny):
    app = visit("dataset")
    remembered(app, "DatasetState").selection = ("train", (5, 3, 77, 400))
    app.run()
    assert count(app) == 4 and sequence(app, 4) == [3, 5, 77, 400]
    app.segmented_control(key="split").set_value("test").run()
    assert count(app) == len(tiny.test.labels)  # the selection is one of the other split
    app.segmented_control(key="split").set_value("train").run()
    app.button(key="let_go").click().run()
    assert count(app) == len(tiny.train.labels)


def test_what_is_not_there_says_so(desk, tiny, use, tmp_path):
    train, test = (
        formats.Split(split.images[split.labels != 7], split.labels[split.labels != 7])
        for split in (tiny.train, tiny.test)
    )
    formats.write(tmp_path / "no7.npz", replace(tiny, train=train, test=test))
    use(dataset.load(tmp_path / "no7.npz"))
    app = open_page("dataset", label="7")
    assert "There are no training images of 7 here" in text(app)
    app.button(key="show_all").click().run()
    assert count(app) == len(train.labels) and "label" not in query(app)
    app = open_page("dataset", label="7", section="Pixels", of="7", one="7")
    said = text(app)
    assert "There are no such images" in said and "Choose another digit" in said
    assert "One of them has no image" in said and app.get("plotly_chart")


# ------------------------------------------------------------------ pages and links


def test_the_page_number_stays_within_what_there_is(visit):
    app = visit("dataset")
    app.number_input(key="page").set_value(7).run()
    assert app.number_input(key="page").value == 7 and shown(app)[0] == 600
    app.segmented_control(key="split").set_value("test").run()
    assert app.number_input(key="page").value == 1 and app.number_input(key="page").max == 2


def test_surprise_me_shows_a_digit_on_its_own_page(visit, tiny):
    app, met, pages = visit("dataset", label="3"), set(), set()
    members = np.flatnonzero(tiny.train.labels == 3).tolist()
    for _ in range(8):
        app.button(key="surprise").click().run()
        index, label = shown(app)
        assert label == 3
        assert app.number_input(key="page").value == members.index(index) // 100 + 1
        met.add(index)
    app = visit("dataset")
    pages = {app.button(key="surprise").click().run().number_input(key="page").value
             for _ in range(12)}  # fmt: skip
    assert len(met) > 1 and len(pages) > 1


def test_an_image_and_its_filters_come_back_from_the_link(visit, tiny):
    app = visit("dataset", split="test", sort="Ink", order="falling")
    for _ in range(3):
        app.button(key="surprise").click().run()
    there, page = shown(app), app.number_input(key="page").value
    link = query(app)
    assert link.keys() == {"split", "sort", "order", "image"} and link["image"] == str(there[0])
    again = visit("dataset", **link)
    assert shown(again) == there and again.number_input(key="page").value == page
    assert query(again) == link


@pytest.mark.parametrize("broken", ["-1", "99999", "seven", "²", ""])
def test_a_broken_link_shows_the_first_image(visit, broken):
    app = visit("dataset", image=broken)
    assert shown(app)[0] == 0 and "image" not in query(app)


def test_the_filters_outlive_another_section(visit):
    app = visit("dataset", split="test", label="3")
    found = count(app)
    app.segmented_control(key="section").set_value("Tensors").run()
    app.segmented_control(key="section").set_value("Pixels").run()
    assert f"{found} test images of 3" in text(app)
    app.segmented_control(key="section").set_value("Browse").run()
    assert count(app) == found and query(app)["label"] == "3"


def test_the_table_holds_every_measure_of_the_images_found(visit, tiny):
    app = visit("dataset")
    indices = np.array([9, 2, 33])
    with _as_on_the_page(app):
        rows = list(csv.DictReader(io.StringIO(image_columns.table("train", indices))))
    assert [int(row["index"]) for row in rows] == indices.tolist()
    assert [int(row["label"]) for row in rows] == tiny.train.labels[indices].tolist()
    for name, values in shapes.measures(tiny.train.images[indices]).items():
        np.testing.assert_allclose([float(row[name]) for row in rows], values, rtol=1e-5)


@contextmanager
def _as_on_the_page(app):
    """The session that the page's functions read, outside a script run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "_states", lambda: app.session_state["states"])
        patch.setattr(session, "widget", lambda key: None)
        patch.setattr(answering, "asked_models", lambda: {"default": "Default"})
        yield


# ------------------------------------------------------------------------ basket


@pytest.fixture
def full_basket(visit):
    """A page whose basket holds train 0, 1 and test 2."""
    app = visit("dataset")
    app.button(key="collect").click().run()
    app.button(key="after").click().run()
    app.button(key="collect").click().run()
    app.segmented_control(key="split").set_value("test").run()
    for _ in range(2):
        app.button(key="after").click().run()
    app.button(key="collect").click().run()
    return app


BASKET = [("train", 0), ("train", 1), ("test", 2)]


def test_the_basket_collects_and_lets_go(full_basket):
    app = full_basket
    assert remembered(app).basket == BASKET
    assert all(f"{split} {index}<" in text(app) for split, index in BASKET)
    app.button(key="drop").click().run()
    assert remembered(app).basket == BASKET[:2] and app.button(key="collect")
    app.button(key="empty").click().run()
    assert "Basket" not in text(app)


def test_a_full_basket_takes_no_more(visit):
    app = visit("dataset")
    remembered(app).basket = [("test", i) for i in range(basket.MOST)]
    app.run()
    assert app.button(key="collect").disabled


def test_the_basket_goes_home_as_a_picture_a_table_and_an_archive(full_basket, tiny):
    images = np.stack([getattr(tiny, split).images[i] for split, i in BASKET])
    labels = [getattr(tiny, split).labels[i] for split, i in BASKET]
    with _as_on_the_page(full_basket):
        sheet, table, archive = (pack(BASKET) for pack in
                                 (basket.sheet, basket.table, basket.archive))  # fmt: skip
    picture = np.asarray(Image.open(io.BytesIO(sheet)))
    assert picture.shape == (112, 336)
    np.testing.assert_array_equal(picture[::4, ::4], np.hstack(images))
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[0][:4] == ["split", "index", "label", "r0c0"]
    for row, (split, index), label, image in zip(rows[1:], BASKET, labels, images, strict=True):
        assert row[:3] == [split, str(index), str(label)]
        assert [int(v) for v in row[3:]] == image.ravel().tolist()
    with np.load(io.BytesIO(archive), allow_pickle=False) as packed:
        np.testing.assert_array_equal(packed["images"], images)
        assert packed["labels"].tolist() == labels and packed["index"].tolist() == [0, 1, 2]
        assert packed["split"].tolist() == ["train", "train", "test"]


def test_images_are_read_on_the_draw_page(full_basket, tiny):
    app = full_basket
    app.button(key="send_all_draw").click().run()
    assert app.title[0].value == "Draw a digit" and not app.exception
    p = models.default().network.predict(tiny.train.images[:1])[0]
    assert answer(app) == p.argmax() and "train_images[0]" in text(app)
    app.switch_page("pages/draw.py").run()
    app.button(key="let_go_sent").click().run()
    assert answer(app) is None and "Draw something" in text(app)


def test_an_image_of_a_link_is_read_on_the_draw_page(visit, tiny):
    app = visit("dataset", split="test", label="3")
    index, _ = shown(app)
    app.button(key="send_one_draw").click().run()
    assert app.title[0].value == "Draw a digit" and not app.exception
    p = models.default().network.predict(tiny.test.images[index][None])[0]
    assert answer(app) == p.argmax() and f"test_images[{index}]" in text(app)


# ------------------------------------------------------------------------ tensors


def test_the_table_tells_shapes_and_ranges(visit, tiny):
    table = visit("dataset", section="Tensors").dataframe[0].value.set_index("array")
    assert table.loc["train_images", "shape"] == str(tiny.train.images.shape)
    assert table.loc["test_labels", "shape"] == str(tiny.test.labels.shape)
    assert set(table["dtype"]) == {"uint8"} and table["largest"].max() == 255
    assert table.loc["test_images", "rank"] == 3


def code(app) -> str:
    return "\n".join(block.value for block in app.code)


@pytest.mark.parametrize(("rows", "columns"), [
    ((14, 28), (14, 28)), ((0, 28), (3, 9)), ((7, 8), (0, 28)), ((5, 5), (0, 28)),
])  # fmt: skip
def test_the_expression_of_a_slice_says_what_it_gives(visit, tiny, rows, columns):
    app = visit("dataset", section="Tensors", image="7")
    app.slider(key="rows").set_value(rows)
    app.slider(key="columns").set_value(columns).run()
    assert not app.exception
    (said,) = re.findall(r">>> (train_images\[7, .*)\.shape\n(.*)", code(app))
    given = eval(said[0], {"train_images": tiny.train.images})
    np.testing.assert_array_equal(given, tiny.train.images[7, slice(*rows), slice(*columns)])
    assert said[1] == str(given.shape)
    assert np.array2string(given, max_line_width=200, threshold=1000, separator=", ") in code(app)


def test_the_expression_is_the_tutorials_at_first(visit):
    assert "train_images[7, 14:, 14:]" in code(visit("dataset", section="Tensors"))


def test_before_and_after_are_those_of_the_chosen_digit(visit, tiny):
    app = visit("dataset", section="Tensors", image="12", split="test")
    image, label = tiny.test.images[12], tiny.test.labels[12]
    assert f">>> test_labels[12]\n{label}" in code(app)
    assert str(np.eye(10, dtype=int)[label].tolist()) in code(app)
    assert "(28, 28)\n>>> image.reshape(784).shape\n(784,)" in code(app)
    row, start, stop = map(int, re.search(r"scaled\[(\d+), (\d+):(\d+)\]", code(app)).groups())
    values = re.search(r">>> scaled\[.*\]\n\[(.*)\]", code(app))[1].split(",")
    np.testing.assert_allclose([float(v) for v in values], image[row, start:stop] / 255, atol=6e-4)
    assert f"{len(np.unique(image))} different" in text(app)
    assert "from 0 to 1 and not only 0 and 1" in text(app)


def test_the_browser_shows_the_digit_that_was_sliced(visit):
    app = visit("dataset", section="Tensors", image="123")
    app.number_input(key="index").set_value(250).run()
    app.segmented_control(key="section").set_value("Browse").run()
    assert shown(app)[0] == 250 and app.number_input(key="page").value == 3


# ------------------------------------------------------------------------- pixels


def charts_on(app) -> list[str]:
    return [chart.key for chart in app.get("plotly_chart")]


def test_every_chart_of_the_pixels_has_a_sentence_and_a_table(visit):
    app = visit("dataset", section="Pixels")
    names = charts_on(app)
    assert {"histogram", "class-counts", "mean", "median", "deviation", "entropy", "never",
            "shape-ink", "class-distances", "difference", "typicality"} == set(names)  # fmt: skip
    assert [b.proto.label for b in app.get("download_button")] == ["CSV"] * len(names)


def test_the_statistics_are_those_of_the_images_found(visit, tiny):
    app = visit("dataset", section="Pixels", label="4")
    ink = 100 * tiny.train.images.mean(axis=(1, 2)) / 255
    app.slider(key="inked").set_value((0, 12)).run()
    images = tiny.train.images[(tiny.train.labels == 4) & (ink <= 12)]
    assert f"{len(images)} training images of 4 with 0 to 12 % ink" in text(app)
    assert f"mean is {images.mean() / 255:.4f}" in text(app)
    assert f"{(images.max(axis=0) == 0).sum()} of 784 pixels are 0 in every image" in text(app)
    assert f"Only {(np.median(images, axis=0) > 0).sum()} of 784" in text(app)


def test_known_figures_on_the_page(desk, mnist, use):
    if mnist.source == "sample":
        pytest.skip("MNIST_DATA names no full set")
    use(mnist)
    said = text(open_page("dataset", section="Pixels"))
    assert "their mean is 0.1307 and their standard deviation 0.3081" in said
    assert "67 of 784 pixels are 0 in every image" in said
    assert "1 is the commonest (6,742 images" in said and "5 is the rarest (5,421" in said
    assert "4 and 9 are most alike" in said


def test_a_measure_can_be_chosen(visit):
    app = visit("dataset", section="Pixels", measure="Slant")
    assert "shape-slant" in charts_on(app)
    app.selectbox(key="measure").set_value("Aspect").run()
    assert "shape-aspect" in charts_on(app)


def test_a_typical_digit_is_opened_in_the_browser(visit, tiny):
    app = visit("dataset", section="Pixels", split="test", label="4")
    remembered(app, "DatasetState").opening = 33
    app.run()
    assert shown(app) == (33, tiny.test.labels[33]) and count(app) == len(tiny.test.labels)
    assert query(app) == {"split": "test", "image": "33"}


# ---------------------------------------------------------------------------- work


def test_a_page_that_waits_shows_how_far_it_is(visit, monkeypatch):
    slow = Job("answers")
    slow.begin()
    slow.report(0.25)
    monkeypatch.setattr(answering, "answers", lambda choice, split: slow)
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    app = visit("dataset", sort="Confidence of the model")
    (bar,) = app.get("progress")
    assert bar.proto.value == 25 and "all training images" in bar.proto.text
    assert not [s for s in app.subheader if s.value.startswith("Index")]


def test_what_failed_is_told_where_it_is_waited_for_and_can_be_asked_for_again(visit, monkeypatch):
    asked = []

    def answers(choice, split):
        asked.append(Job("answers"))
        if len(asked) == 1:
            asked[-1].fail("There is no room.")
        else:
            asked[-1].set_result(np.full((640, 10), 0.1, np.float32))
        return asked[-1]

    monkeypatch.setattr(answering, "answers", answers)
    app = visit("dataset", sort="Confidence of the model")
    assert [error.value for error in app.error] == ["There is no room."]
    app.button(key="again.answers").click().run()
    assert not app.error and len(asked) > 1
    assert [s for s in app.subheader if s.value.startswith("Index")]
