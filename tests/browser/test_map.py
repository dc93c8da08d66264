"""The map as a visitor meets it: hover, click, lasso and box, mouse and finger; an upload."""

import math
import re

import pytest

from tests.data.test_uploads import packed, pictures
from tests.serving import PHONE, Server, poll, settle

MAP = "canvas.map"
SLOW = 120.0  # seconds that the first computation may take beside everything else


@pytest.fixture(scope="module")
def server(tmp_path_factory, tiny):
    """On tiny data, so that what is computed in the background is there soon."""
    server = Server(tmp_path_factory.mktemp("server"), tiny.source).start()
    yield server
    server.close()


@pytest.fixture
def mapped(server, visitor):
    """A function that opens the dataset page and waits for the map."""

    def mapped(section="Map", **how):
        page = visitor(**({"viewport": {"width": 1280, "height": 1000}} | how))
        page.goto(server.url("dataset", section=section))
        if section != "Map":
            settle(page)
            return page
        page.locator(MAP).wait_for(timeout=1000 * SLOW)
        settle(page)
        page.locator(MAP).scroll_into_view_if_needed()
        return page

    return mapped


def middle(page):
    box = page.locator(MAP).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box


def dot(page):
    """Where there is a dot: points on a spiral from the middle until a digit shows."""
    x, y, _ = middle(page)
    for step in range(400):
        at = x + 2 * step * math.cos(step / 3), y + 2 * step * math.sin(step / 3) / 2
        page.mouse.move(*at)
        if page.locator(".tip").is_visible():
            return at
    raise AssertionError("There is no dot on the map.")


def said(page):
    return page.locator("[data-testid=stMain]").inner_text()


def selected(page):
    """How many images the page says are selected, 0 if none."""
    found = re.search(r"([\d,]+) images selected", said(page))
    return int(found[1].replace(",", "")) if found else 0


@pytest.mark.slow
def test_a_hover_shows_the_digit_and_a_click_its_neighbours(mapped, tiny):
    page = mapped()
    at = dot(page)
    words = page.locator(".tip span").inner_text()
    label, index = re.fullmatch(r"(\d) · train (\d+)", words).groups()
    assert tiny.train.labels[int(index)] == int(label)
    page.mouse.click(*at)
    poll(page, lambda: f"Nearest to train_images[{index}]" in said(page), "its neighbours")
    poll(page, lambda: f"Rebuild train_images[{index}]" in said(page), "the rebuilt digit")


@pytest.mark.slow
def test_a_lasso_and_a_box_select(mapped, tiny):
    page = mapped()
    page.get_by_role("button", name="Lasso").click()
    x, y, box = middle(page)
    corners = [(box["x"] + 3, box["y"] + 3), (box["x"] + box["width"] - 3, box["y"] + 3),
               (box["x"] + box["width"] - 3, box["y"] + box["height"] - 3),
               (box["x"] + 3, box["y"] + box["height"] - 3)]  # fmt: skip
    drag(page, corners)
    poll(page, lambda: selected(page) == 640, "all are selected")
    settle(page)
    tiles = page.locator(".st-key-grid [role=option]")
    poll(page, lambda: tiles.count() == 100, "the first hundred of them show below")
    tiles.nth(7).click()
    poll(page, lambda: f"Index 7, label {tiny.train.labels[7]}" in said(page), "one of them large")
    page.get_by_role("button", name="Box").click()
    x, y, box = middle(page)
    drag(page, [(box["x"] + 3, box["y"] + 3), (x, y)])
    poll(page, lambda: 0 < selected(page) < 640, "some are selected")
    page.get_by_role("button", name="Clear the selection").click()
    poll(page, lambda: selected(page) == 0, "none is selected")


def drag(page, points):
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    page.mouse.up()


def test_a_finger_picks_on_a_phone_and_the_page_stays_narrow(mapped):
    page = mapped(**PHONE)
    assert page.locator(".modes button[aria-pressed=true]").inner_text() == "Look"
    x, y, _ = middle(page)
    page.touchscreen.tap(x, y)
    poll(page, lambda: "Nearest to train_images" in said(page), "neighbours of what was tapped")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_an_upload_is_shown_to_its_visitor_only(mapped, visitor, server, mnist):
    page = mapped("Your own")
    content = packed(pictures(mnist.test.images[:50], mnist.test.labels[:50]))
    file = {"name": "ours.zip", "mimeType": "application/zip", "buffer": content}
    page.locator(".st-key-own_files input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Check and use these digits").click()
    poll(page, lambda: "Your own data: ours.npz: " in said(page), "the upload is in use", SLOW)
    other = visitor()
    other.goto(server.url("dataset"))
    settle(other)
    assert "tiny.npz" in said(other) and "ours.npz" not in said(other)
    page.get_by_role("button", name="Back to MNIST").click()
    poll(page, lambda: "Data: tiny.npz" in said(page), "MNIST again")
