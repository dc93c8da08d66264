"""Draw a digit; see what the model sees, and what it says."""

import streamlit as st

from pages._draw import answer, asking, board, photo, state, teach_it, why_misread
from pages._shell import answering, navigation
from pages._shell.state import bench

navigation.page()
st.title("Draw a digit")
left, right = st.columns([2, 3], gap="large")
with left:
    if (given := bench().template) is not None:
        asking.template(given)
        photographed = False
    else:
        by_hand, by_photo = st.tabs(["Canvas", "Photo"], key="source", on_change="rerun")
        photographed = bool(by_photo.open)
        with by_hand:
            board.pad()
        with by_photo:
            if photographed:
                photo.choose()
with right:
    models = answering.answering_models()
    if bench().model not in models:
        bench().model = "default"
    bench().model = st.selectbox("Who answers", list(models), list(models).index(bench().model),
                              format_func=models.__getitem__, filter_mode=None)  # fmt: skip
    image, picture, ink = asking.asked(photographed)
    if photographed and state.mine().found and not bench().sent:
        photo.read_out(bench().model)
    if image is not None:
        answer.show(image, bench().model)
    elif photographed:
        st.info("Choose a photo of digits on paper, or take one. They are found, boxed and read "
                "from left to right.", icon=":material/photo_camera:")  # fmt: skip
    else:
        st.info("Draw something: one digit, as large as you like, with the mouse or a finger. "
                "The answer comes when you lift the pen.", icon=":material/draw:")  # fmt: skip
        st.button("Take a test image instead", icon=":material/casino:", type="tertiary",
                  key="test_image", on_click=asking.take_test_image)  # fmt: skip
if image is not None:
    bench().read = image
    why_misread.show(image, image if picture is None else picture, ink, bench().model)
from_canvas = not (photographed or bench().sent or bench().template is not None)
teach_it.show(image, bench().model, board.clear if from_canvas else None)
