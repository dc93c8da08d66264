r"""Each step of backpropagation in words and in LaTeX: in general, and with its own numbers.

x are the inputs of a layer, z its weighted sums, a its activations; L is the loss, and δ always
stands for ∂L/∂(what the step is given on its way back).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mnist_core.network.layers import Activation, BatchNormalization, Dense, MaxPooling, Rescaling

from .microscope import Step, Sum, sum_of

MOST_SPELLED = 6  # products that fit on one line


@dataclass(frozen=True)
class Words:
    """What a step is called, one sentence for who met derivatives at school, and its formula."""

    title: str
    says: str
    formula: str


# f(z) and f′(z) of each activation that a RunSpec can name
FUNCTIONS: dict[str, tuple[str, str]] = {
    "relu": (r"\max(0,\,z)", r"\begin{cases}1 & z>0\\ 0 & z\le 0\end{cases}"),
    "leaky_relu": (r"\begin{cases}z & z>0\\ 0.2\,z & z\le 0\end{cases}",
                   r"\begin{cases}1 & z>0\\ 0.2 & z\le 0\end{cases}"),
    "elu": (r"\begin{cases}z & z>0\\ e^z-1 & z\le 0\end{cases}",
            r"\begin{cases}1 & z>0\\ a+1 & z\le 0\end{cases}"),
    "silu": (r"z\,\sigma(z)", r"\sigma(z)\,\bigl(1+z\,(1-\sigma(z))\bigr)"),
    "tanh": (r"\tanh z", r"1-a^2"),
    "sigmoid": (r"\frac{1}{1+e^{-z}}", r"a\,(1-a)"),
    "linear": (r"z", r"1"),
}  # fmt: skip

# the update rules of `optimizers.OPTIMIZERS`; g is the gradient, t the number of the step
RULES: dict[str, str] = {
    "sgd": r"w \leftarrow w-\eta\,g",
    "momentum": r"v \leftarrow 0.9\,v-\eta\,g \qquad w \leftarrow w+v",
    "rmsprop": r"s \leftarrow 0.9\,s+0.1\,g^2 \qquad "
               r"w \leftarrow w-\eta\,\frac{g}{\sqrt{s+\varepsilon}}",
    "adam": r"\begin{aligned}m &\leftarrow 0.9\,m+0.1\,g\\ s &\leftarrow 0.999\,s+0.001\,g^2\\ "
            r"w &\leftarrow w-\eta\,\frac{\sqrt{1-0.999^t}}{1-0.9^t}\,"
            r"\frac{m}{\sqrt{s}+\varepsilon}\end{aligned}",
}  # fmt: skip

BETWEEN: dict[str, Words] = {
    "input": Words("Inputs", "The numbers that the network is given.", r"x"),
    "softmax": Words(
        "Softmax", "The logits become probabilities: all positive, together 1. Subtracting the "
        "largest first keeps e^z from overflowing and cancels in the fraction.",
        r"p_k=\frac{e^{z_k-m}}{\sum_l e^{z_l-m}},\qquad m=\max_l z_l",
    ),
    "loss": Words(
        "Loss", "How surprised the network is by the label, in nats: 0 if it gave the label "
        "probability 1, and without limit as that probability falls to 0.",
        r"L=-\ln p_{\text{label}}",
    ),
    "delta": Words(
        "δ of the logits", "How the loss would change with each logit: for cross-entropy after "
        "softmax simply the probability, less 1 at the label.",
        r"\delta_k=\frac{\partial L}{\partial z_k}=p_k-y_k,\qquad "
        r"y_k=\begin{cases}1 & k=\text{label}\\ 0 & \text{else}\end{cases}",
    ),
}  # fmt: skip

FORWARD: dict[str, Words] = {
    "Rescaling": Words(
        "Scaled", "Each gray level from 0 to 255 is divided by 255, so that every input lies "
        "between 0 and 1.", r"x=\frac{\text{pixel}}{255}",
    ),
    "Reshape": Words(
        "Laid out anew", "The same numbers in the same order, in another shape: nothing is "
        "computed.", r"",
    ),
    "Dense": Words(
        "Weighted sum", "Each unit multiplies every input by a weight of its own, adds the "
        "products up and adds its bias.", r"z_j=\sum_i x_i\,W_{ij}+b_j",
    ),
    "Convolution": Words(
        "Weighted sum under a kernel", "Each filter lays its few weights on every place of the "
        "maps, multiplies what it finds there, adds up and adds its bias.",
        r"z_{yxf}=\sum_{i,j,c} a_{y+i,\,x+j,\,c}\;W_{ijcf}+b_f",
    ),
    "MaxPooling": Words(
        "Max-pooling", "Of the values in each small window only the largest goes on.",
        r"a_{yxc}=\max_{i,j<s} x_{sy+i,\,sx+j,\,c}",
    ),
    "BatchNormalization": Words(
        "Batch normalisation", "Each value is shifted and scaled by the mean and variance that "
        "training has seen, then by two numbers that were learned.",
        r"a=\gamma\,\frac{x-\mu}{\sqrt{\sigma^2+\varepsilon}}+\beta",
    ),
    "Dropout": Words(
        "Dropout", "In training some values are set to 0 at random; here, as when the network "
        "answers, all pass unchanged.", r"a=x",
    ),
}  # fmt: skip

GRADIENT: dict[str, Words] = {
    "Dense": Words(
        "Gradient of the weights", "A weight carries its input to its unit, so its gradient is "
        "that input times the unit's δ; the bias carries a 1.",
        r"\frac{\partial L}{\partial W_{ij}}=x_i\,\delta_j,\qquad "
        r"\frac{\partial L}{\partial b_j}=\delta_j",
    ),
    "Convolution": Words(
        "Gradient of the weights", "Each weight was used at every place, so what it did to the "
        "loss is added up over all of them.",
        r"\frac{\partial L}{\partial W_{ijcf}}=\sum_{y,x} a_{y+i,\,x+j,\,c}\;\delta_{yxf},\qquad "
        r"\frac{\partial L}{\partial b_f}=\sum_{y,x}\delta_{yxf}",
    ),
    "BatchNormalization": Words(
        "Gradient of scale and shift", "γ multiplies the normalised value and β is added to it, "
        "so their gradients are δ times that value and δ itself.",
        r"\frac{\partial L}{\partial\gamma}=\sum\delta\,\frac{x-\mu}{\sqrt{\sigma^2+\varepsilon}},"
        r"\qquad \frac{\partial L}{\partial\beta}=\sum\delta",
    ),
}  # fmt: skip

BACKWARD: dict[str, Words] = {
    "Reshape": Words(
        "Back in its old shape", "The same numbers, laid out as they were on the way forward.", r"",
    ),
    "Dense": Words(
        "δ through the weights", "An input reached the loss through every unit, so its share is "
        "the sum of their δ, each times the weight on the way.",
        r"\frac{\partial L}{\partial x_i}=\sum_j W_{ij}\,\delta_j",
    ),
    "Convolution": Words(
        "δ through the kernel", "A place reached the loss through every kernel that covered it: "
        "each weight gives its share back to where it looked.",
        r"\frac{\partial L}{\partial a_{yxc}}=\sum_{i,j,f} W_{ijcf}\;\delta_{y-i,\,x-j,\,f}",
    ),
    "MaxPooling": Words(
        "δ to the largest", "Only the largest value of a window reached the loss, so it gets the "
        "whole δ and the others nothing.",
        r"\frac{\partial L}{\partial x}=\begin{cases}\delta & x\text{ the largest of its window}"
        r"\\ 0 & \text{else}\end{cases}",
    ),
    "BatchNormalization": Words(
        "δ through the scale", "The statistics are fixed numbers here, so the chain rule leaves "
        "one factor.", r"\frac{\partial L}{\partial x}=\delta\,\frac{\gamma}"
        r"{\sqrt{\sigma^2+\varepsilon}}",
    ),
    "Dropout": Words("δ unchanged", "What passed unchanged passes back unchanged.",
                     r"\frac{\partial L}{\partial x}=\delta"),
}  # fmt: skip

_TABLES = {"forward": FORWARD, "gradient": GRADIENT, "backward": BACKWARD}


def words(step: Step, rule: str) -> Words:
    """The step in words; `rule` names the optimizer of an update."""
    if step.kind == "update":
        return Words("Update", "Every weight steps against its gradient: if the step is small "
                     "enough, the loss on this image falls.", RULES[rule])  # fmt: skip
    if step.kind in BETWEEN:
        return BETWEEN[step.kind]
    if isinstance(step.layer, Activation):
        return _activation(step.layer, step)
    return _TABLES[step.kind][type(step.layer).__name__]


def _activation(layer: Activation, step: Step) -> Words:
    value, slope = FUNCTIONS[function_name(layer)]
    if step.kind == "forward":
        return Words("Activation", "Each sum goes through the same bent curve: without it, all "
                     "layers together would be one weighted sum.", f"a=f(z)={value}")  # fmt: skip
    return Words("δ through the activation", "The chain rule: what comes back is multiplied by "
                 "the slope of the curve where z stood.",
                 r"\frac{\partial L}{\partial z}=\frac{\partial L}{\partial a}\,f'(z),\qquad "
                 f"f'(z)={slope}")  # fmt: skip


def function_name(layer: Activation) -> str:
    """relu, tanh, … : the last part of the layer's name."""
    return layer.name.rsplit("/", 1)[-1]


# ------------------------------------------------------------ with its own numbers


def number(value: float) -> str:
    """Four significant digits in LaTeX."""
    mantissa, _, power = f"{value:.4g}".partition("e")
    return rf"{mantissa}\times 10^{{{int(power)}}}" if power else mantissa


def spelled(step: Step, index: tuple[int, ...]) -> str:
    """How one entry of the step's result came about, in LaTeX; "" where there is nothing to say."""
    found = sum_of(step, index)
    if found is not None:
        return _sum(found)
    value = number(float(step.result[index]))
    if isinstance(step.layer, Activation):
        return _through_activation(step.layer, step, index, value)
    if isinstance(step.layer, BatchNormalization):
        return _normalised(step.layer, step, index, value)
    match step.kind, step.layer:
        case "forward", Rescaling():
            return rf"\frac{{{number(float(step.given[index]))}}}{{255}}={value}"
        case "forward", MaxPooling(size=size):
            return _largest(size, step, index, value)
        case "gradient", Dense():
            x, d = step.layer.x[0, index[0]], step.given[index[1]]
            return rf"x\,\delta={_factor(x)}\cdot{_factor(d)}={value}"
        case "softmax", _:
            return _share(step, index, value)
        case "loss", _:
            return rf"L=-\ln p_{{\text{{label}}}}={value}"
        case "delta", _:
            p = float(step.given[index])
            return rf"p-y={number(p)}-{round(p - float(step.result[index]))}={value}"
    return ""


def _factor(value: float) -> str:
    return f"({number(float(value))})" if value < 0 else number(float(value))


def _sum(found: Sum) -> str:
    terms = found.terms.ravel()
    total = number(found.total)
    bias = f" {'-' if found.rest < 0 else '+'} {number(abs(found.rest))}" if found.rest else ""
    if len(terms) <= MOST_SPELLED:
        return "+".join(_factor(t) for t in terms) + f"{bias}={total}"
    products = rf"\underbrace{{{number(float(terms.sum()))}}}_{{\text{{{len(terms)} products}}}}"
    return f"{products}{bias}={total}"


def _through_activation(
    layer: Activation, step: Step, index: tuple[int, ...], value: str
) -> str:
    z = layer.z[0][index]
    if step.kind == "forward":
        return rf"f({number(float(z))})={value}"
    slope = float(np.asarray(layer.derivative(layer.z[0], layer.a[0]), float)[index])
    given = _factor(step.given[index])
    return (rf"\delta\,f'(z)={given}\cdot f'({number(float(z))})="
            rf"{given}\cdot{_factor(slope)}={value}")  # fmt: skip


def _normalised(
    layer: BatchNormalization, step: Step, index: tuple[int, ...], value: str
) -> str:
    unit = index[-1]
    gamma, beta = (float(layer.parameters[name][unit]) for name in ("gamma", "beta"))
    mean, variance = (float(moving[unit]) for moving in layer.moving.values())
    root = rf"\sqrt{{{number(variance)}+0.001}}"
    if step.kind == "forward":
        x = _factor(step.given[index])
        return (rf"{_factor(gamma)}\cdot\frac{{{x}-{_factor(mean)}}}{{{root}}}"
                rf"+{_factor(beta)}={value}")  # fmt: skip
    if step.kind == "backward":
        return rf"{_factor(step.given[index])}\cdot\frac{{{_factor(gamma)}}}{{{root}}}={value}"
    return rf"\frac{{\partial L}}{{\partial\gamma}}={value}"


def _largest(s: int, step: Step, index: tuple[int, ...], value: str) -> str:
    y, x, channel = index
    window = step.given[s * y : s * y + s, s * x : s * x + s, channel].ravel()
    inside = ",\\,".join(number(float(v)) for v in window)
    return rf"\max({inside})={value}"


def _share(step: Step, index: tuple[int, ...], value: str) -> str:
    z, m = float(step.given[index]), float(step.given.max())
    total = float(np.exp(step.given - m).sum())
    return (rf"\frac{{e^{{{number(z)}-{_factor(m)}}}}}{{{number(total)}}}="
            rf"\frac{{{number(math.exp(z - m))}}}{{{number(total)}}}={value}")  # fmt: skip
