"""The map, the label errors and the own data of the dataset page, through AppTest."""

import csv
import io
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mnist_core import storage
from mnist_core.basis import Job
from mnist_core.data import own_data, uploads
from mnist_core.statistics import label_errors, projections
from pages._components import scatter
from pages._dataset import your_own
from pages._shell import shared, waiting
from tests.data.test_uploads import npz, packed, pictures
from tests.pages.visiting import done, remembered, text


class Busy(Job):
    """A job that has gone some way."""

    remaining = 21.0

    def __init__(self) -> None:
        super().__init__("t-SNE")
        self.begin()
        self.report(0.4)


@pytest.fixture(scope="module")
def arrays(tiny):
    rng = np.random.default_rng(0)
    images, labels = (np.concatenate([getattr(s, f) for s in (tiny.train, tiny.test)])
                      for f in ("images", "labels"))  # fmt: skip
    return {
        "pca": vars(projections.pca(tiny.train.images)),
        "tsne": {"plane": rng.normal(size=(640, 2)).astype(np.float32)},
        "suspects": {"probabilities": label_errors.out_of_fold(images, labels, centres=200)},
    }


@pytest.fixture
def jobs(arrays, monkeypatch):
    found = {task: done(values) for task, values in arrays.items()}
    monkeypatch.setattr(shared, "computed", found.get)
    return found


@pytest.fixture
def clicks(monkeypatch):
    """What the visitor does on the map, once each: ("picked", point) or ("selected", points)."""
    waiting, drawn = [], []

    def scatter_drawn(shown, title, picked, chosen, key):
        drawn.append((shown, picked, chosen))
        what, value = waiting.pop() if waiting else (None, None)
        return (value if what == "picked" else None), (value if what == "selected" else None)

    monkeypatch.setattr(scatter, "show", scatter_drawn)
    return waiting, drawn


def state(app):
    return remembered(app, "DatasetState")


def test_the_map_shows_a_point_for_each_image(visit, jobs, clicks, tiny):
    app = visit("dataset", section="Map")
    shown = clicks[1][-1][0]
    assert shown["labels"] == tiny.train.labels.tolist() and len(shown["colors"]) == 10
    assert "640 training images. The nearest point has the same label" in text(app)
    before = shown["points"]
    app.segmented_control(key="projection").set_value("tsne").run()
    assert not app.exception and clicks[1][-1][0]["points"] != before


def test_a_selection_fills_the_browser_below_and_says_what_it_is(visit, jobs, clicks, tiny):
    app = visit("dataset", section="Map")
    threes = np.flatnonzero(tiny.train.labels == 3)[:5].tolist()
    clicks[0].append(("selected", threes))
    app.run()
    assert state(app).selection == ("train", tuple(threes))
    assert "**5 images selected**: 100 % are 3s." in text(app)
    assert clicks[1][-1][2] == threes  # and it stays marked on the map
    assert "(5 images)" in app.number_input(key="page").label
    app.button(key="after").click().run()
    assert f"Index {threes[1]:,}, label 3" in text(app)
    app.button(key="clear_selection").click().run()
    assert state(app).selection is None and "images selected" not in text(app)


def test_a_click_shows_the_nearest_neighbours(visit, jobs, clicks, tiny):
    app = visit("dataset", section="Map")
    assert "Click it for its nearest neighbours" in text(app)
    clicks[0].append(("picked", 12))
    app.run()
    near, far = projections.nearest(tiny.train.images, tiny.train.images[12], 10, 12)
    same = int((tiny.train.labels[near] == tiny.train.labels[12]).sum())
    assert f"{same} of its 10 nearest among all 640" in text(app)
    assert f"distances {far[0]:.1f} to {far[-1]:.1f}" in text(app)
    assert "Rebuild `train_images[12]`" in text(app)


def test_the_slider_rebuilds_with_its_error(visit, jobs, clicks, arrays, tiny):
    app = visit("dataset", section="Map")
    fitted = projections.Pca(**arrays["pca"])
    for k in (0, 5, 100):
        app.select_slider(key="k").set_value(k).run()
        off = 255 * fitted.rebuild(tiny.train.images[0], k) - tiny.train.images[0]
        assert f"With {k} components" in text(app)
        assert f"off by {np.sqrt(np.mean(off**2)):.1f} of 255" in text(app)


def test_what_is_not_there_yet_shows_how_far_it_is(visit, jobs, clicks):
    jobs["tsne"] = jobs["suspects"] = Busy()
    app = visit("dataset", section="Map")
    app.segmented_control(key="projection").set_value("tsne").run()
    bars = [element.proto.text for element in app.get("progress")]
    assert bars and all("about 21 s more" in bar for bar in bars)
    assert "What the digits are made of" in text(app)  # the rest of the page is there


def test_a_failure_is_told_and_can_be_tried_again(visit, jobs, clicks, monkeypatch):
    sound, asked = jobs["suspects"], []
    failed = Job("Out-of-fold predictions")
    failed.fail("Out-of-fold predictions cannot be computed: no memory.")

    def computed(task):
        asked.append(task)
        return failed if len(asked) == 1 else sound

    monkeypatch.setattr(shared, "computed", computed)
    app = visit("dataset", section="Doubtful labels")
    assert failed.message in text(app)
    app.button(key="again.Out-of-fold predictions").click().run()
    assert failed.message not in text(app) and not app.error


def verdicts(app):
    return {place[1:]: said for place, said in state(app).verdicts.items()}


def test_suspects_are_judged_one_after_the_other(visit, jobs, clicks, arrays, tiny):
    app = visit("dataset", section="Doubtful labels")
    labels = np.concatenate([tiny.train.labels, tiny.test.labels])
    ranking = label_errors.rank(arrays["suspects"]["probabilities"], labels)
    places = [("train", int(i)) if i < 640 else ("test", int(i) - 640) for i in ranking.index[:4]]
    assert state(app).suspect == places[0]
    assert f"labels[{places[0][1]}]` is {ranking.label[0]}.**" in text(app)
    app.button(key="judge_right").click().run()
    app.button(key="judge_unclear").click().run()
    digit = next(d for d in range(10) if d != ranking.label[2])
    app.pills(key="judge_wrong").set_value(digit).run()
    assert verdicts(app) == dict(zip(places, ("right", "unclear", str(digit)), strict=False))
    assert state(app).suspect == places[3]
    assert "You have judged 3: 1 labels wrong, 1 right, 1 unclear." in text(app)


def test_suspects_of_one_split_only(visit, jobs, clicks):
    app = visit("dataset", section="Doubtful labels")
    for split in ("test", "train"):
        app.segmented_control(key="suspects_of").set_value(split).run()
        assert state(app).suspect[0] == split


# ------------------------------------------------------------------------ own data


@pytest.fixture
def mine(visit, jobs, clicks, mnist, monkeypatch, tmp_path):
    """A data set of the visitor, in use: 60 digits, and the page that shows it."""
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    content = npz(x=mnist.test.images[:60], y=mnist.test.labels[:60])
    kept = own_data.keep("ada", [("mine.npz", content)])
    app = visit("dataset", section="Your own")
    monkeypatch.setattr(shared, "computed", lambda task: Busy())
    app.button(key="own_use_0").click().run()
    assert not app.exception
    return app, kept


def test_own_data_take_the_place_of_mnist(mine):
    app, kept = mine
    assert remembered(app).source == kept.source
    assert "Your own data: mine.npz: " in text(app) and "Only you see them" in text(app)
    assert "10 images)" not in text(app)
    app.button(key="back_to_mnist").click().run()
    assert remembered(app).source != kept.source and "Your own data:" not in text(app)


def test_own_data_are_named_on_every_page_and_used_for_training(mine, runs):
    app, kept = mine
    app.switch_page("pages/builder.py").run()
    assert "Your own data: mine.npz: " in text(app)
    app.button(key="train").click().run()
    (run,) = runs.of("ada")
    assert run.source == kept.source and run.data.startswith("mine.npz: ")


def test_every_look_at_own_data_begins_their_day_anew(mine):
    app, kept = mine
    late = time.time() - 3600 * (own_data.KEPT_HOURS - 1)
    os.utime(Path(kept.source).with_name("used"), (late, late))
    app.switch_page("pages/home.py").run()
    storage.sweep(now=time.time() + 7200)
    assert [found.source for found in own_data.of("ada")] == [kept.source]


def test_deleted_data_are_no_longer_shown(mine):
    app, kept = mine
    app.button(key="own_delete_0").click().run()
    assert not app.exception and remembered(app).source != kept.source
    assert own_data.of("ada") == []


def test_expired_data_give_way_to_mnist_with_a_sentence(mine):
    app, kept = mine
    own_data.delete("ada", kept.source)
    app.run()
    assert not app.exception
    assert "Your own data are no longer here" in text(app) and remembered(app).source != kept.source


def test_an_upload_is_checked_then_used(visit, jobs, clicks, mnist, monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    app = visit("dataset", section="Your own")
    monkeypatch.setattr(shared, "computed", lambda task: Busy())
    good = packed(pictures(mnist.test.images[:40], mnist.test.labels[:40]))
    app.file_uploader(key="own_files").set_value([("a.zip", b"PK\3\4 no", "application/zip")]).run()
    app.button(key="own_use").click().run()
    assert "a.zip is damaged or cut short" in text(app)
    app.file_uploader(key="own_files").set_value([("a.zip", good, "application/zip")]).run()
    app.button(key="own_use").click().run()
    assert not app.exception and "Your own data: a.npz: " in text(app)


def test_a_long_conversion_goes_on_while_its_visitor_looks_around(
    visit, jobs, clicks, mnist, monkeypatch, tmp_path
):
    monkeypatch.setenv("MNIST_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    go = threading.Event()
    real = uploads._picture
    monkeypatch.setattr(uploads, "_picture", lambda *given: go.wait(60) and real(*given))
    app = visit("dataset", section="Your own")
    good = packed(pictures(mnist.test.images[:40], mnist.test.labels[:40]))
    app.file_uploader(key="own_files").set_value([("a.zip", good, "application/zip")]).run()
    app.button(key="own_use").click().run()
    assert "bringing pictures to 28" in app.get("progress")[0].proto.text
    assert app.button(key="own_use").disabled  # and is not begun twice
    app.switch_page("pages/home.py").run()
    assert "Your own data: a.npz: " not in text(app)
    under_way = remembered(app, "DatasetState").bringing
    go.set()
    assert under_way.over(60)
    app.switch_page("pages/dataset.py").run()
    assert not app.exception and "Your own data: a.npz: " in text(app)


def test_the_example_is_a_good_upload(tiny):
    brought = uploads.read_files([("digits.zip", your_own.example(tiny))])
    labels = np.concatenate([brought.train.labels, brought.test.labels])
    assert np.bincount(labels).min() >= 2


def test_the_map_as_numbers(tiny, arrays):
    from pages._dataset import digit_map

    shown, near, nearest = digit_map._still(tiny, "tsne", arrays["tsne"])
    rows = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert len(rows) == 640 and rows[5]["label"] == str(tiny.train.labels[5])
    assert float(rows[5]["x"]) == pytest.approx(arrays["tsne"]["plane"][5, 0], rel=1e-5)
    assert 0 < near < nearest <= 1
