"""The concepts of the Backprop page through AppTest: each opens, and its numbers are computed."""


import re

import numpy as np
import pytest

from mnist_core.lessons import concepts
from mnist_core.network.losses import cross_entropy
from mnist_core.runs import models
from tests.pages.visiting import text


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
        assert f"x.shape  →  {shape}\nx.ndim   →  {rank}" in app.code[0].value
    assert "→  (10, 128)" in app.code[1].value


def test_the_slope_is_beside_its_difference_quotient(concept):
    app = concept("Activations")
    app.selectbox(key="activation_name").select("sigmoid").run()
    app.slider(key="activation_z").set_value(-2.0).run()
    slope = 1 / (1 + np.exp(2)) * (1 - 1 / (1 + np.exp(2)))
    assert metric(app, "a′(z), by formula") == f"{slope:.6f}"
    assert metric(app, "by difference quotient") == f"{slope:.6f}"
    assert f"**{slope**10:.3g}**" in text(app)
    app.selectbox(key="activation_name").select("relu").run()
    app.slider(key="activation_z").set_value(0.0).run()
    assert "has a corner" in text(app)


def test_the_naive_softmax_breaks_and_the_stable_one_does_not(concept):
    app = concept("Softmax")
    whole = list(table(app)["maximum subtracted"])
    assert list(table(app)["as the formula stands"]) == whole
    app.slider(key="added").set_value(100.0).run()
    assert "nan" in list(table(app)["as the formula stands"])
    assert list(table(app)["maximum subtracted"]) == whole
    assert "is not a number" in text(app)


def test_the_loss_of_real_digits_in_two_units(concept, tiny):
    app = concept("Cross-entropy")
    logits = models.default().network.forward(tiny.test.images).astype(float)
    loss = cross_entropy(logits, tiny.test.labels)[0]
    assert f"**{loss:.4f} nats** = {loss / np.log(2):.4f} bits" in text(app)
    assert "2.3026 nats (ln 10) = 3.3219 bits" in text(app)
    app.slider(key="surprise_p").set_value(0.5).run()
    assert metric(app, "logarithm to base 2") == "1.0000 bits"


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
    assert "Adam [0.1, 0.1]" in text(app)


def test_the_shift_of_the_input_is_undone(concept):
    app = concept("Batch norm")
    app.slider(key="norm_scale").set_value(1.0).run()
    app.slider(key="norm_shift").set_value(0.0).run()
    assert "a change of at most 0." in text(app)
    before = re.search(r"means run from (\S+) to (\S+) before", text(app)).groups()
    app.slider(key="norm_shift").set_value(0.8).run()
    assert re.search(r"means run from (\S+) to (\S+) before", text(app)).groups() != before
    assert "all 0.00 after" in text(app)


def test_dropout_silences_and_can_be_drawn_again(concept):
    app = concept("Dropout")
    first = text(app)
    app.button(key="dropout_draw").click().run()
    assert text(app) != first
    app.slider(key="dropout_rate").set_value(0.0).run()
    assert "they silence 0, 0, 0" in text(app)


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
