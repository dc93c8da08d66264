"""The Evaluate page in a browser: cells, sliders, a phone."""


import numpy as np
import pytest

from mnist_core.analysis import evaluation
from mnist_core.runs import models
from tests.serving import PHONE, poll, settle

CELLS = ".st-key-confusion button"
TILES = ".st-key-grid_cell [role=option]"


@pytest.fixture(scope="module")
def confused(mnist):
    """The default model's confusion, and its answers."""
    said = models.default().network.predict(mnist.test.images).argmax(axis=1)
    return evaluation.confusion(mnist.test.labels, said), said


@pytest.mark.parametrize("how", [{}, PHONE], ids=["mouse", "finger"])
def test_a_click_on_a_cell_shows_exactly_its_images(go, mnist, confused, how):
    counts, said = confused
    page = go("evaluate", query={"part": "Confusion"}, **how)
    few = [(int(i), int(j)) for i, j in np.argwhere((counts > 1) & (counts < 50))][:3]
    for true, read in few:
        cell = page.locator(CELLS).nth(10 * true + read)
        cell.tap() if how else cell.click()
        page.get_by_role("heading", name=f"a {true} read as {read}").first.wait_for()
        found = np.flatnonzero((mnist.test.labels == true) & (said == read))
        expected = {f"index {i}, label {true}, read as {read}" for i in found}
        poll(page, lambda e=expected: titles(page) == e, "exactly its images show")
        assert cell.get_attribute("aria-pressed") == "true"


def titles(page):
    # In one go: between two questions to the browser the grid may be drawn anew.
    return set(page.locator(TILES).evaluate_all("tiles => tiles.map(tile => tile.title)"))


def test_an_image_goes_inside_then_to_the_dataset_then_to_the_canvas(go):
    page = go("evaluate", query={"part": "Mistakes"})
    page.get_by_role("button", name="Inside").click()
    page.wait_for_url("**part=Inside**")
    settle(page)
    index = page.evaluate("new URLSearchParams(location.search).get('image')")
    page.get_by_role("link", name="In the dataset").click()
    page.get_by_role("heading", name=f"Index {int(index):,},").wait_for()
    page.go_back()
    page.get_by_role("button", name="Draw over it").click()
    page.get_by_role("heading", name="Draw a digit").wait_for()


def test_damage_that_was_undone_does_not_come_back(go):
    """The browser keeps a slider that only the server forgets, and sends it with the next move."""
    page = go("evaluate", query={"part": "Damage"})
    value = page.get_by_test_id("stMetricValue")
    intact = value.inner_text()
    turned, noise = (page.get_by_role("slider", name=name) for name in ("Rotate", "Noise"))
    turned.press("Home")
    poll(page, lambda: value.inner_text() != intact, "turned digits are read worse")
    page.get_by_text("Invert: black ink").click()
    settle(page)
    page.get_by_role("button", name="Undo all damage").click()
    poll(page, lambda: value.inner_text() == intact, "all is as it was")
    assert turned.input_value() == "0"
    noise.press("ArrowRight")
    settle(page)
    assert turned.input_value() == "0"
    assert not page.get_by_role("switch", name="Invert").or_(
        page.get_by_role("checkbox", name="Invert")).first.is_checked()  # fmt: skip
    assert page.get_by_role("heading", name="still").count()


@pytest.mark.slow
def test_a_slider_of_the_damage_lab_moves_the_answer_and_the_accuracy(go):
    page = go("evaluate", query={"part": "Damage"})
    value = page.get_by_test_id("stMetricValue")
    before = value.inner_text()
    slider = page.get_by_role("slider", name="Rotate")
    slider.focus()
    for _ in range(40):
        slider.press("ArrowRight")
    poll(page, lambda: value.inner_text() != before, "the accuracy is measured again")
    settle(page)
    assert float(value.inner_text().rstrip("%")) < float(before.rstrip("%"))


SLOW = [pytest.param(part, marks=pytest.mark.slow) for part in ("Scores", "Calibration", "Inside")]


@pytest.mark.parametrize("section", ["Confusion", "Damage", *SLOW])
def test_nothing_is_wider_than_a_phone(go, section):
    page = go("evaluate", query={"part": section}, **PHONE)
    page.wait_for_timeout(500)
    width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= 390
