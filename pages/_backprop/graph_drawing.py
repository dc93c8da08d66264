"""The computation graph of the microscope: a network layer by layer, the toy number by number."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from mnist_core.basis import numbers
from mnist_core.lessons.microscope import Step
from mnist_core.network.layers import (
    Activation,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    MaxPooling,
    Rescaling,
)

# ------------------------------------------------------------------- layer by layer


def layers(steps: Sequence[Step], at: int) -> str:
    """A box for each layer: its shape, its way forward, and its way back with the largest |δ|, of
    ∂L/∂(what comes out of it), as the formulas have it."""
    stations: dict[int, list[tuple[int, Step]]] = {}
    for i, step in enumerate(steps):
        stations.setdefault(step.place, []).append((i, step))
    return f'<div class="strip">{"".join(_station(found, at) for found in stations.values())}</div>'


def _station(found: list[tuple[int, Step]], at: int) -> str:
    (forth, first), back = found[0], found[1:]
    shape = " × ".join(map(str, first.result.shape)) if first.kind != "update" else "all weights"
    now = any(i == at for i, _ in found)
    ways = _way(forth, at, "→ forward" if first.kind != "update" else "step", at == forth)
    if back:
        here = any(i == at for i, _ in back)
        ways += _way(back[0][0], at, f"← δ {_size(delta(back[0][1]))}", here)
    return (f'<div class="station{" now" if now else ""}"><b>{html.escape(name(first))}</b>'
            f"<small>{shape}</small>{ways}</div>")  # fmt: skip


def delta(step: Step) -> np.ndarray:
    """δ of the layer of a step backward, ∂L/∂(its output); of the loss's, that of the logits."""
    return step.result if step.kind == "delta" else step.given


def _size(values: np.ndarray) -> str:
    return numbers.significant(float(np.abs(values).max()), 2)


def _way(step: int, at: int, says: str, here: bool) -> str:
    state = "now" if here else "done" if step <= at else ""
    return f'<button type="button" data-step="{step}" class="{state}">{says}</button>'


def name(step: Step) -> str:
    """A layer in a word or two."""
    layer = step.layer
    match layer:
        case None:
            return step.kind
        case Rescaling():
            return "÷ 255"
        case Dense():
            return "dense" if layer.name != "logits" else "logits"
        case Convolution():
            k = len(layer.parameters["kernel"])
            return f"conv {k} × {k}"
        case Activation():
            return layer.name.rsplit("/", 1)[-1]
        case MaxPooling():
            return f"max {layer.size} × {layer.size}"
        case BatchNormalization():
            return "batch norm"
        case Dropout():
            return "dropout"
    return "reshape"


# ----------------------------------------------------------------- number by number

# the middle of each node of the toy in a drawing of 400 × 590
INPUTS, HIDDEN = ((110, 30), (290, 30)), ((66, 200), (200, 200), (334, 200))
OUTPUTS, LOSS = ((110, 400), (290, 400)), (200, 540)


def toy(steps: Sequence[Step], at: int, label: int) -> str:
    """Every number of the toy that has been computed by step `at`; backward ones in orange."""
    place = {(step.kind, step.place): i for i, step in enumerate(steps)}
    seen = _Seen(steps, place, at)
    parts = [
        _edges(INPUTS, HIDDEN, seen, 1), _edges(HIDDEN, OUTPUTS, seen, 3),
        *(f'<g class="{"now" if at == 0 else ""}" data-step="0">{_box(*INPUTS[i], 92, 30)}'
          f'{_text(INPUTS[i][0], INPUTS[i][1] + 4, f"input {i}: {_short(v)}", "head")}</g>'
          for i, v in enumerate(steps[0].result)),
        *(_neuron(HIDDEN[j], seen, 1, j, ("z", "a"), f"unit {j}") for j in range(3)),
        *(_neuron(OUTPUTS[k], seen, 3, k, ("z", "p"), f"class {k}{' (label)' * (k == label)}")
          for k in range(2)),
        _loss(seen, label),
    ]  # fmt: skip
    return (f'<svg viewBox="0 0 400 590" role="img" aria-label="The toy network with its '
            f'numbers">{"".join(parts)}</svg>')  # fmt: skip


class _Seen:
    """What is known at a step: the entries of a result, if its step has been reached."""

    def __init__(self, steps: Sequence[Step], place: dict[tuple[str, int], int], at: int) -> None:
        self.steps, self.place, self.at = steps, place, at

    def value(self, kind: str, place: int, index: tuple[int, ...] | int) -> str:
        i = self.place.get((kind, place))
        if i is None or i > self.at:
            return ""
        return _short(float(self.steps[i].result[index]))

    def parameter(self, place: int, name: str) -> np.ndarray:
        """A parameter of the layer there."""
        return self.steps[self.place["forward", place]].own_layer.parameters[name]

    def now(self, *keys: tuple[str, int]) -> str:
        return "now" if self.at in [self.place.get(key) for key in keys] else ""


def _edges(above: Sequence, below: Sequence, seen: _Seen, place: int) -> str:
    """The weights from one row of nodes to the next, each with its gradient under it."""
    kernel = seen.parameter(place, "kernel")
    now = seen.now(("forward", place), ("gradient", place), ("update", 6),
                   *([("backward", place)] if place > 1 else []))  # fmt: skip
    drawn = []
    for (i, (x0, y0)), (j, (x1, y1)) in (
        (a, b) for a in enumerate(above) for b in enumerate(below)
    ):
        drawn.append(f'<line x1="{x0}" y1="{y0 + 15}" x2="{x1}" y2="{y1 - 30}"/>')
        # Staggered along the edges, so that no two labels meet.
        t = (0.30, 0.52, 0.74)[i] if len(above) == 3 else (0.68, 0.40)[i]
        x, y = x0 + t * (x1 - x0), y0 + 15 + t * (y1 - y0 - 45)
        drawn.append(_text(x, y, f"w {_short(kernel[i, j])}", "halo"))
        drawn.append(_text(x, y + 13, seen.value("gradient", place, (i, j)), "halo back"))
    step = seen.place["gradient" if seen.at >= seen.place["delta", 5] else "forward", place]
    return f'<g class="{now}" data-step="{step}">{"".join(drawn)}</g>'


def _neuron(
    at: tuple[int, int], seen: _Seen, place: int, j: int, names: tuple[str, str], title: str
) -> str:
    """A node: z and what it becomes on the left, ∂L/∂ of each on the right."""
    x, y = at
    last = place == 3
    bias = seen.parameter(place, "bias")[j]
    after = ("softmax", 4) if last else ("forward", 2)
    d_z = seen.value("delta", 5, j) if last else seen.value("backward", 2, j)
    d_a = "" if last else seen.value("backward", 3, j)
    rows = [
        (f"b {_short(bias)}", seen.value("gradient", place, (0, j)) and d_z),
        (f"{names[0]} {seen.value('forward', place, j) or '·'}", d_z),
        (f"{names[1]} {seen.value(*after, j) or '·'}", d_a),
    ]
    texts = "".join(
        _text(x - 27, y - 15 + 16 * i, left) + _text(x + 32, y - 15 + 16 * i, right, "back")
        for i, (left, right) in enumerate(rows)
    )
    keys = [("forward", place), after, ("delta", 5) if last else ("backward", 2)]
    keys += [] if last else [("backward", 3)]
    # Below an output, where nothing runs; on a hidden unit's left shoulder, beside its edges.
    head = _text(x, y + 44, title, "quiet") if last else _text(x - 42, y - 36, title, "halo quiet")
    step = seen.place[keys[2] if seen.at >= seen.place["delta", 5] else after]
    return f'<g class="{seen.now(*keys)}" data-step="{step}">{_box(x, y, 122, 62)}{texts}{head}</g>'


def _loss(seen: _Seen, label: int) -> str:
    x, y = LOSS
    value = seen.value("loss", 5, 0)
    says = f"L = −ln p{label}" + (f" = {value}" if value else "")
    lines = "".join(f'<line x1="{a}" y1="{b + 50}" x2="{x}" y2="{y - 16}"/>' for a, b in OUTPUTS)
    return (f'<g class="{seen.now(("loss", 5))}" data-step="{seen.place["loss", 5]}">{lines}'
            f"{_box(x, y, 190, 32)}{_text(x, y + 4, says, 'head')}</g>")  # fmt: skip


def _box(x: float, y: float, width: float, height: float) -> str:
    return (f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" '
            f'height="{height}"/>')  # fmt: skip


def _text(x: float, y: float, says: str, kind: str = "") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {at} class="{kind}">{html.escape(says)}</text>' if says else ""


def _short(value: float) -> str:
    """Three decimals, or a power of ten where they would all be 0."""
    if value and abs(value) < 0.0005:
        return numbers.significant(value, 1)
    return numbers.fixed(value, 3)
