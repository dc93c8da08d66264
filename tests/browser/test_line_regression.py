"""The regression in a browser: run in the worker, played, at a desk and on a phone."""


import pytest

from pages._backprop.concept_sections import CONCEPTS
from tests.serving import PHONE, poll, settle

LINE = ".st-key-regression .scatterlayer path.js-line"
PHONES = pytest.param(PHONE, id="phone", marks=pytest.mark.slow)


@pytest.mark.parametrize("how", [pytest.param({}, id="desk", marks=pytest.mark.slow), PHONES])
def test_the_regression_runs_in_the_worker_and_plays(go, how):
    page = go("backprop", query={"topic": "Regression"}, **how)
    page.get_by_role("button", name="Run it in TensorFlow too").click()
    page.get_by_text("slope, intercept and loss differ by").wait_for(timeout=90_000)
    settle(page)
    assert page.get_by_role("cell", name="Adam, TensorFlow").count() == 1
    shapes = "paths => paths.map(path => path.getAttribute('d')).join()"
    lines = page.locator(LINE)
    still = lines.evaluate_all(shapes)
    page.locator(".st-key-regression .updatemenu-button").first.click()
    poll(page, lambda: lines.evaluate_all(shapes) != still, "the line moves")
    poll(page, lambda: lines.evaluate_all(shapes) == still, "it ends where it stood")
    width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= page.viewport_size["width"]


@pytest.mark.slow
def test_no_concept_is_wider_than_a_phone(go):
    page = go("backprop", query={"topic": "Concepts"}, **PHONE)
    names = page.locator(".st-key-choice_concept button").all_inner_texts()
    assert names == list(CONCEPTS)
    for name in names:
        page.get_by_role("radio", name=name).or_(
            page.locator(".st-key-choice_concept button", has_text=name)
        ).first.click()
        page.wait_for_url(f"**concept={name.replace(' ', '*')}**")
        settle(page)
        width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert width <= 390, name
