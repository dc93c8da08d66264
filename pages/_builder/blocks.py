"""The blocks of a network in the form of a design: convolutions, then hidden layers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import streamlit as st

from mnist_core.design.spec import ACTIVATIONS, LIMITS, Conv, Layer, RunSpec
from pages._builder import control_keys
from pages._shell import session
from pages._shell.state import bench


def convolutions_form(spec: RunSpec) -> tuple[Conv, ...]:
    """How many convolution blocks, and each of them."""
    count = st.slider(
        "Convolution blocks", *control_keys.whole("convolutions"),
        **control_keys.control("convolutions", "convolutions", len(spec.convolutions)),
        help="Small kernels slide over the image; max-pooling then keeps the strongest answer of "
        "each few pixels. They come before the hidden layers.",
    )  # fmt: skip
    return tuple(
        convolution_form(i, nearest(spec.convolutions, i, Conv()), count) for i in range(count)
    )


def convolution_form(i: int, block: Conv, count: int) -> Conv:
    """One convolution block in a frame of its own."""
    with st.container(border=True, key=f"convolution_{i}"):
        filters = st.slider(
            f"Convolution {i + 1}: filters", *control_keys.whole("filters"), step=4,
            **control_keys.control("convolutions", f"conv.filters.{i}", block.filters),
        )  # fmt: skip
        left, right = st.columns(2)
        kernel = left.select_slider(
            "Kernel", control_keys.sizes("kernel"), format_func=square,
            **control_keys.control("convolutions", f"conv.kernel.{i}", block.kernel),
            help="The pixels that each filter sees at once.",
        )  # fmt: skip
        pool = right.select_slider(
            "Max-pooling", control_keys.sizes("pool"), format_func=pooling,
            **control_keys.control("convolutions", f"conv.pool.{i}", block.pool),
            help="Of so many pixels the largest goes on.",
        )  # fmt: skip
        made = Conv(filters, kernel, pool=pool, **common_form("conv.", i, block))
        apply_button("conv.", i, made, count)
    return made


def layers_form(spec: RunSpec) -> tuple[Layer, ...]:
    """How many hidden layers, and each of them."""
    count = st.slider("Hidden layers", *control_keys.whole("layers"),
                      **control_keys.control("layers", "count", len(spec.layers)))  # fmt: skip
    return tuple(layer_form(i, nearest(spec.layers, i, Layer()), count) for i in range(count))


def layer_form(i: int, layer: Layer, count: int) -> Layer:
    """One hidden layer in a frame of its own."""
    with st.container(border=True, key=f"layer_{i}"):
        units = st.slider(f"Layer {i + 1}: units", *control_keys.whole("units"), step=8,
                          **control_keys.control("layers", f"units.{i}", layer.units))  # fmt: skip
        made = Layer(units, **common_form("", i, layer))
        apply_button("", i, made, count)
    return made


def common_form(prefix: str, i: int, layer: Layer | Conv) -> dict[str, Any]:
    """What follows the weights in both kinds of layer: activation, batch norm, dropout."""
    field = "convolutions" if prefix else "layers"
    left, right = st.columns(2, vertical_alignment="bottom")
    activation = left.selectbox(
        "Activation", list(ACTIVATIONS), format_func=lambda a: ACTIVATIONS[a].label,
        **control_keys.control(field, f"{prefix}activation.{i}", layer.activation),
        filter_mode=None,
        help="\n\n".join(f"**{c.label}**: {c.says}" for c in ACTIVATIONS.values()),
    )  # fmt: skip
    norm = right.toggle(
        "Batch norm", **control_keys.control(field, f"{prefix}norm.{i}", layer.batch_norm),
        help="Brings each unit, or each filter's map, to mean 0 and deviation 1 over the batch, "
        "then lets it learn its own scale and shift.",
    )  # fmt: skip
    dropout = st.slider(
        "Dropout", 0.0, LIMITS["dropout"].high, step=0.05,
        **control_keys.control(field, f"{prefix}dropout.{i}", float(layer.dropout)),
        help="The share of values that is silenced at random in each training step.",
    )  # fmt: skip
    return {"activation": activation, "batch_norm": norm, "dropout": control_keys.tidy(dropout)}


def apply_button(prefix: str, i: int, layer: Layer | Conv, count: int) -> None:
    """Offer to give every layer of this kind the settings of this one."""
    if count > 1:
        st.button("Apply to all blocks" if prefix else "Apply to all layers",
                  key=f"{prefix}apply_{i}", type="tertiary", icon=":material/content_copy:",
                  disabled=("convolutions" if prefix else "layers") in bench().lesson.lock,
                  on_click=apply_to_all, args=(prefix, layer, count))  # fmt: skip


def apply_to_all(prefix: str, layer: Layer | Conv, count: int) -> None:
    """Give every layer of a kind the same settings."""
    for name, value in asdict(layer).items():
        for i in range(count):
            short = "norm" if name == "batch_norm" else name
            session.set_widget(control_keys.key(f"{prefix}{short}.{i}"), value)


def nearest(known: tuple, i: int, usual: Layer | Conv) -> Any:
    """What a layer is like before it is touched: as it was known, else as the last one."""
    return known[min(i, len(known) - 1)] if known else usual


def square(side: int) -> str:
    return f"{side} × {side}"


def pooling(side: int) -> str:
    return "none" if side == 1 else square(side)
