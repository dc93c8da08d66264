"""Figures of Evaluate and Backprop, each computed once more with nothing but NumPy.

The forward pass is written out here: none of `mnist_core.network` has a part in what is expected.
"""

import re

import numpy as np
import pytest

from mnist_core.design.spec import Layer, RunSpec
from mnist_core.lessons import microscope
from mnist_core.network import initial
from tests.pages.visiting import text

SPEC = RunSpec(layers=(Layer(16, "tanh", batch_norm=True),))


def weights(seed=0):
    """As the fixture `trained` keeps them."""
    drawn = initial.initial_weights(SPEC, np.random.default_rng(seed))
    return {name: value.astype(np.float32).astype(float) for name, value in drawn.items()}


def forward(images, w):
    """Probabilities (n, 10): pixels / 255, dense, tanh, batch normalisation, dense, softmax."""
    x = images.reshape(len(images), -1) / 255
    z = x @ w["dense_1/kernel"] + w["dense_1/bias"]
    norm = {name.split("/")[1]: value for name, value in w.items() if "/moving" in name
            or name.endswith(("gamma", "beta"))}  # fmt: skip
    scaled = (np.tanh(z) - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 1e-3)
    logits = (scaled * norm["gamma"] + norm["beta"]) @ w["logits/kernel"] + w["logits/bias"]
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def said(tiny):
    return forward(tiny.test.images, weights())


def metric(app, label):
    return next(m.value for m in app.metric if m.label == label).replace("\N{NO-BREAK SPACE}", " ")


def wilson(right, n, z=1.959964):
    middle, half = (right + z * z / 2) / (n + z * z), z / (n + z * z) * np.sqrt(
        right * (n - right) / n + z * z / 4)  # fmt: skip
    return 100 * (middle - half), 100 * (middle + half)


# ---------------------------------------------------------------------- Evaluate


def test_the_scores(visit, trained, tiny, said):
    app, labels = visit("evaluate", run=trained(SPEC)), tiny.test.labels
    right = (said.argmax(axis=1) == labels).sum()
    assert metric(app, "Test accuracy") == f"{right / 2:.2f} %"  # of 200
    assert metric(app, "Loss") == f"{-np.log(said[np.arange(200), labels]).mean():.4f}"
    second = (np.argsort(-said, axis=1)[:, :2] == labels[:, None]).any(axis=1).sum()
    assert metric(app, "Top-2 accuracy") == f"{second / 2:.2f} %"
    low, high = wilson(right, 200)
    assert f"lies in {low:.2f} to {high:.2f} % (95 % Wilson interval)" in text(app)
    learned = int(len(tiny.train.labels) * (1 - SPEC.validation_share))
    p = forward(tiny.train.images[:learned], weights())
    share = (p.argmax(axis=1) == tiny.train.labels[:learned]).mean()
    assert metric(app, "Training accuracy") == f"{100 * share:.2f} %"


def test_the_calibration_error(visit, trained, tiny, said):
    sure, right = said.max(axis=1), said.argmax(axis=1) == tiny.test.labels
    error = 0.0
    for k in range(15):
        inside = (sure > k / 15) & (sure <= (k + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    app = visit("evaluate", part="Calibration", run=trained(SPEC))
    assert metric(app, "Expected calibration error") == f"{100 * error:.2f} %"
    off = right - sure
    half = 1.959964 * off.std() / np.sqrt(200)
    interval = [f"{100 * (off.mean() + s * half):+.2f}".replace("-", "−") for s in (-1, 1)]
    assert f"{interval[0]} to {interval[1]} points" in text(app)


def test_the_damage(visit, trained, tiny):
    app = visit("evaluate", part="Damage", run=trained(SPEC))
    app.slider(key="damage.right").set_value(3).run()
    moved = np.zeros_like(tiny.test.images)
    moved[:, :, 3:] = tiny.test.images[:, :, :-3]
    right = (forward(moved, weights()).argmax(axis=1) == tiny.test.labels).mean()
    assert metric(app, "Accuracy with this damage") == f"{100 * right:.2f} %"


def test_the_recall_of_each_digit(visit, trained, tiny, said):
    table = visit("evaluate", run=trained(SPEC)).dataframe[0].value
    answers, labels = said.argmax(axis=1), tiny.test.labels
    for digit in range(10):
        assert table["recall"][digit] == pytest.approx(
            100 * (answers[labels == digit] == digit).mean())  # fmt: skip


# ---------------------------------------------------------------------- Backprop


def test_the_toy_forward_and_back(visit):
    (w1, b1), (w2, b2) = microscope.TOY.values()
    a = 1 / (1 + np.exp(-(np.array([0.5, -0.4]) @ w1 + b1)))
    e = np.exp(a @ w2 + b2)
    p = e / e.sum()
    app = visit("backprop", network="Toy 2-3-2")
    assert f"a probability of **{100 * p[0]:.2f} %**" in text(app)
    back = w2 @ (p - [1, 0])
    app = visit("backprop", network="Toy 2-3-2", step="8")
    assert f"={back[0]:.4f}" in "".join(formula.value for formula in app.latex)


def test_the_microscopes_probability(visit, trained, tiny, said):
    app = visit("backprop", network="Trained", run=trained(SPEC), image="5")
    p = said[5, tiny.test.labels[5]]
    answer = said[5].argmax()
    assert f"a probability of **{100 * p:.2f} %**, and is read as **{answer}**" in text(app)


def test_the_mean_cross_entropy(visit, trained, tiny, said):
    run = trained(SPEC)
    app = visit("backprop", topic="Concepts", concept="Cross-entropy")
    app.selectbox(key="surprise_model").set_value(run).run()
    loss = -np.log(said[np.arange(200), tiny.test.labels]).mean()
    assert f"**{loss:.4f} nats** = {loss / np.log(2):.4f} bits" in text(app)


def test_what_batch_normalisation_hands_on(visit, tiny):
    app = visit("backprop", topic="Concepts", concept="Batch norm")
    app.slider(key="norm_gamma").set_value(2.0).run()
    app.slider(key="norm_beta").set_value(-1.0).run()
    pattern = (r"and from (\S+) to (\S+) after; their deviations .* and from (\S+) to "
               r"(\S+)\. ")  # fmt: skip
    said = re.search(pattern, text(app)).groups()
    numbers = [float(v.replace("−", "-")) for v in said]
    assert numbers[:2] == [-1, -1]  # β
    assert numbers[3] == pytest.approx(2, abs=0.02) and numbers[2] <= 2  # γ · σ / √(σ² + ε)


def test_the_gradient_of_one_weight(visit, trained, tiny):
    """By the difference quotient of the loss, the weight moved by hand."""
    run, w = trained(SPEC), weights()
    steps = visit("backprop", network="Trained", run=run, image="5")
    total = int(re.search(r"of (\d+)<", text(steps))[1])
    app = visit("backprop", network="Trained", run=run, image="5", step=str(total - 1))
    told = re.search(r"The weight from (?:input (\d+)|row (\d+), column (\d+)) to unit (\d+) of "
                     r"(\w+)</caption>.*?∂L/∂w</td><td>([^<]+)<", text(app), re.S)  # fmt: skip
    i = int(told[1]) if told[1] else 28 * int(told[2]) + int(told[3])
    j, layer, value = int(told[4]), told[5], told[6]
    image, label = tiny.test.images[5:6], tiny.test.labels[5]

    def loss(move):
        moved = {name: array.copy() for name, array in w.items()}
        moved[f"{layer}/kernel"][i, j] += move
        return -np.log(forward(image, moved)[0, label])

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    digits = value.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")).replace(" × 10", "e")
    assert float(digits.replace("\N{NO-BREAK SPACE}", " ")) == pytest.approx(slope, abs=2e-6)
