"""The microscope in a browser, on a phone: through a network and back by tap, into its cells."""


import re

import pytest

from tests.browser.visiting import parameters
from tests.serving import PHONE, poll, settle

PLACE = re.compile(r"(\w+) · step (\d+) of (\d+)")


def place(page):
    """The phase, the step and how many there are."""
    phase, at, n = PLACE.search(page.locator("#where").inner_text()).groups()
    return phase, int(at), int(n)


def tap_to(page, key, at):
    """Tap a button and wait until this step shows."""
    page.locator(f".st-key-{key} button").tap()
    poll(page, lambda: place(page)[1] == at, f"step {at}")


def assert_fits(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
def test_a_finger_steps_through_the_toy_and_back(go):
    page = go("backprop", query={"network": "Toy 2-3-2"}, **PHONE)
    phases = [place(page)[0]]
    for at in range(2, 13):
        tap_to(page, "step_next", at)
        phases.append(place(page)[0])
    assert list(dict.fromkeys(phases)) == ["Forward", "Loss", "Backward", "Update"]
    assert parameters(page)["step"] == "11"
    # By now every edge has its gradient, every neuron its δ.
    poll(page, lambda: page.locator("svg text.back").count() == 12 + 9 + 4, "all gradients")
    for at in (11, 10):
        tap_to(page, "step_back", at)
    page.locator("svg").get_by_text("L = −ln p0").tap()  # in the graph
    poll(page, lambda: place(page) == ("Loss", 6, 12), "the loss")
    assert_fits(page)
    page.reload()
    settle(page)
    assert place(page) == ("Loss", 6, 12)


@pytest.mark.slow
def test_a_finger_steps_through_a_dense_network_into_a_neuron_and_teaches(go):
    page = go("backprop", query={"network": "Fresh", "image": "3"}, **PHONE)
    n = place(page)[2]
    for at in range(2, n + 1):
        tap_to(page, "step_next", at)
    assert place(page) == ("Update", n, n)
    page.locator(".station button[data-step='3']").tap()  # the first dense layer
    poll(page, lambda: place(page)[1] == 4, "the weighted sum")
    field = page.locator("[class*=st-key-field_dense_1-unit] canvas")
    field.wait_for()
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    page.touchscreen.tap(box["x"] + 2.5 / 32 * box["width"], box["y"] + 0.5 / 4 * box["height"])
    poll(page, lambda: page.get_by_label("Unit (0 to 127)").input_value() == "2", "unit 2")
    page.get_by_text("to unit 2 of dense_1").wait_for()
    settle(page)
    page.locator(".st-key-do_100 button").tap()
    page.get_by_text("before 100 steps").wait_for()
    page.locator(".st-key-label_curve canvas").wait_for()
    assert_fits(page)
