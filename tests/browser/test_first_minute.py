"""The first minute of a new visitor: how many clicks it takes, the tour, and the keyboard alone."""

import re

import pytest

from tests.browser.test_evaluate import CELLS
from tests.browser.visiting import (
    CANVAS,
    LONG,
    TILES,
    answered,
    digit_shown,
    draw,
    drawn,
    surest,
)
from tests.serving import PHONE, poll, settle

COUNT = "window.clicks = 0; addEventListener('click', () => window.clicks++, true)"
FOCUSED = """() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.tagName === 'MAIN' ? '' : at.getAttribute('aria-label') || at.innerText || at.title;
}"""


def clicks(page):
    return page.evaluate("window.clicks")


def strip(page):
    return page.locator(".st-key-tour")


# ----------------------------------------------------------------------- clicks


@pytest.fixture
def newcomer(visitor, go):
    """A visitor on the home page, whose clicks are counted."""
    page = visitor()
    page.add_init_script(COUNT)
    return go("home", page)


def test_an_own_drawing_is_read_after_one_click(newcomer, mnist):
    page = newcomer
    page.get_by_role("button", name="Draw a digit").click()
    page.locator(CANVAS).wait_for()
    settle(page)
    assert clicks(page) == 1
    draw(page, surest(mnist, 3))
    answered(page, 3)


@pytest.mark.slow
def test_a_live_curve_is_two_clicks_away(newcomer):
    page = newcomer
    page.get_by_role("button", name="Build and train").click()
    page.get_by_role("button", name="Train", exact=True).wait_for()
    settle(page)
    page.get_by_role("button", name="Train", exact=True).click()
    poll(page, lambda: drawn(page), "the curves", 60)
    page.get_by_text("images/s").first.wait_for()
    assert clicks(page) == 2


# --------------------------------------------------------------------- the tour


def stands_clear(page):
    """Nothing lies under the strip, and it lies within the page."""
    box, heading = strip(page).bounding_box(), page.locator("h1").bounding_box()
    inside = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert inside <= page.viewport_size["width"]
    assert box["y"] + box["height"] <= heading["y"]
    parts = strip(page).locator("p, button").evaluate_all(
        "all => all.map(x => x.getBoundingClientRect()).map(r => [r.top, r.bottom])"
    )
    assert all(box["y"] <= top and end <= box["y"] + box["height"] for top, end in parts)


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, PHONE], ids=["desk", "phone"])
def test_the_tour_shows_once_and_comes_back_on_request(go, how):
    page = go("home", **how)
    stands_clear(page)
    page.reload()
    settle(page)
    assert strip(page).count() == 0
    page.get_by_role("button", name="Take the tour").click()
    strip(page).wait_for()
    page.get_by_role("button", name="Go to Draw").click()
    page.wait_for_url("**/draw")
    settle(page)
    stands_clear(page)
    page.get_by_role("button", name="Skip the tour").click()
    strip(page).wait_for(state="detached")
    go("draw", page)
    assert strip(page).count() == 0
    assert strip(go("draw", **how)).count() == 0  # who follows a link came for that page


# ----------------------------------------------------------------- the keyboard


def tab_to(page, name):
    """Press Tab until this has the focus, and it shows that it has."""
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
        if re.search(name, seen[-1]):
            return
    pytest.fail(f"{name} is not reached by Tab, only {seen}")


@pytest.mark.slow
def test_home_the_tour_and_drawing_by_keyboard(go):
    page = go("home")
    tab_to(page, "Explore the digits")
    tab_to(page, "Follow the arithmetic")
    page.get_by_test_id("stTopNavLink").last.focus()  # what comes before the strip
    tab_to(page, "Go to Draw")
    page.keyboard.press("Enter")
    page.wait_for_url("**/draw")
    page.get_by_text("Draw something").wait_for()
    settle(page)
    tab_to(page, "Take a test image")
    page.keyboard.press("Enter")
    page.locator("#answer").wait_for()


@pytest.mark.slow
def test_the_grid_of_digits_by_keyboard(go):
    page = go("dataset", query={"split": "test"})
    page.locator(TILES).first.wait_for()
    tab_to(page, "^index 0,")
    page.keyboard.press("ArrowRight")
    poll(page, lambda: digit_shown(page)[0] == 1, "the next digit")
    tab_to(page, "Copy link")  # the grid is one stop of Tab


@pytest.mark.slow
def test_training_by_keyboard(go):
    page = go("builder", query=LONG.to_query())  # it must not end before Stop is reached
    page.get_by_text("Takes about").first.wait_for()
    page.get_by_role("button", name="Train", exact=True).wait_for()
    tab_to(page, "Train$")
    page.keyboard.press("Enter")
    poll(page, lambda: drawn(page), "the curves", 60)
    tab_to(page, "Stop$")
    page.keyboard.press("Enter")
    page.get_by_text("Stopped after").wait_for()


@pytest.mark.slow
def test_the_confusion_matrix_by_keyboard(go):
    page = go("evaluate", query={"part": "Confusion"})
    page.locator(CELLS).first.wait_for()
    tab_to(page, r"true \d|\d read as \d|label \d")
    at = page.locator(f"{CELLS}[aria-pressed=true]").evaluate(
        "cell => [...cell.parentNode.querySelectorAll('button')].indexOf(cell)"
    )
    page.keyboard.press("ArrowDown" if at < 90 else "ArrowUp")
    page.keyboard.press("Enter")
    to = at + 10 if at < 90 else at - 10
    cell = page.locator(CELLS).nth(to)
    poll(page, lambda: cell.get_attribute("aria-pressed") == "true", "the cell is chosen")
