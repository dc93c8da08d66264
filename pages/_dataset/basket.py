"""The basket: picked images side by side, to take away or to send to other pages."""

from __future__ import annotations

import io

import numpy as np
import streamlit as st
from PIL import Image

from pages._components import pictures
from pages._shell import markup, navigation, shared
from pages._shell.state import bench, visit

MOST = 50
Picked = tuple[str, int]  # split, index


def toggle(split: str, index: int) -> None:
    """A button that puts the image into the basket or takes it out."""
    basket, image = bench().basket, (split, index)
    if image in basket:
        st.button("In the basket", icon=":material/check:", key="drop", help="Take it out again",
                  on_click=basket.remove, args=(image,))  # fmt: skip
    else:
        full = len(basket) >= MOST
        st.button("Basket", icon=":material/add:", key="collect", disabled=full,
                  on_click=basket.append, args=(image,),
                  help=f"It holds {MOST} images; take some out first" if full
                  else "Collect images to compare, download or try")  # fmt: skip


def send(images: list[Picked], key: str) -> None:
    """Buttons to the pages that can work on these images."""
    for stem, says in (("draw", "Read it"), ("backprop", "Backprop")):
        if stem in navigation.PAGES and st.button(
            says, icon=navigation.PAGES[stem][1], key=f"send_{key}_{stem}",
            help=f"Take it to the page “{navigation.PAGES[stem][0]}”",
        ):  # fmt: skip
            bench().sent, bench().sent_at = list(images), 0
            if stem == "backprop":
                visit().sections |= {
                    "topic": "Microscope", "network": "Trained", "from": "Basket"
                }  # fmt: skip
            navigation.go(stem)


def show() -> None:
    """The basket, if something is in it."""
    mine = bench()
    if not mine.basket:
        return
    with st.container(border=True, key="basket"):
        st.markdown(f"**Basket** · {len(mine.basket)} of at most {MOST}")
        images, labels = contents(mine.basket)
        tiles = "".join(
            f'<figure>{markup.digit(image, "100%", f"a handwritten {label}")}'
            f"<figcaption>{label} <small>{split} {index}</small></figcaption></figure>"
            for image, label, (split, index) in zip(images, labels, mine.basket, strict=True)
        )
        st.html(f"{_STYLE}<div class='basket'>{tiles}</div>")
        with st.container(horizontal=True, gap="small"):
            _downloads(mine.basket)
            send(mine.basket, "all")
            st.button("Empty it", icon=":material/delete:", key="empty", type="tertiary",
                      on_click=mine.basket.clear)  # fmt: skip


def _downloads(basket: list[Picked]) -> None:
    for kind, mime, pack in (
        ("PNG", "image/png", sheet), ("CSV", "text/csv", table),
        ("NPZ", "application/octet-stream", archive),
    ):  # fmt: skip
        st.download_button(kind, pack(basket), f"mnist-basket.{kind.lower()}", mime,
                           key=f"basket_{kind}", icon=":material/download:", type="tertiary",
                           on_click="ignore")  # fmt: skip


def contents(basket: list[Picked]) -> tuple[np.ndarray, np.ndarray]:
    """The images uint8 (n, 28, 28) and labels uint8 (n,) of the basket."""
    images, labels = zip(*map(shared.image, basket), strict=True)
    return np.stack(images), np.array(labels, np.uint8)


def sheet(basket: list[Picked]) -> bytes:
    """The images in rows of ten, each pixel four wide, as a PNG file."""
    picture = Image.fromarray(pictures.sprite(contents(basket)[0], min(10, len(basket))))
    large = picture.resize((4 * picture.width, 4 * picture.height), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    return buffer.getvalue()


def table(basket: list[Picked]) -> str:
    """Split, index, label and the 784 pixels, one image a line."""
    images, labels = contents(basket)
    names = [f"r{row}c{column}" for row in range(28) for column in range(28)]
    lines = [",".join(["split", "index", "label", *names])]
    for (split, index), label, image in zip(basket, labels, images, strict=True):
        lines.append(",".join([split, str(index), str(label), *map(str, image.ravel())]))
    return "\n".join(lines) + "\n"


def archive(basket: list[Picked]) -> bytes:
    """The arrays `images`, `labels`, `split` and `index` as an NPZ file."""
    images, labels = contents(basket)
    splits, indices = zip(*basket, strict=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images, labels=labels, split=np.array(splits),
                        index=np.array(indices))  # fmt: skip
    return buffer.getvalue()


_STYLE = """<style>
.basket { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
.basket figure { margin: 0; } .basket figcaption { font-variant-numeric: tabular-nums; }
.basket small { opacity: .65; }
</style>"""
