"""The camera of the draw page in a browser, which is shown a film of a page with digits on it."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.browser.visiting import answered
from tests.imaging.test_photos import page as paper
from tests.imaging.test_photos import photo, sure
from tests.serving import chromium, settle

pytestmark = pytest.mark.slow
SHAPE = 480, 640  # the camera's pixels


@pytest.fixture(scope="module")
def written(mnist):
    """A photographed page, gray uint8 (480, 640), and the labels of its digits."""
    images, labels = sure(mnist, 3)
    ink = paper(images, across=3, shape=SHAPE, size=140)
    return photo(ink, shadow=0.3, grid=45), [int(label) for label in labels]


@pytest.fixture(scope="module")
def browser(written, tmp_path_factory):
    """Chromium with a camera that sees the page, and a visitor who allows it."""
    frame, film = io.BytesIO(), tmp_path_factory.mktemp("camera") / "film.mjpeg"
    Image.fromarray(np.dstack([written[0]] * 3)).save(frame, "JPEG", quality=92)
    film.write_bytes(10 * frame.getvalue())
    with chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                  f"--use-file-for-fake-video-capture={film}") as browser:  # fmt: skip
        yield browser


@pytest.mark.parametrize("how", [{}, {"viewport": {"width": 390, "height": 844}}],
                         ids=["desk", "phone"])  # fmt: skip
def test_a_page_before_the_camera_is_photographed_and_read(go, written, how):
    page = go("draw", permissions=["camera"], **how)
    page.get_by_role("tab", name="Photo").click()
    settle(page)
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name="Camera").click()
    settle(page)
    page.wait_for_function(
        "[...document.querySelectorAll('video')].some(v => v.readyState >= 2 && v.videoWidth)"
    )
    page.get_by_role("button", name="Take Photo").click()
    page.locator("#reading").wait_for()
    assert page.locator("#reading").inner_text().split() == [str(n) for n in written[1]]
    answered(page, written[1][0])
    page.get_by_role("button", name="Clear photo").click()
    page.locator("#reading").wait_for(state="detached")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
