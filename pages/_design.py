"""The form of a design: from the controls on the page to a RunSpec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import streamlit as st

from mnist_core.spec import (
    ACTIVATIONS,
    FRAMEWORKS,
    INITIALIZERS,
    KEEPS,
    LIMITS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    VALIDATIONS,
    Conv,
    Layer,
    RunSpec,
)
from pages import _session

RATES = [m * 10.0**e for e in range(-6, 1) for m in (1, 2, 5)] + [10.0]
BATCHES = [2**i for i in range(11)]
Control = Callable[[RunSpec], dict[str, Any]]
PENALTIES = [0.0, 1e-6, 1e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1]


def key(name: str) -> str:
    """The widget key of a design choice; they share a prefix so that a new design resets all."""
    return f"design.{name}"


def control(field: str, name: str, value: Any) -> dict[str, Any]:
    """The arguments that make a widget a control of this field of the design: its key, whose first
    value is `value`, and whether a lesson has locked it."""
    return {"key": _session.seed_widget(key(name), value),
            "disabled": field in _session.state().lesson.lock}  # fmt: skip


def hidden(field: str) -> bool:
    """Whether a lesson hides the controls of this field."""
    return field in _session.state().lesson.hide


def among(options: list, value) -> list:
    """The options with `value`, which a link may have brought, in its place among them."""
    near = next((x for x in options if abs(x - value) <= 1e-9 * abs(value)), None)
    return options if near is not None else sorted([*options, value])


def exact(options: list, value):
    """The option that stands for `value`: sums like 5 · 10⁻³ have another last bit than 0.005."""
    return min(options, key=lambda x: abs(x - value))


def convolutions_form(spec: RunSpec) -> tuple[Conv, ...]:
    """How many convolution blocks, and each of them."""
    count = st.slider(
        "Convolution blocks", *whole("convolutions"),
        **control("convolutions", "convolutions", len(spec.convolutions)),
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
            f"Convolution {i + 1}: filters", *whole("filters"), step=4,
            **control("convolutions", f"conv.filters.{i}", block.filters),
        )  # fmt: skip
        left, right = st.columns(2)
        kernel = left.select_slider(
            "Kernel", sizes("kernel"), format_func=square,
            **control("convolutions", f"conv.kernel.{i}", block.kernel),
            help="The pixels that each filter sees at once.",
        )  # fmt: skip
        pool = right.select_slider(
            "Max-pooling", sizes("pool"), format_func=pooling,
            **control("convolutions", f"conv.pool.{i}", block.pool),
            help="Of so many pixels the largest goes on.",
        )  # fmt: skip
        made = Conv(filters, kernel, pool=pool, **common_form("conv.", i, block))
        apply_button("conv.", i, made, count)
    return made


def layers_form(spec: RunSpec) -> tuple[Layer, ...]:
    """How many hidden layers, and each of them."""
    count = st.slider("Hidden layers", *whole("layers"),
                      **control("layers", "count", len(spec.layers)))  # fmt: skip
    return tuple(layer_form(i, nearest(spec.layers, i, Layer()), count) for i in range(count))


def layer_form(i: int, layer: Layer, count: int) -> Layer:
    """One hidden layer in a frame of its own."""
    with st.container(border=True, key=f"layer_{i}"):
        units = st.slider(f"Layer {i + 1}: units", *whole("units"), step=8,
                          **control("layers", f"units.{i}", layer.units))  # fmt: skip
        made = Layer(units, **common_form("", i, layer))
        apply_button("", i, made, count)
    return made


def common_form(prefix: str, i: int, layer: Layer | Conv) -> dict[str, Any]:
    """What follows the weights in both kinds of layer: activation, batch norm, dropout."""
    field = "convolutions" if prefix else "layers"
    left, right = st.columns(2, vertical_alignment="bottom")
    activation = left.selectbox(
        "Activation", list(ACTIVATIONS), format_func=lambda a: ACTIVATIONS[a].label,
        **control(field, f"{prefix}activation.{i}", layer.activation), filter_mode=None,
        help="\n\n".join(f"**{c.label}**: {c.says}" for c in ACTIVATIONS.values()),
    )  # fmt: skip
    norm = right.toggle(
        "Batch norm", **control(field, f"{prefix}norm.{i}", layer.batch_norm),
        help="Brings each unit, or each filter's map, to mean 0 and deviation 1 over the batch, "
        "then lets it learn its own scale and shift.",
    )  # fmt: skip
    dropout = st.slider(
        "Dropout", 0.0, LIMITS["dropout"].high, step=0.05,
        **control(field, f"{prefix}dropout.{i}", float(layer.dropout)),
        help="The share of values that is silenced at random in each training step.",
    )  # fmt: skip
    return {"activation": activation, "batch_norm": norm, "dropout": tidy(dropout)}


def apply_button(prefix: str, i: int, layer: Layer | Conv, count: int) -> None:
    """Offer to give every layer of this kind the settings of this one."""
    if count > 1:
        st.button("Apply to all blocks" if prefix else "Apply to all layers",
                  key=f"{prefix}apply_{i}", type="tertiary", icon=":material/content_copy:",
                  disabled=("convolutions" if prefix else "layers") in _session.state().lesson.lock,
                  on_click=apply_to_all, args=(prefix, layer, count))  # fmt: skip


def apply_to_all(prefix: str, layer: Layer | Conv, count: int) -> None:
    """Give every layer of a kind the same settings."""
    for name, value in asdict(layer).items():
        for i in range(count):
            short = "norm" if name == "batch_norm" else name
            _session.set_widget(key(f"{prefix}{short}.{i}"), value)


def whole(name: str) -> tuple[int, int]:
    """A limit's two ends."""
    low, high = LIMITS[name]
    return int(low), int(high)


def sizes(name: str) -> list[int]:
    """All whole numbers within a limit."""
    low, high = whole(name)
    return list(range(low, high + 1))


def nearest(known: tuple, i: int, usual: Layer | Conv) -> Any:
    """What a layer is like before it is touched: as it was known, else as the last one."""
    return known[min(i, len(known) - 1)] if known else usual


def square(side: int) -> str:
    return f"{side} × {side}"


def pooling(side: int) -> str:
    return "none" if side == 1 else square(side)


def usual_rate() -> None:
    """A new optimizer comes with its own usual learning rate."""
    if "learning_rate" in _session.state().lesson.lock:
        return
    rate = OPTIMIZERS[_session.widget(key("optimizer"))].learning_rate
    _session.set_widget(key("rate"), exact(RATES, rate))


def tidy(number: float) -> float:
    """The number without the last bits that 5 · 10⁻³ and 3 · 0.05 leave; a link's own is kept."""
    short = float(f"{number:.6g}")
    return short if abs(short - number) <= 1e-12 * abs(number) else number


def plain(number: float) -> str:
    """A small number without an exponent."""
    return f"{number:.8f}".rstrip("0").rstrip(".")


def framework_control(spec: RunSpec) -> dict[str, Any]:
    framework = st.segmented_control(
        "Trained by", list(FRAMEWORKS), format_func=lambda f: FRAMEWORKS[f].label, required=True,
        **control("framework", "framework", spec.framework),
    )  # fmt: skip
    st.caption(FRAMEWORKS[framework].says)
    return {"framework": framework}


def optimizer_control(spec: RunSpec) -> dict[str, Any]:
    chosen = st.selectbox(
        "Optimizer", list(OPTIMIZERS), format_func=lambda o: OPTIMIZERS[o].label, filter_mode=None,
        **control("optimizer", "optimizer", spec.optimizer), on_change=usual_rate,
    )  # fmt: skip
    st.caption(OPTIMIZERS[chosen].says)
    return {"optimizer": chosen}


def rate_control(spec: RunSpec) -> dict[str, Any]:
    rates = among(RATES, spec.learning_rate)
    start = exact(rates, spec.learning_rate)
    rate = st.select_slider("Learning rate", rates, format_func=plain,
                            **control("learning_rate", "rate", start))  # fmt: skip
    return {"learning_rate": tidy(rate)}


def batch_control(spec: RunSpec) -> dict[str, Any]:
    sizes = among(BATCHES, spec.batch_size)
    return {"batch_size": st.select_slider("Batch size", sizes, **control(
        "batch_size", "batch", spec.batch_size))}  # fmt: skip


def epochs_control(spec: RunSpec) -> dict[str, Any]:
    return {"epochs": st.slider("Epochs", *whole("epochs"), **control(
        "epochs", "epochs", spec.epochs))}  # fmt: skip


def validation_control(spec: RunSpec) -> dict[str, Any]:
    chosen, share = st.radio(
        "Validate on", list(VALIDATIONS), format_func=lambda v: VALIDATIONS[v].label,
        **control("validation", "validation", spec.validation), horizontal=True,
    ), spec.validation_share  # fmt: skip
    if chosen == "share" and not hidden("validation_share"):
        share = st.slider("Share kept for validation", *LIMITS["validation_share"], step=0.05,
                          **control("validation_share", "share", share),
                          format="percent")  # fmt: skip
    if chosen == "share":
        st.caption(VALIDATIONS[chosen].says)
    return {"validation": chosen, "validation_share": tidy(share)}


def seed_control(spec: RunSpec) -> dict[str, Any]:
    return {"seed": st.number_input(
        "Seed", *whole("seed"), **control("seed", "seed", spec.seed),
        help="Decides the initial weights, the order of the images and what dropout drops: the "
        "same seed gives the same run.",
    )}  # fmt: skip


def l2_control(spec: RunSpec) -> dict[str, Any]:
    penalties = among(PENALTIES, spec.l2)
    l2 = st.select_slider("L2 penalty on the kernels", penalties, format_func=plain,
                          **control("l2", "l2", exact(penalties, spec.l2)))  # fmt: skip
    return {"l2": tidy(l2)}


def loss_control(spec: RunSpec) -> dict[str, Any]:
    loss, smoothing = chosen("Cross-entropy", "loss", LOSSES, spec.loss), 0.0
    if loss == "categorical":
        smoothing = float(spec.label_smoothing)
    if loss == "categorical" and not hidden("label_smoothing"):
        smoothing = st.slider(
            "Label smoothing", *LIMITS["label_smoothing"], step=0.05,
            **control("label_smoothing", "smoothing", smoothing),
            help="This share of the label is spread over all ten digits.",
        )  # fmt: skip
    return {"loss": loss, "label_smoothing": tidy(smoothing)}


def patience_control(spec: RunSpec) -> dict[str, Any]:
    return {"patience": st.slider(
        "Patience in epochs", *whole("patience"), **control("patience", "patience", spec.patience),
        help="End early after so many epochs without a better one. 0 never ends early.",
    )}  # fmt: skip


def chosen(label: str, name: str, table: dict, value: str) -> str:
    """A choice from one of the design's tables, with what the choice means under it."""
    choice = st.selectbox(label, list(table), format_func=lambda x: table[x].label,
                          filter_mode=None, **control(name, name, value))  # fmt: skip
    st.caption(table[choice].says)
    return choice


def of_table(label: str, name: str, table: dict) -> Control:
    """The control of a field whose choices are a table of the design."""
    return lambda spec: {name: chosen(label, name, table, getattr(spec, name))}


# field of the RunSpec: what draws its control and returns what it says now
NETWORK: dict[str, Control] = {
    "convolutions": lambda spec: {"convolutions": convolutions_form(spec)},
    "layers": lambda spec: {"layers": layers_form(spec)},
}
TRAINING: dict[str, Control] = {
    "framework": framework_control, "optimizer": optimizer_control, "learning_rate": rate_control,
    "batch_size": batch_control, "epochs": epochs_control, "validation": validation_control,
    "seed": seed_control,
}  # fmt: skip
FINER: dict[str, Control] = {  # what a first design can leave as it is
    "schedule": of_table("Learning rate over time", "schedule", SCHEDULES),
    "initializer": of_table("Initial weights", "initializer", INITIALIZERS),
    "l2": l2_control,
    "loss": loss_control,
    "keep": of_table("Keep the weights of", "keep", KEEPS),
    "patience": patience_control,
}


def drawn(spec: RunSpec, controls: Mapping[str, Control]) -> RunSpec:
    """The design with what these controls say; a hidden one leaves it as it is."""
    for field, draw in controls.items():
        if not hidden(field):
            spec = replace(spec, **draw(spec))
    return spec


def form(spec: RunSpec) -> RunSpec:
    """All controls, showing `spec` at first, and the design that they say now."""
    st.subheader("Network", anchor=False)
    spec = drawn(spec, NETWORK)
    st.subheader("Training", anchor=False)
    spec = drawn(spec, TRAINING)
    with st.expander("Finer points"):
        return drawn(spec, FINER)


def load(spec: RunSpec) -> None:
    """Bring another design into the controls, in a callback; what a lesson holds stays."""
    _session.drop_widgets("design.")
    _session.state().spec = _session.state().lesson.held(spec)
