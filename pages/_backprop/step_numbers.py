"""The numbers of one step of the microscope: its result, one entry of it as a sum, one weight."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from mnist_core.basis import numbers
from mnist_core.lessons import formulas, microscope
from mnist_core.lessons.microscope import Step, Trial
from mnist_core.network.layers import BatchNormalization, Dense, Layer
from pages._backprop import learning_trial, state
from pages._components import field
from pages._shell import session

AXES = {1: ("Unit",), 2: ("Row", "Column"), 3: ("Row", "Column", "Map")}
LOGITS = "logits unit"
OVER = {"forward": "the products, input × weight", "backward": "the products, weight × δ",
        "gradient": "what each place adds, input × δ"}  # fmt: skip


def show(step: Step, found: list[Step], trial: Trial) -> None:
    """What the step computed, to look into."""
    if step.kind == "input":
        _input(step)
    elif step.kind == "loss":
        st.latex(formulas.spelled(step, (0,)))
    elif step.kind == "gradient":
        _gradient(step, trial)
    elif step.kind == "update":
        _update(found, trial)
    else:
        _values(step, trial)


def _input(step: Step) -> None:
    if step.result.ndim == 1:
        values = r",\;".join(formulas.number(float(v)) for v in step.result)
        st.latex(f"x=({values})")
        return
    index = pick("pixel", step.result.shape, _strongest(step.result), AXES[2])
    _choose(step.result, "pixel", "the image, gray levels 0 to 255", index, ink=True)


def _values(step: Step, trial: Trial) -> None:
    """The result, one entry of it, and where that came from."""
    name, values = _picked_as(step), _pictured(step)
    st.markdown(f"**{_what(step)}**")
    axes = ("Class",) if name == LOGITS else AXES[values.ndim]
    start = _strongest(values if _is_way_back(step) else np.maximum(values, 0))
    index = pick(name, values.shape, start, axes)
    _choose(values, name, _what(step), index)
    own = index if step.result.ndim == values.ndim else (_flat(index, values.shape),)
    if spelled := formulas.spelled(step, own):
        st.latex(spelled)
    _terms(step, own, trial)


def _picked_as(step: Step) -> str:
    """The name of the choice among the step's numbers: a class and a unit are followed on."""
    if step.layer is None:
        return LOGITS
    if step.kind == "forward" and isinstance(step.layer, Dense):
        return f"{step.layer.name} unit"
    return f"{step.layer.name} {'back' if step.kind == 'backward' else 'out'}"


def _pictured(step: Step) -> np.ndarray:
    """The result in the shape in which it is shown: ∂L/∂(a flattened image) as an image."""
    dense_back = step.kind == "backward" and isinstance(step.layer, Dense)
    return step.result.reshape(step.origin) if dense_back else step.result


def _is_way_back(step: Step) -> bool:
    return step.kind in ("backward", "delta")


def _what(step: Step) -> str:
    if _is_way_back(step):
        return "∂L/∂ of each of its inputs" if step.layer else "δ of each logit"
    return "What comes out"


def _terms(step: Step, index: tuple[int, ...], trial: Trial) -> None:
    """The products of a sum, and forward the weight of one of them."""
    found = microscope.sum_of(step, index)
    if found is None:
        return
    st.markdown(f"**{found.terms.size:,} products**: {OVER[step.kind].split(', ')[1]}")
    if step.kind != "forward":
        field.show(found.terms, f"field_terms_{step.kind}", OVER[step.kind])
        return
    layer = step.own_layer
    chosen = _weight_place(layer, found.terms)
    _choose(found.terms, _inputs(layer), OVER["forward"], chosen)
    _weight(trial, layer, chosen, found.terms.shape, index[-1])


def _weight_place(layer: Layer, terms: np.ndarray) -> tuple[int, ...]:
    labels = [f"Input {x.lower()}" for x in AXES[terms.ndim]] if terms.ndim > 1 else ["Input"]
    return pick(_inputs(layer), terms.shape, _strongest(terms), labels)


def _inputs(layer: Layer) -> str:
    return f"{layer.name} input"


def _weight(
    trial: Trial, layer: Layer, place: tuple[int, ...], shape: tuple[int, ...], unit: int
) -> None:
    """The weight from this input to this unit, before and after a step."""
    dense = isinstance(layer, Dense)
    index = (_flat(place, shape), unit) if dense else (*place, unit)
    words = ", ".join(f"{axis.lower()} {i}" for axis, i in zip(_axes(shape), place, strict=True))
    to = f"unit {unit}" if dense else f"filter {unit}"
    says = f"The weight from {words} to {to} of {layer.name}"
    learning_trial.weight(trial, layer, "kernel", index, says)


def _axes(shape: tuple[int, ...]) -> tuple[str, ...]:
    return ("input",) if len(shape) == 1 else AXES[len(shape)]


# ------------------------------------------------------- gradients and the update


def _gradient(step: Step, trial: Trial) -> None:
    layer = step.own_layer
    if isinstance(layer, BatchNormalization):
        _scale(trial, layer)
        return
    dense = isinstance(layer, Dense)
    units = step.result.shape[-1]
    d = step.given.reshape(-1, units)
    (unit,) = pick(f"{layer.name} unit", (units,), _strongest(np.abs(d).sum(axis=0)),
                   ("Unit" if dense else "Filter",))  # fmt: skip
    values = step.result[..., unit]
    values = values.reshape(step.origin) if dense else values
    bias = numbers.significant(float(layer.gradients["bias"][unit]), 4)
    st.markdown(f"**∂L/∂W of {'unit' if dense else 'filter'} {unit}**: one number for each of "
                f"its {values.size:,} weights; of its bias {bias}")  # fmt: skip
    place = _weight_place(layer, values)
    _choose(values, _inputs(layer), "the gradient of each weight", place)
    own = (_flat(place, values.shape), unit) if dense else (*place, unit)
    st.latex(formulas.spelled(step, own))
    _weight(trial, layer, place, values.shape, unit)
    if not dense and (found := microscope.sum_of(step, own)):
        terms = found.terms
        st.markdown(f"**{terms.size:,} products**: input × δ, at every place of the map")
        field.show(terms, "field_terms_gradient", OVER["gradient"])


def _scale(trial: Trial, layer: BatchNormalization) -> None:
    """γ and β of a batch normalisation."""
    name = st.segmented_control("Parameter", ["gamma", "beta"], default="gamma", required=True,
                                format_func={"gamma": "γ", "beta": "β"}.__getitem__,
                                key="scale_parameter")  # fmt: skip
    values = layer.gradients[name]
    place = pick(f"{layer.name} scale", values.shape, _strongest(values), ("Unit",))
    _choose(values, f"{layer.name} scale", f"the gradient of {name}", place)
    learning_trial.weight(trial, layer, name, place, f"{name} of unit {place[0]} of {layer.name}")


def _update(found: list[Step], trial: Trial) -> None:
    """Any one weight of the network."""
    learning = {s.own_layer.name: s for s in found if s.kind == "gradient"}
    chosen = st.selectbox("Layer", list(reversed(learning)), key="update_layer", filter_mode=None)
    step = learning[chosen]
    layer = step.own_layer
    if isinstance(layer, BatchNormalization):
        _scale(trial, layer)
        return
    dense = isinstance(layer, Dense)
    kernel = layer.parameters["kernel"]
    (unit,) = pick(f"{chosen} unit", kernel.shape[-1:], _strongest(np.abs(step.result).reshape(
        -1, kernel.shape[-1]).sum(axis=0)), ("Unit" if dense else "Filter",))  # fmt: skip
    change = (trial.after(layer, "kernel") - kernel)[..., unit]
    change = change.reshape(step.origin) if dense else change
    place = _weight_place(layer, change)
    st.markdown(f"**How each weight of {'unit' if dense else 'filter'} {unit} will move**")
    _choose(change, _inputs(layer), "the change of each weight", place)
    _weight(trial, layer, place, change.shape, unit)


# ------------------------------------------------------------------- one of many


def pick(
    name: str, shape: tuple[int, ...], start: tuple[int, ...], axes: Sequence[str]
) -> tuple[int, ...]:
    """An index into an array of this shape, by a field for each axis; the session remembers it."""
    picks = state.mine().picks
    index = picks.get(name, start)
    if len(index) != len(shape) or any(i >= n for i, n in zip(index, shape, strict=True)):
        index = start
    picks[name] = index
    axes_that_vary = [i for i, n in enumerate(shape) if n > 1]
    with st.container(horizontal=True):
        for axis in axes_that_vary:
            key = f"pick_{name}_{axis}"
            session.set_widget(key, index[axis])
            st.number_input(f"{axes[axis]} (0 to {shape[axis] - 1})", 0, shape[axis] - 1, key=key,
                            on_change=_turn, args=(name, axis, key), width=150)  # fmt: skip
    return index


def _turn(name: str, axis: int, key: str) -> None:
    picks = state.mine().picks
    picks[name] = (*picks[name][:axis], int(session.widget(key)), *picks[name][axis + 1 :])


def _choose(
    values: np.ndarray, name: str, label: str, index: tuple[int, ...], ink: bool = False
) -> None:
    """The array as a picture in which a click picks `name`."""
    at = _flat(index, values.shape)
    clicked = field.show(values, f"field_{name}", label, at, ink)
    if clicked is not None and clicked != at:
        there = np.unravel_index(clicked, values.shape)
        state.mine().picks[name] = tuple(int(i) for i in there)
        session.redraw()


def _strongest(values: np.ndarray) -> tuple[int, ...]:
    at = int(np.abs(values.astype(float)).argmax())
    return tuple(int(i) for i in np.unravel_index(at, values.shape))


def _flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(index, shape)) if math.prod(shape) > 1 else 0
