"""Draw a digit; see what the model sees, and what it says."""

import secrets

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import st_canvas

from mnist_core.imaging import drawing
from pages._components import digit_grid
from pages._draw import photo, state, teach_it, why_misread
from pages._shell import answering, markup, navigation, session, shared
from pages._shell.state import bench

SIDE = 336
COLORS = {"White on black": ("#FFFFFF", "#000000"), "Black on white": ("#000000", "#FFFFFF")}

navigation.page()
mine = state.mine()


def canvas(ink: str, background: str, width: int) -> None:
    """The canvas. What is drawn is kept in the session, so that it survives a visit elsewhere."""
    key = f"canvas_{mine.canvas}"
    if session.widget(key) is None:  # new on the page: it starts from the kept drawing
        mine.canvas_start = recoloured(mine.drawing, ink)
    result = st_canvas(
        stroke_width=width, stroke_color=ink, background_color=background, height=SIDE, width=SIDE,
        drawing_mode="freedraw", initial_drawing=mine.canvas_start, return_image_data=True, key=key,
    )  # fmt: skip
    if result.image_data is not None:
        drawn = result.json_data or {"objects": []}
        if len(drawn["objects"]) > len(strokes()):
            bench().sent = []  # a new stroke asks about the drawing
        mine.drawing = drawn
        gray = result.image_data[..., 0]
        mine.pictures[len(strokes())] = gray if ink == "#FFFFFF" else 255 - gray


def recoloured(kept: dict | None, ink: str) -> dict | None:
    """The kept strokes in the present ink: the background may have changed since."""
    if not kept:
        return None
    return kept | {"objects": [stroke | {"stroke": ink} for stroke in kept.get("objects", [])]}


def new_canvas() -> None:
    """Mount a fresh canvas, which takes up the kept drawing in the present colours."""
    mine.canvas += 1


def strokes() -> list[dict]:
    """The strokes of the kept drawing, the first one first."""
    return (mine.drawing or {}).get("objects", [])


def undo() -> None:
    """Take the last stroke back."""
    mine.drawing = (mine.drawing or {}) | {"objects": strokes()[:-1]}
    new_canvas()


def clear() -> None:
    """An empty canvas; a canvas under a new key forgets everything."""
    mine.drawing, mine.pictures, bench().sent = None, {}, []
    new_canvas()


def seen() -> np.ndarray | None:
    """What the model gets: uint8 (28, 28), or None while nothing is drawn."""
    # The canvas sends no picture of strokes it was given, so each number of strokes has its own.
    picture = mine.pictures.get(len(strokes()))
    if picture is None:
        return None
    try:
        return np.round(255 * drawing.to_mnist(picture, "light")).astype(np.uint8)
    except drawing.EmptyDrawing:
        return None


def sent() -> np.ndarray:
    """The image that the dataset page sent, one of several if there are more."""
    images, labels = zip(*map(shared.image, bench().sent), strict=True)
    places = range(len(images))
    bench().sent_at = min(bench().sent_at, len(images) - 1)
    if len(images) > 1:
        clicked = digit_grid.show(np.stack(images), labels, places, bench().sent_at, "sent")
        if clicked is not None and clicked != bench().sent_at:
            bench().sent_at = clicked
            st.rerun()
    split, index = bench().sent[bench().sent_at]
    with st.container(horizontal=True, vertical_alignment="center"):
        label = labels[bench().sent_at]
        st.caption(f"`{split}_images[{index}]`, labelled {label}, from the dataset. "
                   "Draw, and the drawing is answered instead.")  # fmt: skip
        st.button("Let go", icon=":material/close:", type="tertiary", key="let_go_sent",
                  on_click=bench().sent.clear)  # fmt: skip
        if len(bench().sent) == 1:
            st.button("Another", icon=":material/casino:", type="tertiary", key="another_image",
                      on_click=take_test_image)  # fmt: skip
    return images[bench().sent_at]


def answer(image: np.ndarray, choice: str) -> None:
    """The label, the ten probabilities, and the image that they are about."""
    p = answering.model(choice).network.predict(image[None])[0]
    best, second = np.argsort(-p)[:2]
    label, picture = st.columns([3, 2], vertical_alignment="center")
    sure = "almost certainly" if p[best] > 0.99 else "probably" if p[best] > 0.7 else "perhaps"
    label.html(
        f'<div class="quiet" style="line-height:1.1" aria-live="polite"><span>This is {sure} '
        f'a{"n" if best == 8 else ""}</span>'
        f'<div id="answer" style="font:500 6rem/1.1 Georgia,serif">{best}</div>'
        f"<small>{markup.percent(p[best])}; next comes {second} with "
        f"{markup.percent(p[second])}</small></div>"
    )
    picture.html(markup.digit(image, "min(100%, 11rem)", "what the model sees"))
    picture.caption("What the model sees: 28 × 28, centred by mass like MNIST")
    st.html(markup.probabilities(p))


def take_test_image() -> None:
    """Another test image is answered instead: for those who cannot or would not draw."""
    bench().sent, bench().sent_at = [("test", secrets.randbelow(len(shared.data().test.labels)))], 0


def pad() -> None:
    """The canvas and its tools."""
    board = st.container()
    with st.container(horizontal=True):
        st.button("Undo", icon=":material/undo:", key="undo", on_click=undo, disabled=not strokes())
        st.button("Clear", icon=":material/delete:", key="clear", on_click=clear)
        with st.popover("Pen", icon=":material/ink_pen:"):
            colours = st.segmented_control(
                "Ink", list(COLORS), default="White on black", required=True, key="pen_ink",
                on_change=new_canvas, persist_state="session",
            )  # fmt: skip
            width = st.slider(
                "Pen width", 8, 40, 24, key="pen", persist_state="session",
                help="MNIST's writers had felt-tips: about 24 on this canvas.",
            )  # fmt: skip
    with board:
        canvas(*COLORS[colours], width)


def template(image: np.ndarray) -> None:
    """The image that another page sent, in the canvas's place."""
    st.html(markup.digit(image, f"min(100%, {SIDE}px)", "the image under question"))
    st.button("Back to the canvas", icon=":material/undo:", key="let_go_template", on_click=let_go)


def let_go() -> None:
    """The drawing is answered again."""
    bench().template = None


def asked(from_photo: bool) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """What is answered, uint8 (28, 28), with the picture it came from and its ink; None, None
    while there is nothing."""
    if bench().template is not None:
        return bench().template, bench().template, "light"
    if bench().sent:
        image = sent()
        return image, image, "light"
    if from_photo:
        image = photo.image()
        return image, None if image is None else photo.cut(), photo.ink()
    dark = session.widget("pen_ink") == "Black on white"
    picture = mine.pictures.get(len(strokes()))
    raw = 255 - picture if dark and picture is not None else picture
    return seen(), raw, "dark" if dark else "light"


st.title("Draw a digit")
left, right = st.columns([2, 3], gap="large")
with left:
    if (given := bench().template) is not None:
        template(given)
        photographed = False
    else:
        by_hand, by_photo = st.tabs(["Canvas", "Photo"], key="source", on_change="rerun")
        photographed = bool(by_photo.open)
        with by_hand:
            pad()
        with by_photo:
            if photographed:
                photo.choose()
with right:
    models = answering.answering_models()
    if bench().model not in models:
        bench().model = "default"
    bench().model = st.selectbox("Who answers", list(models), list(models).index(bench().model),
                              format_func=models.__getitem__, filter_mode=None)  # fmt: skip
    image, picture, ink = asked(photographed)
    if photographed and mine.found and not bench().sent:
        photo.read_out(bench().model)
    if image is not None:
        answer(image, bench().model)
    elif photographed:
        st.info("Choose a photo of digits on paper, or take one. They are found, boxed and read "
                "from left to right.", icon=":material/photo_camera:")  # fmt: skip
    else:
        st.info("Draw something: one digit, as large as you like, with the mouse or a finger. "
                "The answer comes when you lift the pen.", icon=":material/draw:")  # fmt: skip
        st.button("Take a test image instead", icon=":material/casino:", type="tertiary",
                  key="test_image", on_click=take_test_image)  # fmt: skip
if image is not None:
    bench().read = image
    why_misread.show(image, image if picture is None else picture, ink, bench().model)
from_canvas = not (photographed or bench().sent or bench().template is not None)
teach_it.show(image, bench().model, clear if from_canvas else None)
