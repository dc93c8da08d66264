"""The Build page as a place to steer from: what is in view, what stays, what is redrawn."""

from dataclasses import replace

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from mnist_core.design.recipes import RECIPES
from mnist_core.design.spec import Layer, RunSpec
from tests.browser.visiting import LONG, parameters
from tests.serving import PHONE, poll, settle

LAPTOP = {"viewport": {"width": 1280, "height": 900}}
DEEP = RunSpec((Layer(32),) * 6, batch_size=256, epochs=1)
RUINED = RunSpec((Layer(64, "linear"),) * 3, "sgd", learning_rate=10.0, batch_size=8, epochs=1)
JUMP = 8  # pixels that nothing may jump
FIXED = ("h1", ".st-key-train", ".st-key-stop", ".run-line", "#curves", ".curves .readout",
         ".stMain [role=tablist]", ".st-key-recipes", ".st-key-layer_0")  # fmt: skip


def places(page):
    """Where what must not move is, in the page, not on the screen."""
    return page.evaluate("""names => Object.fromEntries(names.map(name => {
        const found = deep(document, name);
        return [name, found ? found.getBoundingClientRect().top : null];
        function deep(root, name) {
            const parts = name.split(' .readout');
            if (parts.length === 1) return root.querySelector(name);
            for (const host of root.querySelectorAll('.st-key-curves *'))
                if (host.shadowRoot?.querySelector('.readout'))
                    return host.shadowRoot.querySelector('.readout');
            return root.querySelector('.readout');
        }
    }))""", list(FIXED))  # fmt: skip


def jumps(before, after):
    assert None not in before.values() and None not in after.values()
    return {name: after[name] - y for name, y in before.items() if abs(after[name] - y) > JUMP}


def said(page, words, seconds=60.0):
    """Wait for the run's one line to say so."""
    line = page.locator(".run-line")
    try:
        poll(page, lambda: words in line.inner_text().replace("\xa0", " "), words, seconds)
    except AssertionError as error:
        raise AssertionError(f"{error}, but: {line.inner_text()}") from None
    settle(page)


def in_view(page, locator):
    box, size = locator.bounding_box(), page.viewport_size
    return box and box["y"] >= 0 and box["y"] + box["height"] <= size["height"] + 1


class Frames:
    """What the server sends to a page: how each of its script runs ended."""

    def __init__(self, page):
        self.runs = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._heard))

    def _heard(self, payload):
        if isinstance(payload, bytes):
            message = ForwardMsg.FromString(payload)
            if message.WhichOneof("type") == "script_finished":
                self.runs.append(message.script_finished)


def test_the_run_stays_in_view_beside_a_long_design(go):
    page = go("builder", query=DEEP.to_query(), **LAPTOP)
    page.locator(".st-key-augmentation").scroll_into_view_if_needed()
    page.mouse.move(300, 500)
    page.mouse.wheel(0, 3000)
    settle(page)
    assert page.locator("h1").bounding_box()["y"] < 0
    for part in (".st-key-train", ".st-key-stop", ".run-line", "#curves", ".st-key-curves"):
        assert in_view(page, page.locator(part)), part


@pytest.mark.parametrize(("spec", "end"), [(DEEP, "Finished"), (RUINED, "The loss became")],
                         ids=["ends", "is ruined"])  # fmt: skip
def test_nothing_jumps_when_a_run_starts_or_ends(go, spec, end):
    page = go("builder", query=spec.to_query(), **LAPTOP)
    page.mouse.move(300, 500)
    page.mouse.wheel(0, 120)
    settle(page)
    before, scrolled = places(page), page.evaluate("document.querySelector('.stMain').scrollTop")
    page.locator(".st-key-train button").click()
    said(page, "left" if spec is DEEP else end)
    assert not jumps(before, places(page))
    said(page, end)
    assert not jumps(before, places(page))
    assert page.locator(".st-key-verdict").is_visible()
    assert page.evaluate("document.querySelector('.stMain').scrollTop") == scrolled


def test_the_title_stands_still_from_its_first_sight(go, visitor, server):
    page = visitor(**LAPTOP)
    page.goto(server.url("builder"), wait_until="commit")
    page.wait_for_selector("h1")
    first = page.locator("h1").bounding_box()["y"]
    settle(page)
    page.wait_for_timeout(1500)
    assert abs(page.locator("h1").bounding_box()["y"] - first) <= JUMP


def test_a_control_of_the_design_redraws_neither_curves_nor_page(visitor, server):
    page = visitor(**LAPTOP)
    frames = Frames(page)
    page.goto(server.url("builder"))
    settle(page)
    page.evaluate("""document.querySelector('.run-line').dataset.kept = 'yes'""")
    frames.runs.clear()
    slider = page.get_by_role("slider", name="Epochs")
    slider.focus()
    page.keyboard.press("ArrowRight")
    poll(page, lambda: parameters(page).get("epochs") == "11", "the design in the link")
    settle(page)
    assert frames.runs == [ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY]
    assert page.locator(".run-line").get_attribute("data-kept") == "yes"
    page.get_by_role("tab", name="Keras code").click()
    poll(page, lambda: "epochs=11" in page.locator("[data-testid=stCode]").inner_text(), "the code")


def test_a_guess_is_kept_without_a_run_of_the_page(visitor, server):
    page = visitor(**LAPTOP)
    frames = Frames(page)
    page.goto(server.url("builder"))
    settle(page)
    frames.runs.clear()
    page.locator(".st-key-guess button").first.click()
    slider = page.get_by_role("slider", name="How many of the test images")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert frames.runs == []  # moving it is the browser's own affair
    page.locator(".st-key-keep_guess button").click()
    poll(page, lambda: "97.3" in page.locator(".st-key-guess").inner_text(), "the guess")
    assert frames.runs == [ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY]


def test_on_a_phone_the_bar_is_at_hand_and_the_curves_one_tap_away(go):
    page = go("builder", query=DEEP.to_query(), **PHONE)
    for part in (".st-key-train", ".st-key-pause", ".st-key-step", ".st-key-stop", ".run-line"):
        assert in_view(page, page.locator(part)), part
    assert not in_view(page, page.locator(".st-key-curves"))
    page.locator(".to-curves").tap()
    page.wait_for_timeout(600)
    assert in_view(page, page.locator("#curves + *, .figures").first)
    page.locator(".st-key-train button").tap()
    said(page, "Finished")
    assert in_view(page, page.locator(".run-line"))


def test_a_crosshair_outlives_live_updates(go):
    page = go("builder", query=LONG.to_query(), **LAPTOP)
    page.locator(".st-key-train button").click()
    said(page, " left")
    box = page.locator(".st-key-curves").bounding_box()
    page.mouse.move(box["x"] + 180, box["y"] + 120)
    readout = page.locator(".st-key-curves .readout")
    poll(page, lambda: "training loss" in readout.inner_text(), "the crosshair's words")
    before = page.locator(".run-line").inner_text()
    poll(page, lambda: page.locator(".run-line").inner_text() != before, "an update")
    page.wait_for_timeout(1200)
    assert "training loss" in readout.inner_text()
    assert page.locator(".st-key-curves .cross").count() == 2
    page.mouse.move(20, 20)
    poll(page, lambda: "smoothed" in readout.inner_text(), "the legend")
    page.locator(".st-key-stop button").click()
    said(page, "Stopped")


def test_buttons_say_how_the_run_is_after_a_reload(go):
    page = go("builder", query=LONG.to_query(), **LAPTOP)
    page.locator(".st-key-train button").click()
    said(page, " left")
    page.locator(".st-key-steer button").first.click()
    page.get_by_text("Slow motion").click()
    said(page, "slow motion")
    page.keyboard.press("Escape")
    page.locator(".st-key-pause button").click()
    said(page, "Paused")
    page.reload()
    settle(page)
    said(page, "Paused")
    assert page.locator(".st-key-resume button").is_enabled()
    page.locator(".st-key-steer button").first.click()
    assert page.get_by_role("switch", name="Slow motion").is_checked()
    page.keyboard.press("Escape")
    page.locator(".st-key-stop button").click()
    said(page, "Stopped")


def test_back_and_forward_step_through_designs_and_pages(go):
    page = go("home", **LAPTOP)
    page.get_by_test_id("stTopNavLink").filter(has_text="Build").click()
    settle(page)
    slider = page.get_by_role("slider", name="Epochs")
    for epochs in ("11", "12"):
        slider.focus()
        page.keyboard.press("ArrowRight")
        poll(page, lambda epochs=epochs: parameters(page).get("epochs") == epochs, epochs)
        page.wait_for_timeout(1200)  # as people do, who look at it before they go back
    for epochs in ("11", "10"):
        page.go_back()
        poll(page, lambda epochs=epochs: slider.get_attribute("aria-valuenow") == epochs
             or epochs in page.locator(".st-key-design-epochs").inner_text(), epochs)  # fmt: skip
        settle(page)
    page.go_forward()
    poll(page, lambda: parameters(page).get("epochs") == "11", "forward again")
    title = page.locator("h1")
    for _ in range(4):  # the page itself, and the entry that it was given its design in
        page.go_back()
        for _ in range(25):  # another page takes a moment to come
            if title.inner_text() != "Build and train":
                return
            page.wait_for_timeout(200)
    pytest.fail("Back does not leave the page.")


def test_a_training_is_seen_from_inside_and_a_batch_alone_with_its_images(go):
    design = replace(LONG, batch_size=32)
    page = go("builder", query=design.to_query(), **LAPTOP)
    page.get_by_role("tab", name="Inside").click()
    page.locator(".st-key-train button").click()
    seen = page.locator(".inside")
    seen.wait_for(timeout=60_000)
    assert seen.locator(".dozen figure").count() == 12
    assert seen.locator(".kernels img").count() == 16
    assert seen.locator("tr").count() == 1 + len(design.layers) + 1
    page.locator(".st-key-pause button").click()
    said(page, "Paused")
    page.locator(".st-key-step button").first.click()
    batch = seen.get_by_text("The last batch")
    batch.wait_for(timeout=30_000)
    assert seen.locator(".sheet").get_attribute("alt").count(",") == 31
    page.locator(".st-key-stop button").first.click()
    said(page, "Stopped")
    poll(page, lambda: not batch.count(), "the look at the end")
    assert seen.locator(".dozen figure").count() == 12


def test_what_a_recipe_sets_outlives_the_next_move(go):
    """The browser must not bring back what stood in the controls before a button set them."""
    page = go("builder", query=RunSpec((Layer(32),), epochs=7, seed=3).to_query(), **LAPTOP)
    page.get_by_text("Begin with a recipe").click()
    recipe = RECIPES["rmsprop-512"].spec
    page.locator(".st-key-recipe").get_by_text(RECIPES["rmsprop-512"].title).click()
    poll(page, lambda: parameters(page).get("opt") == recipe.optimizer, "the recipe is loaded")
    settle(page)
    page.get_by_role("slider", name="Epochs").press("ArrowRight")
    poll(page, lambda: design(page).epochs == recipe.epochs + 1, "the slider has moved on from it")
    assert design(page) == replace(recipe, epochs=recipe.epochs + 1)
    page.get_by_role("button", name="Back to my own design").click()
    poll(page, lambda: design(page).epochs == 7, "the own design is back")
    page.get_by_role("slider", name="Epochs").press("ArrowRight")
    poll(page, lambda: design(page).epochs == 8, "and moves on from where it was")
    assert design(page) == RunSpec((Layer(32),), epochs=8, seed=3)


def design(page):
    return RunSpec.from_query({k: v for k, v in parameters(page).items() if k != "run"})
