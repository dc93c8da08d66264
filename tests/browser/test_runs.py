"""The Runs page in a browser: ticks in the list, a deletion undone, a race to its verdict."""


import pytest

from tests.serving import PHONE, poll, settle

LIST = "[data-testid=stDataFrame] canvas"
QUICK = {"net": "16-relu", "batch": "256", "epochs": "1"}


def tick(page, row):
    """The box of a row: the table is one picture, so by its place."""
    settle(page)
    box = page.locator(LIST).first.bounding_box()
    press = page.touchscreen.tap if page.viewport_size["width"] < 400 else page.mouse.click
    press(box["x"] + 16, box["y"] + 52 + 35 * row)
    page.get_by_role("button", name="Save").wait_for()


def race(page):
    page.get_by_role("button", name="Start the race").click()
    page.get_by_text("Exact McNemar test").wait_for(timeout=120_000)
    settle(page)


@pytest.mark.slow
@pytest.mark.parametrize("how", [{}, PHONE], ids=["mouse", "finger"])
def test_a_race_is_run_named_deleted_and_had_back(go, how):
    page = go("builder", query={"v": "1"} | QUICK, **how)
    page = go("runs", page, {"tab": "Race"})
    page.get_by_label("Epochs").fill("1")
    page.get_by_label("Epochs").press("Enter")
    settle(page)
    race(page)
    assert page.get_by_text("would often be chance").or_(
        page.get_by_text("is better than")).or_(page.get_by_text("equally many")).count()
    page = go("runs", page, {"tab": "All runs"})
    tick(page, 0)
    page.get_by_label("Name").fill("the winner")
    page.get_by_role("button", name="Save").click()
    settle(page)
    tick(page, 0)
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("1 run deleted.").wait_for()
    page.get_by_role("button", name="Undo").click()
    poll(page, lambda: page.get_by_text("deleted.").count() == 0, "the run is back")
    settle(page)
    tick(page, 0)
    assert page.get_by_label("Name").input_value() == "the winner"
    width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert width <= page.viewport_size["width"]
