"""The concepts of the Backprop page through AppTest: each opens, and its numbers are computed."""


import json
import re

import numpy as np
import pytest

from mnist_core.basis import numbers
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.lessons import concepts, depth_and_scale
from mnist_core.network import initial
from mnist_core.network.losses import cross_entropy
from mnist_core.runs import models
from mnist_core.statistics import shapes
from tests.pages.visiting import text
from tests.serving import wait_for


@pytest.fixture
def concept(visit):
    """A function that opens a concept by its link."""

    def open_it(name):
        app = visit("backprop", topic="Concepts", concept=name)
        assert app.segmented_control(key="choice_concept").value == name
        assert not app.warning and not app.error and not app.info
        return app

    return open_it


def table(app):
    return app.table[0].value


def metric(app, label):
    return next(m.value for m in app.metric if m.label == label)


def test_a_rank_is_the_number_of_indices(concept, tiny):
    app = concept("Tensors")
    for rank, shape in enumerate(((), (28,), (28, 28), (10, 28, 28), (10, 28, 28, 1))):
        app.select_slider(key="tensor_rank").set_value(rank).run()
        assert f"t.shape  # {shape}\nt.ndim   # {rank}" in app.code[0].value
        assert (rank > 1) == ("tensor_row" not in {slider.key for slider in app.slider})
    assert "→ (10, 128)" in app.code[1].value


def test_what_stands_as_python_is_python(concept, tiny):
    app = concept("Tensors")
    names = {"images": tiny.test.images[:10], "W": np.zeros((784, 128)), "b": np.zeros(128)}
    for block in app.code:
        exec(block.value, names)
    assert names["t"].shape == (28, 28) and names["z"].shape == (10, 128)


def test_the_slope_is_beside_its_difference_quotient(concept):
    app = concept("Activations")
    app.selectbox(key="activation_name").select("sigmoid").run()
    app.slider(key="activation_z").set_value(-2.0).run()
    slope = 1 / (1 + np.exp(2)) * (1 - 1 / (1 + np.exp(2)))
    assert metric(app, "a′(z), by formula") == f"{slope:.6f}"
    assert metric(app, "by difference quotient") == f"{slope:.6f}"
    power = f"{slope**10:.2e}".replace("e-10", " × 10⁻¹⁰")
    assert f"**{power}**" in text(app)
    app.selectbox(key="activation_name").select("relu").run()
    app.slider(key="activation_z").set_value(0.0).run()
    assert "has a corner" in text(app)


def test_the_naive_softmax_breaks_and_the_stable_one_does_not(concept):
    app = concept("Softmax")
    whole = list(table(app)["maximum subtracted"])
    assert list(table(app)["as the formula stands"]) == whole
    app.slider(key="added").set_value(100.0).run()
    assert "NaN" in list(table(app)["as the formula stands"])
    assert list(table(app)["maximum subtracted"]) == whole
    assert "is not a number" in text(app)


def test_the_table_and_the_answer_follow_the_temperature(concept):
    app = concept("Softmax")
    app.select_slider(key="temperature").set_value(5.0).run()
    z = np.array([3.0, 1.0, 2.0, -1.0]) / 5
    p = np.exp(z) / np.exp(z).sum()
    assert [float(v) for v in table(app)["maximum subtracted"]] == pytest.approx(p, abs=5e-5)
    assert "is **0**, the place of the largest, and place 0 is “a 3”" in text(app)
    app.slider(key="logit_2").set_value(9.0).run()
    assert "is **2**, the place of the largest, and place 2 is “a 8”" in text(app)


def test_the_point_that_is_asked_about_stays_on_the_chart(concept):
    app = concept("Activations")
    app.selectbox(key="activation_name").select("relu").run()
    app.slider(key="activation_z").set_value(5.0).run()
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    low, high = spec["layout"]["yaxis"]["range"]
    assert low < 0 < 5 < high
    derivative = next(t for t in spec["data"] if t["name"].startswith("derivative"))
    assert None in derivative["y"] or "bdata" in derivative["y"]  # a step, and no ramp


def test_the_loss_of_real_digits_in_two_units(concept, tiny):
    app = concept("Cross-entropy")
    logits = models.default().network.forward(tiny.test.images).astype(float)
    loss = cross_entropy(logits, tiny.test.labels)[0]
    assert f"**{loss:.4f} nats** = {loss / np.log(2):.4f} bits" in text(app)
    assert "2.3026 nats (ln 10) = 3.3219 bits" in text(app)
    app.slider(key="surprise_p").set_value(0.5).run()
    assert metric(app, "logarithm to base 2") == "1.0000 bits"


def test_labels_opens_on_the_image_that_there_is_most_to_see_of(concept, tiny):
    app = concept("Labels")
    p = models.default().network.predict(tiny.test.images)[np.arange(200), tiny.test.labels]
    assert app.slider(key="labels_image").value == p.argmin()


def test_one_hot_and_sparse_losses_are_computed_and_equal(concept, tiny):
    app = concept("Labels")
    app.slider(key="labels_image").set_value(3).run()
    found = app.table[1].value
    assert list(found["one-hot"]) == list(found["sparse"])
    logits = models.default().network.forward(tiny.test.images[3:4]).astype(float)
    expected = concepts.sparse_cross_entropy(logits, tiny.test.labels[3:4])
    assert float(found["sparse"].iloc[0]) == pytest.approx(expected, abs=1e-6)


def test_smaller_batches_take_more_steps(concept, tiny):
    app = concept("Batches")
    n = sum(min(300, int((tiny.train.labels == d).sum())) for d in (1, 7))
    app.select_slider(key="batch_size").set_value(8).run()
    assert (f"full batch ({n}) 5 steps, mini-batch (8) {5 * -(-n // 8):,} steps, "
            f"stochastic (1) {5 * n:,} steps") in text(app)  # fmt: skip


def ends(app):
    """How far above the least loss each path ended."""
    said = re.search(r"at the end: (.*)\.$", text(app), re.M)[1]
    parts = (re.match(r"(.+?)(?: \(η .*\))? (\S+)$", part) for part in said.split(", "))
    return {part[1]: float(part[2]) for part in parts}


def test_too_small_and_too_large_rates_end_higher(concept):
    found = ends(concept("Learning rate"))
    assert found["right"] < found["too small"] and found["right"] < found["too large"]


def test_the_optimizers_go_different_ways(concept):
    app = concept("Optimizers")
    assert set(ends(app)) == {"SGD", "Momentum", "RMSprop", "Adam"}
    assert len(set(ends(app).values())) > 2
    found = re.search(r"against it lies (\d+)° off .* Adam \((\S+), (\S+)\)\.", text(app))
    assert found and 0 <= int(found[1]) <= 180
    assert {found[2].lstrip("+−"), found[3].lstrip("+−")} == {"0.100"}
    steps = re.search(r"The gradient at the start is \((\S+), (\S+)\)", text(app)).groups()
    assert [g[0] == "−" for g in steps] == [w[0] == "+" for w in found.groups()[1:]]


@pytest.mark.parametrize("name", ["Batches", "Learning rate", "Optimizers"])
def test_the_model_that_is_printed_reads_as_well_as_it_says(concept, tiny, name):
    """p = σ(w₁ · thickness + w₂ · width) with features not centred was right for 50 %."""
    said = text(concept(name))
    number = r"(−?[\d.]+)"
    feature = r"\({} − " + number + r"\)(?: / " + number + ")?"
    printed = re.search("w₁ · " + feature.format("thickness") + r" \+ w₂ · "
                        + feature.format("width") + r"\) is its probability", said)  # fmt: skip
    mean = np.array([float(printed[1]), float(printed[3])])
    scale = np.array([float(printed[2] or 1), float(printed[4] or 1)])
    train = tiny.train
    rows = np.concatenate([np.flatnonzero(train.labels == d)[:300] for d in (1, 7)])
    found = shapes.measures(train.images[rows])
    x = (np.stack([found["thickness"], found["width"]], axis=1) - mean) / scale
    t, w = (train.labels[rows] == 7).astype(float), np.zeros(2)
    for _ in range(30):  # Newton's method, written anew
        p = 1 / (1 + np.exp(-x @ w))
        w -= np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x, x.T @ (p - t))
    right = (((x @ w > 0) == (t == 1)).mean()) * 100
    assert f"There it reads {right:.2f} % of these {len(rows)} right" in said


def test_the_right_rate_is_right(concept):
    """The path called right neither zigzags nor creeps, in either unit."""
    app = concept("Learning rate")
    for _ in range(2):
        way = re.search(r"multiple of the straight line: (.*)\.$", text(app), re.M)[1]
        ways = dict(re.findall(r"(right|too large) \(η \S+\) ([\d.]+)", way))
        assert float(ways["right"]) < 2 < float(ways["too large"])
        above = ends(app)
        assert above["right"] == min(v for k, v in above.items() if k != "yours")
        app.toggle(key="rate_standardised").set_value(True).run()


def test_the_shift_of_the_input_is_undone(concept):
    app = concept("Batch norm")
    app.slider(key="norm_scale").set_value(1.0).run()
    app.slider(key="norm_shift").set_value(0.0).run()
    assert "a change of at most 0." in text(app)
    before = re.search(r"means run from (\S+) to (\S+) before", text(app)).groups()
    app.slider(key="norm_shift").set_value(0.8).run()
    assert re.search(r"means run from (\S+) to (\S+) before", text(app)).groups() != before
    assert "and from 0.00 to 0.00 after" in text(app)
    app.slider(key="norm_beta").set_value(1.5).run()
    assert "and from 1.50 to 1.50 after" in text(app)
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert "always the same place" not in str(spec["layout"]["annotations"])
    assert "y, after" in str(spec["layout"])


def test_dropout_silences_and_can_be_drawn_again(concept):
    app = concept("Dropout")
    first = text(app)
    app.button(key="dropout_draw").click().run()
    assert text(app) != first
    app.slider(key="dropout_rate").set_value(0.0).run()
    assert "they silence 0, 0, 0" in text(app)


def test_vanishing_gradients_are_those_of_the_layers(concept, tiny):
    app = concept("Vanishing gradient")
    images, labels = tiny.train.images[:256], tiny.train.labels[:256]
    for name in ("sigmoid", "relu"):
        sizes = depth_and_scale.flow(name, 6, (images, labels))
        assert len(sizes) == 7
        times = sizes[-1] / sizes[0]
        part = f"1 / {numbers.significant(times)} as large"
        more = f"{numbers.significant(1 / times)} times as large"
        assert f"with {name} it is {part if times > 1 else more}" in text(app)
    wait_for(lambda: app.run() and "After one epoch" in text(app), "both have been trained")
    said = re.search(r"\*\*sigmoid\*\* ([\d.]+) % and \*\*relu\*\* ([\d.]+) %", text(app))
    assert 0 <= float(said[1]) <= float(said[2]) <= 100


def test_a_batchs_gradient_is_the_mean_of_its_images(concept, tiny):
    """Recomputed without `network`: one hidden layer, by its own weights."""
    app = concept("One and a batch")
    w = initial.initial_weights(RunSpec((Layer(32),)), np.random.default_rng(0))
    w = {name: value.astype(float) for name, value in w.items()}
    k1, b1, k2, b2 = (w[f"{layer}/{name}"] for layer in ("dense_1", "logits")
                      for name in ("kernel", "bias"))  # fmt: skip
    a = np.maximum(tiny.test.images[:4].reshape(4, -1) / 255 @ k1 + b1, 0)
    z = a @ k2 + b2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    delta = p[:, 7] - (tiny.test.labels[:4] == 7)
    mean = (a[:, 5] * delta).mean()
    said = re.findall(r"\*\*(−?[\d.]+)\*\*", text(app).split("One image at a time")[1])[:2]
    assert [float(v.replace("−", "-")) for v in said] == pytest.approx([mean, mean], abs=1e-7)
    column = [float(v.replace("−", "-")) for v in table(app)["÷ m"]]
    assert column == pytest.approx(a[:, 5] * delta / 4, abs=1e-6)


def test_divided_by_255_the_same_training_goes_well(concept):
    app = concept("Scaling")
    wait_for(lambda: app.run() and "pixels ÷ 255: " in text(app), "both have been trained")
    shares = re.search(r"÷ 255: ([\d.]+) % .*0 to 255: ([\d.]+) %", text(app))
    assert float(shares[1]) > float(shares[2]) + 10


def test_what_a_change_did_to_the_gap_is_observed(concept):
    app = concept("Overfitting")
    app.select_slider(key="over_images").set_value(50).run()
    app.slider(key="over_epochs").set_value(10).run()

    def gap():
        return float(metric(app, "Gap at the end").split()[0].replace("−", "-"))

    wait_for(lambda: app.run() and app.metric, "it has been trained")
    before = gap()
    app.select_slider(key="over_width").set_value(8).run()
    wait_for(lambda: app.run() and "units 128 → 8" in text(app), "the other too")
    word = "narrowed" if gap() < before else "widened"
    assert f"(units 128 → 8) {word} the gap: {before:.4f} → {gap():.4f} nats" in text(app)
    assert "save_best_only=True" in text(app) and '`monitor="val_accuracy"`' in text(app)


def test_overfitting_is_trained_anew_for_other_settings(concept):
    app = concept("Overfitting")
    app.select_slider(key="over_images").set_value(50).run()
    app.slider(key="over_epochs").set_value(20).run()
    assert not app.exception
    best = int(metric(app, "Best epoch"))
    assert 0 < best <= 20 and "validation" in text(app)
    app.slider(key="over_patience").set_value(1).run()
    stop = metric(app, "Patience stops at")
    assert stop == "the end" or int(stop) <= 20
