"""A component made of the files of its folder."""

from __future__ import annotations

from pathlib import Path

from streamlit.components.v2 import component
from streamlit.components.v2.types import ComponentRenderer


def load(name: str, module: str, html: str = "") -> ComponentRenderer:
    """The component of the folder that `module` (its `__file__`) lies in: index.js, style.css, and
    index.html unless `html` is given. As text, so that the app needs no build and no manifest."""
    folder = Path(module).parent

    def text(file: str) -> str:
        return (folder / file).read_text(encoding="utf-8")

    return component(f"mnist_lab_{name}", html=html or text("index.html"), css=text("style.css"),
                     js=text("index.js"))  # fmt: skip
