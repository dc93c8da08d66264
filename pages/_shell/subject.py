"""What the sections of the Evaluate page share: the model they are about, and one image with the
ways on from it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st

from mnist_core.analysis import evaluation
from mnist_core.basis.numbers import probability
from mnist_core.data.dataset import Split
from mnist_core.runs import Run, models
from pages._components import digit_grid
from pages._shell import answering, links, markup, navigation, session, shared, waiting
from pages._shell.state import bench

PER_PAGE = 50
SAMPLE = 2000  # test images that answer while a slider moves


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, by its `choice` in the list of models, and its probabilities (n, 10) for `test`."""

    choice: str
    name: str
    model: models.Model
    test: Split
    probabilities: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @cached_property
    def right(self) -> np.ndarray:
        return self.predicted == self.test.labels

    @cached_property
    def sample(self) -> np.ndarray:
        """At most SAMPLE of the test images, always the same ones: their indices in order."""
        order = np.random.default_rng(0).permutation(len(self.test.labels))
        return np.sort(order[:SAMPLE])

    @cached_property
    def counts(self) -> np.ndarray:
        return evaluation.confusion(self.test.labels, self.predicted)


@dataclass(frozen=True, eq=False)
class Picture:
    """An image uint8 (28, 28) that a model is asked about, with its answer, probabilities (10,).

    `place` is its split and index, None for the visitor's own; `label` None if nobody has said
    what it is; `name` says where it comes from, in Markdown.
    """

    image: np.ndarray
    answer: np.ndarray
    name: str
    label: int | None = None
    place: tuple[str, int] | None = None

    @property
    def said(self) -> int:
        return int(self.answer.argmax())

    @property
    def key(self) -> str:
        """A name for widgets that begin anew with another picture."""
        return f"{self.place}" if self.place else f"own_{zlib.crc32(self.image.tobytes())}"


def subject(choice: str, name: str) -> Subject | None:
    """The model with its answers; None while they are computed, which the page then shows."""
    answers = answering.answers(choice, "test")
    if not waiting.ready(answers, "Reading the test images"):
        return None
    return Subject(choice, name, answering.model(choice), shared.data().test, answers.result())


# ------------------------------------------------------------------ the choosers


def choose_model() -> tuple[str, str]:
    """The model that the page is about, by the URL's `run`, else the session's: choice, name."""
    mine, asked = bench(), st.query_params.get("run")
    record = shared.runs().get(asked) if asked else None
    mine.run = record.id if record else mine.run
    options = answering.answering_models()
    if asked and asked not in options:
        _cannot(record)
    mine.model = next(m for m in (asked, mine.model, "default") if m in options)
    if mine.model != "default" and not asked:
        st.query_params["run"] = mine.model
    session.set_widget("examined_model", mine.model)
    choice = st.selectbox("Model", list(options), format_func=options.__getitem__, filter_mode=None,
                          key="examined_model", on_change=_take_model)  # fmt: skip
    if len(options) == 1:
        st.caption("Networks that you train on the Build & train page can be chosen here too.")
    return choice, options[choice]


def _take_model() -> None:
    choice = bench().model = session.widget("examined_model")
    if choice == "default":
        st.query_params.pop("run", None)
    else:
        st.query_params["run"] = choice


def _cannot(record: Run | None) -> None:
    """Why the run of the link is not among the models."""
    if record is None:
        st.warning("The run of this link is not there: it may have been deleted. Choose a model in "
                   "the list.", icon=":material/search_off:")  # fmt: skip
    elif record.active:
        st.info("The run of this link is not over yet: come back when it has ended, or choose "
                "another model in the list.", icon=":material/hourglass_empty:")  # fmt: skip
        navigation.link("builder", "Watch it train", {"run": record.id})
    else:
        st.info("The run of this link ended before it had a checkpoint, so there is nothing to "
                "evaluate: train its design again, or choose another model in the list.",
                icon=":material/info:")  # fmt: skip
        navigation.link("builder", "To its design", {"run": record.id})


# ------------------------------------------------------------------- the images


def gallery(who: Subject, found: np.ndarray, key: str) -> None:
    """Test images in this order, a page at a time, beside the one that was clicked."""
    grid, detail = st.columns([3, 2], gap="large")
    with grid:
        pages = -(-len(found) // PER_PAGE)
        number = 1
        if pages > 1:
            session.set_widget(f"{key}_page", min(session.widget(f"{key}_page") or 1, pages))
            number = st.number_input(f"Page of {pages:,} ({len(found):,} images)", 1, pages,
                                     key=f"{key}_page")  # fmt: skip
        shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
        picked = links.examined(len(who.test.labels))
        if picked is None or picked not in found:
            picked = int(shown[0])
            links.examine(picked)
        clicked = _grid(who, shown, picked, key)
        if clicked is not None and clicked != picked:
            links.examine(clicked)
            st.rerun(scope="fragment")
    with detail:
        one_image(of_test(who, picked))


def _grid(who: Subject, shown: np.ndarray, picked: int, key: str) -> int | None:
    pairs = list(zip(who.test.labels[shown], who.predicted[shown], strict=True))
    corners = [f"{true}" if true == said else f"{true}→{said}" for true, said in pairs]
    titles = [f"label {true}, read as {said}" for true, said in pairs]
    return digit_grid.show(who.test.images[shown], corners, shown, picked, f"grid_{key}",
                               titles=titles)  # fmt: skip


def of_test(who: Subject, index: int) -> Picture:
    """A test image, with the answer that is known already."""
    return Picture(who.test.images[index], who.probabilities[index], f"`test_images[{index}]`",
                   int(who.test.labels[index]), ("test", index))  # fmt: skip


def one_image(picture: Picture) -> None:
    """An image, large, with what the model says and where one may go with it."""
    label, said = picture.label, picture.said
    verdict = "read right" if said == label else f"read as {said}"
    whose = "Your drawing" if label is None else f"Label {label}"
    st.subheader(f"{whose}, {verdict}", anchor=False)
    large, bars = st.columns([2, 3], vertical_alignment="center")
    alt = "your drawing" if label is None else f"a handwritten {label}"
    large.html(markup.digit(picture.image, "min(100%, 14rem)", alt))
    bars.html(markup.probabilities(picture.answer))
    st.caption(f"{picture.name} · {probability(picture.answer[said])} sure")
    ways_on(picture)


SECTIONS = {"Inside": ":material/layers:", "Damage": ":material/healing:"}  # about one image


def ways_on(picture: Picture) -> None:
    """To other places with this image."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for section in [s for s in SECTIONS if s != st.query_params.get("part")]:
            if st.button(section, icon=SECTIONS[section], key=f"to_{section}",
                         on_click=_to_section, args=(section, picture)):  # fmt: skip
                st.rerun()  # the whole page: this may be a fragment of another section
        if picture.place is None:
            navigation.link("draw", "Draw another")
            return
        if st.button("Draw over it", icon=navigation.PAGES["draw"][1], key="to_draw",
                     help="Take this image to the Draw page as a template"):  # fmt: skip
            bench().template = picture.image.copy()
            navigation.go("draw")
        split, index = picture.place
        if "backprop" in navigation.PAGES and split == "test":
            navigation.link("backprop", "Under the microscope", {"image": str(index)})
        navigation.link("dataset", "In the dataset", {"split": split, "image": str(index)})


def _to_section(section: str, picture: Picture) -> None:
    if picture.place and picture.place[0] == "test" and st.query_params.get("part") not in SECTIONS:
        links.examine(picture.place[1])
        links.keep_choice("of", TEST)
    links.keep_choice("part", section)


# ------------------------------------------------------------- any image to look at

TEST, OWN, BASKET = "Test set", "Your drawing", "Basket"


def choose_image(who: Subject) -> Picture | None:
    """What Inside and Damage are about: a test image, what was last drawn or photographed, or an
    image of the basket. None if there is none yet; the page then says what to do."""
    return _CHOOSERS[links.choose("of", list(_CHOOSERS), "Which image")](who)


def _test_image(who: Subject) -> Picture:
    n = len(who.test.labels)
    index = links.examined(n) or 0
    session.set_widget("image_index", index)
    field, any_one, mistake = st.columns([2, 1, 1], vertical_alignment="bottom")
    field.number_input(f"Test image (0 to {n - 1:,})", 0, n - 1, key="image_index",
                       on_change=lambda: links.examine(session.widget("image_index")))  # fmt: skip
    any_one.button("Any image", icon=":material/casino:", key="any_image", width="stretch",
                   on_click=_any_of, args=(np.arange(n),))  # fmt: skip
    wrong = np.flatnonzero(~who.right)
    mistake.button("A mistake", icon=":material/error_outline:", key="any_mistake", width="stretch",
                   on_click=_any_of, args=(wrong,), disabled=not len(wrong))  # fmt: skip
    return of_test(who, index)


def _any_of(indices: np.ndarray) -> None:
    links.examine(int(np.random.default_rng().choice(indices)))


def own_digit() -> np.ndarray | None:
    """What the Draw page answered last; if there is nothing, the way to it."""
    image = bench().read
    if image is None:
        st.info("You have not drawn anything yet. Draw or photograph a digit on the Draw page, and "
                "look at it here.", icon=":material/draw:")  # fmt: skip
        navigation.link("draw", "Draw a digit")
    return image


def one_of(places: list[tuple[str, int]], at: int, key: str) -> int | None:
    """Which of these images of the dataset is looked at, a click changes it; None, with the way to
    the dataset, if there are none."""
    if not places:
        st.info("Nothing is collected yet. The basket is empty: put images into it on the Dataset "
                "page, and look at them here.", icon=":material/shopping_basket:")  # fmt: skip
        navigation.link("dataset", "To the digits")
        return None
    at = min(at, len(places) - 1)
    if len(places) == 1:
        return at
    images, labels = zip(*map(shared.image, places), strict=True)
    clicked = digit_grid.show(np.stack(images), labels, range(len(places)), at, key)
    return at if clicked is None else clicked


def _own_digit(who: Subject) -> Picture | None:
    image = own_digit()
    return None if image is None else Picture(image, who.model.network.predict(image[None])[0],
                   "What the Draw page answered last")  # fmt: skip


def _of_basket(who: Subject) -> Picture | None:
    mine = bench()
    at = one_of(mine.basket, mine.basket_at, "from_basket")
    if at is None:
        return None
    if at != mine.basket_at:
        mine.basket_at = at
        session.redraw()
    place = mine.basket[at]
    image, label = shared.image(place)
    return Picture(image, who.model.network.predict(image[None])[0],
                   f"`{place[0]}_images[{place[1]}]`", label, place)  # fmt: skip


_CHOOSERS = {TEST: _test_image, OWN: _own_digit, BASKET: _of_basket}
