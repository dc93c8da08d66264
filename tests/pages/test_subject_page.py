"""Inside and Damage take any image: a test image, the visitor's own digit, one of the basket."""


import numpy as np
import pytest

from mnist_core.analysis import explanation
from mnist_core.analysis.explanation import Damage
from mnist_core.runs import models
from pages._evaluate import inside
from tests.pages.visiting import query, remembered, text


@pytest.fixture
def own(tiny):
    """A digit that is no test image, as the Draw page would have kept it."""
    return np.roll(tiny.test.images[5], 2, axis=1)


def looked_at(app, of):
    app.segmented_control(key="choice_of").set_value(of).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("part", ["Inside", "Damage"])
def test_without_a_digit_of_ones_own_or_a_basket_the_way_to_one_is_shown(visit, part):
    app = visit("evaluate", part=part, of="Your drawing")
    assert "Draw or photograph a digit" in app.info[0].value and not app.subheader
    assert "The basket is empty" in looked_at(app, "Basket").info[0].value
    assert query(app)["of"] == "Basket"
    assert looked_at(app, "Test set").subheader


def test_damage_is_done_to_the_visitors_own_digit(visit, own):
    app = visit("evaluate", part="Damage")
    remembered(app).read = own
    looked_at(app, "Your drawing")
    app.slider(key="damage.angle").set_value(120).run()
    network = models.default().network
    before = network.predict(own[None])[0].argmax()
    after = explanation.answer(network, own, Damage(angle=120)).argmax()
    change = f"still {after}" if before == after else f"{before} before, now {after}"
    assert app.subheader[0].value == f"Your drawing: {change}"


@pytest.mark.parametrize("view", inside.VIEWS)
def test_each_view_of_the_inside_is_about_the_visitors_own_digit(visit, own, view, monkeypatch):
    app = visit("evaluate", part="Inside", view=view)
    remembered(app).read = own
    asked = []
    steps = explanation.steps
    monkeypatch.setattr(explanation, "steps", lambda n, i: asked.append(i) or steps(n, i))
    looked_at(app, "Your drawing")
    said = models.default().network.predict(own[None])[0].argmax()
    assert app.subheader[0].value == f"Your drawing, read as {said}"
    assert all(np.array_equal(image, own) for image in asked)
    app.button(key="to_Damage").click().run()
    assert app.segmented_control(key="choice_of").value == "Your drawing"
    assert app.subheader[0].value.startswith("Your drawing: still")


def test_an_image_of_the_basket_is_looked_at(visit, tiny):
    app = visit("evaluate", part="Inside", of="Basket")
    remembered(app).basket = [("train", 11), ("test", 4)]
    app.run()
    assert "`train_images[11]`" in text(app)
    assert app.subheader[0].value.startswith(f"Label {tiny.train.labels[11]}, read")
    remembered(app).basket_at = 1
    app.run()
    assert "`test_images[4]`" in text(app)


def test_a_mistake_that_is_opened_is_looked_at_whatever_was_before(visit, tiny):
    app = visit("evaluate", part="Inside", of="Basket")
    app.segmented_control(key="choice_part").set_value("Confusion").run()
    app.button(key="to_Inside").click().run()
    assert app.segmented_control(key="choice_of").value == "Test set"
    assert "test_images[" in text(app)
