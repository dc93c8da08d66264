"""The draw page in a browser: a photo is uploaded, a finger teaches, an answer is explained."""

import io
import re

import pytest
from PIL import Image

from tests.browser.visiting import Finger, answered, draw, places, surest
from tests.imaging.test_photos import page as paper
from tests.imaging.test_photos import photo, sure
from tests.serving import PHONE, poll, settle


def test_a_photo_is_uploaded_read_and_explained(go, mnist):
    images, labels = sure(mnist, 5)
    picture = io.BytesIO()
    Image.fromarray(photo(paper(images), shadow=0.3, grid=45)).save(picture, "PNG")
    page = go("draw")
    page.get_by_role("tab", name="Photo").click()
    settle(page)
    file = {"name": "digits.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    page.locator("input[type=file]").set_input_files(file)
    page.locator("#reading").wait_for()
    assert page.locator("#reading").inner_text().split() == [str(n) for n in labels]
    answered(page, labels[0])
    page.locator(".st-key-found [role=option]").nth(3).click()
    answered(page, labels[3])
    page.get_by_text("Why did it misread me?").click()
    page.locator("#percentiles").wait_for()
    page.get_by_text(f"Between {labels[3]} and").wait_for()
    page.get_by_role("tab", name="Canvas").click()
    page.get_by_text("Draw something").wait_for()


@pytest.mark.slow
def test_a_finger_teaches(go, mnist):
    """On a phone: draw, say what it was, draw the next; then a copy learns and answers."""
    page = go("draw", **PHONE)
    page.get_by_text("Teach it your hand").tap()
    page.locator(".st-key-labels").wait_for()
    settle(page)
    finger = Finger(page)
    for count, label in enumerate((3, 7, 3, 7), 1):
        finger.trace(places(page, surest(mnist, label)))
        page.locator("#answer").wait_for()
        settle(page)
        page.locator(f".st-key-was_{label} button").tap()
        poll(page, lambda n=count: page.locator(".st-key-lessons [role=option]").count() == n,
             f"lesson {count}")  # fmt: skip
        poll(page, lambda: page.locator("#answer").count() == 0, "an empty canvas")
        settle(page)
    page.get_by_role("button", name=re.compile("Teach a copy")).tap()
    learned = page.get_by_text("Learned from 3 drawings of yours")
    learned.wait_for(timeout=120_000)  # five seconds of one core, which others may want too
    settle(page)
    model = page.get_by_role("combobox", name="Who answers").input_value()
    assert model.startswith("Taught your hand")
    finger.trace(places(page, surest(mnist, 3)))
    page.locator("#answer").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
def test_the_explanation_follows_the_drawing(go, mnist):
    page = go("draw")
    draw(page, surest(mnist, 3))
    answered(page, 3)
    page.get_by_text("Why did it misread me?").click()
    page.get_by_text("training images of a 3:").wait_for()
    page.locator(".st-key-clear button").click()
    page.get_by_text("Draw something").wait_for()
    settle(page)
    draw(page, surest(mnist, 7))
    answered(page, 7)
    page.get_by_text("training images of a 7:").wait_for()
    assert page.locator("#percentiles em").count() == 3
