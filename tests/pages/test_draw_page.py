"""The draw page beyond the canvas: why, photos, templates and teaching, through AppTest."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from mnist_core import storage
from mnist_core.analysis import teaching
from mnist_core.runs import models
from pages._shell import answering, visitors
from tests.imaging.test_photos import page, photo, sure
from tests.pages.visiting import answer, draw, drawing, remembered, surest, text


def opened(app, name):
    app.session_state[name] = True
    app.run()
    assert not app.exception
    return app


def upload(app, content):
    app.session_state["source"] = "Photo"
    app.run()
    app.file_uploader(key="photo").set_value(("photo.png", content, "image/png")).run()
    assert not app.exception
    return app


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


# --- why -----------------------------------------------------------------------------------------


def test_nothing_is_explained_until_it_is_asked_for(visit, tiny, monkeypatch):
    def never(*_):
        raise AssertionError("explained unasked")

    for name in ("analysis.misreading.steps", "statistics.projections.nearest",
                 "analysis.misreading.balance"):  # fmt: skip
        monkeypatch.setattr(f"mnist_core.{name}", never)
    app = draw(visit("draw"), surest(tiny, 3))
    assert answer(app) == 3 and 'id="percentiles"' not in text(app)


def test_the_steps_end_in_the_answer(visit, tiny):
    app = opened(draw(visit("draw"), surest(tiny, 3)), "why")
    steps = re.findall(r'alt="after the step ([^"]+)".*?serif">(\d)</b>', text(app), re.S)
    assert [name for name, _ in steps][-1] == "Stroke" and len(steps) == 7
    assert steps[-1][1] == "3"
    before = text(app)
    app.toggle(key="step_mass").set_value(False).run()
    app.toggle(key="step_deslant").set_value(True).run()
    assert not app.exception and text(app) != before


def test_the_percentiles_are_among_the_chosen_class(visit, tiny):
    app = opened(draw(visit("draw"), surest(tiny, 3)), "why")
    threes = int((tiny.train.labels == 3).sum())
    assert f"among {threes} training images of a 3" in text(app)
    app.segmented_control(key="class_for_3").set_value(8).run()
    assert f"among {(tiny.train.labels == 8).sum()} training images of a 8" in text(app)


def test_the_balance_between_any_two_is_put_in_words(visit, tiny):
    app = opened(draw(visit("draw"), surest(tiny, 3)), "why")
    assert "Between 3 and " in text(app)
    app.selectbox(key="for_3").set_value(8).run()
    assert not app.exception and "Between 8 and 3 alone, it is 3" in text(app)


# --- a template ----------------------------------------------------------------------------------


def test_another_page_may_ask_about_an_image(visit, tiny):
    app = visit("draw")
    remembered(app).template = surest(tiny, 7)
    app.run()
    assert answer(app) == 7 and "canvas_0" not in app.session_state
    opened(app, "why")
    app.button(key="let_go_template").click().run()
    assert not app.exception and answer(app) is None
    assert answer(draw(app, surest(tiny, 3))) == 3


# --- photos --------------------------------------------------------------------------------------


def test_a_photo_is_read_from_left_to_right(visit, tiny, mnist):
    images, labels = sure(mnist, 6)
    app = upload(visit("draw"), png(photo(page(images), shadow=0.3, grid=45)))
    reading = re.search(r'id="reading"[^>]*>([\d ]+)<', text(app))[1]
    assert reading.split() == [str(n) for n in labels]
    assert answer(app) == labels[0]
    opened(app, "why")
    assert "What the model would see and say" in text(app)


def test_the_ink_may_be_named(visit, tiny, mnist):
    images, labels = sure(mnist, 1)
    app = upload(visit("draw"), png(photo(page(images), light_ink=True)))
    assert answer(app) == labels[0]
    app.segmented_control(key="photo_ink").set_value("Light on dark").run()
    assert answer(app) == labels[0] and not app.exception


@pytest.mark.parametrize(("content", "says"), [
    (b"no picture", "is not a picture"), (b"%PDF-1.7", "is a PDF"),
    (png(np.full((300, 300), 255, np.uint8)), "No digit was found"),
], ids=["text", "pdf", "blank"])  # fmt: skip
def test_a_bad_photo_gets_one_sentence(visit, tiny, content, says):
    app = upload(visit("draw"), content)
    (error,) = app.error
    assert says in error.value and answer(app) is None


# --- teach ---------------------------------------------------------------------------------------


def lesson(app, image, label):
    """Draw on the present canvas, and say what it was."""
    app.session_state[f"canvas_{remembered(app, 'DrawState').canvas}"] = drawing(image)
    app.run()
    app.button(key=f"was_{label}").click().run()
    assert not app.exception


def test_lessons_are_collected_and_a_copy_is_taught(visit, tiny, monkeypatch):
    monkeypatch.setitem(teaching.EFFORT, "convolution", (10, 0.01, 200))
    app = opened(visit("draw"), "teach")
    assert app.button(key="was_3").disabled
    for label in (3, 7, 3, 7, 1):
        lesson(app, surest(tiny, label), label)
    assert answer(app) is None  # the canvas is empty for the next
    assert "5 drawings: 4 to learn from, 1 held out" in text(app)
    app.button(key="teach_copy").click().run()
    while remembered(app, "DrawState").teaching:
        app.run()
    assert not app.exception
    lessons = teaching.Lessons(storage.home(), "ada")
    found = lessons.model().about["taught"]
    held = {m.label: m.value for m in app.metric}["Your held-out drawings"]
    assert held == f"{found['own_after']} of 1 right"
    assert f"lost {found['lost']} and won {found['won']}" in text(app)
    assert app.selectbox[0].value == answering.TAUGHT
    app = draw_on_present(app, surest(tiny, 3))
    assert answer(app) is not None
    app.button(key="reset_lessons").click().run()
    assert not app.exception and app.selectbox[0].value == "default"
    assert len(lessons.own().labels) == 0 and lessons.model() is None


def draw_on_present(app, image):
    app.session_state[f"canvas_{remembered(app, 'DrawState').canvas}"] = drawing(image)
    app.run()
    assert not app.exception
    return app


def test_nobody_else_sees_what_was_taught(visit, tiny, monkeypatch):
    lessons = teaching.Lessons(storage.home(), "ada")
    default = models.default()
    lessons.keep(models.Model(default.spec, default.network,
                              {"test_accuracy": 0.5, "taught": {}, "base": "default"}))  # fmt: skip
    try:
        assert len(visit("draw").selectbox[0].options) == 2
        monkeypatch.setattr(visitors, "visitor", lambda: "bob")
        assert len(visit("draw").selectbox[0].options) == 1
    finally:
        lessons.reset()
