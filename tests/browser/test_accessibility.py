"""Nobody is kept out: axe-core on every page, in both themes."""


import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.serving import PHONE, settle

AXE = Axe()
# rule: parts of Streamlit's own that we cannot change
EXCUSED = {
    # The frame of `st.code` scrolls sideways. Chromium and Firefox give such a frame the focus by
    # themselves; axe asks for a tabindex, which only Streamlit could write.
    "scrollable-region-focusable": ".stCode > pre",
}
MAIN = {
    "home": {}, "dataset": {}, "builder": {}, "draw": {}, "evaluate": {"part": "Confusion"},
    "backprop": {}, "runs": {},
}  # fmt: skip
SECTIONS = [
    *(("dataset", {"section": s}) for s in ("Tensors", "Pixels", "Map", "Doubtful labels",
                                            "Your own")),
    *(("evaluate", {"part": p}) for p in ("Scores", "Mistakes", "Calibration", "Inside", "Damage",
                                          "Time machine")),
    *(("backprop", {"topic": t}) for t in ("Gradients checked", "Concepts", "Regression")),
    *(("runs", {"tab": t}) for t in ("Compare", "Race", "Sweep", "Import")),
    *(("backprop", {"topic": "Concepts", "concept": c})
      for c in ("Softmax", "Cross-entropy", "Batches", "Optimizers", "Dropout", "Overfitting")),
]  # fmt: skip
# Nothing is on its way from one look to another; a spinner, which never ends, may turn.
RESTING = """() => document.getAnimations().every(
    animation => animation.effect.getComputedTiming().endTime === Infinity)"""
FULL = [*MAIN.items(), *SECTIONS]


def barriers(page):
    """What axe calls serious or critical: the rule and where, each part once. Only what stays
    counts: Streamlit fades what it replaces, and a faded line has too little contrast."""
    for _ in range(4):
        page.wait_for_function(RESTING)
        if not (found := _seen(page)):
            break
        page.wait_for_timeout(1000)
    return found


def _seen(page):
    found = set()
    for violation in AXE.run(page).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            for node in violation["nodes"]:
                if not excused(page, violation["id"], node["target"]):
                    found.add((violation["id"], str(node["target"][-1]), node["html"][:90]))
    return found


def excused(page, rule, target):
    """Whether a node is of the parts that only Streamlit could change."""
    if rule not in EXCUSED or not isinstance(target[-1], str):
        return False
    part = page.locator(target[-1]).first
    return part.evaluate("(node, which) => node.matches(which)", EXCUSED[rule])


def ready(page):
    """Wait for the answers that the Evaluate page is about."""
    page.get_by_text("Reading the test images").wait_for(state="detached")
    settle(page)


def test_axe_finds_what_is_wrong(visitor):
    """The proof that a clean page means something."""
    page = visitor()
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><button></button>'
                     '<p style="color:#aaa;background:#fff">faint</p></main></html>')  # fmt: skip
    assert {rule for rule, *_ in barriers(page)} == {"button-name", "color-contrast"}


def test_the_main_pages_have_no_barriers(go):
    page = None
    for stem, query in MAIN.items():
        page = go(stem, page, query)
        ready(page)
        assert not barriers(page), stem


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("stem", "query"), FULL, ids=lambda x: "-".join(x.values())
                         if isinstance(x, dict) else x)  # fmt: skip
def test_no_section_has_barriers(go, stem, query, theme):
    page = go(stem, None, query, color_scheme=theme)
    page.wait_for_timeout(1000)
    ready(page)
    assert not barriers(page)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_opens_has_no_barriers(go, theme):
    """The builder's expanders, and the answer to a test image with why and teaching."""
    page = go("builder", color_scheme=theme)
    for words in ("Begin with a recipe", "Finer points", "Augmentation", "A link for a class"):
        page.locator("summary").filter(has_text=words).click()
        settle(page)
    page.wait_for_timeout(500)
    assert not barriers(page)
    page = go("draw", page)
    page.get_by_role("button", name="Take a test image").click()
    page.locator("#answer").wait_for()
    for summary in page.locator("summary").all():
        summary.click()
        settle(page)
    page.wait_for_timeout(500)
    assert not barriers(page)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_main_pages_have_no_barriers_on_a_phone(go, theme):
    page = go("home", color_scheme=theme, **PHONE)
    for stem, query in MAIN.items():
        go(stem, page, query)
        page.wait_for_timeout(500)
        ready(page)
        assert not barriers(page), stem
