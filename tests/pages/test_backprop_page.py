"""The microscope of the Backprop page through AppTest: whole passes, choices, training."""

import re

import numpy as np
import pytest

from mnist_core.charts import plotting
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.lessons import microscope
from mnist_core.lessons.microscope import steps
from mnist_core.network import optimizers
from mnist_core.network.network import Network
from mnist_core.runs import models
from pages._backprop import graph_drawing
from pages._backprop.state import BackpropState
from pages._components import field
from tests.pages.visiting import query, remembered, text

DENSE = RunSpec(layers=(Layer(8, "relu", True, 0.2),))
MAPS = RunSpec(layers=(), convolutions=(Conv(4, 3, "tanh", pool=3),))
TOY = {"network": "Toy 2-3-2"}


def shown(app):
    """What the stepper says: the phase, the step and how many there are."""
    phase, at, n = re.search(r'id="where">(\w+) · step (\d+) of (\d+)<', text(app)).groups()
    return phase, int(at), int(n)


def press(app, key):
    app.button(key=key).click().run()
    assert not app.exception
    return app


def of_design(visit, spec, **query):
    """The page on a fresh network of this design."""
    app = visit("backprop")
    remembered(app).spec = spec
    for name, value in ({"network": "Fresh"} | query).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def through(app):
    """Step to the end: the phase and the code of each step."""
    seen = [(shown(app)[0], [code.value for code in app.code])]
    while not app.button(key="step_next").disabled:
        press(app, "step_next")
        seen.append((shown(app)[0], [code.value for code in app.code]))
    return seen


def assert_whole(seen, expected):
    """The phases in their order, each step with the source of what computes it."""
    phases = [phase for phase, _ in seen]
    assert list(dict.fromkeys(phases)) == ["Forward", "Loss", "Backward", "Update"]
    assert len(seen) == len(expected)
    rule = optimizers.OPTIMIZERS["sgd"](0.1)
    for (_, code), step in zip(seen, expected, strict=True):
        sources = [microscope.source(f) for f in microscope.code(step, rule)]
        assert code == [source.text for source in sources if source]


def test_a_whole_pass_through_the_toy_and_back_to_its_beginning(visit):
    app = visit("backprop", **TOY)
    assert app.button(key="step_back").disabled
    x = np.array([0.5, -0.4])
    assert_whole(through(app), steps(microscope.toy("sigmoid"), x, 0))
    assert query(app)["step"] == "11"
    for _ in range(3):
        press(app, "step_back")
    assert shown(app) == ("Backward", 9, 12)


@pytest.mark.parametrize("spec", [DENSE, MAPS], ids=["dense", "convolution"])
def test_a_whole_pass_through_a_network_of_the_visitors_design(visit, tiny, spec):
    app = of_design(visit, spec)
    net = microscope.fresh(spec, 0)
    assert_whole(through(app), steps(net, tiny.test.images[0], int(tiny.test.labels[0])))


def test_the_step_of_the_link_is_shown_and_nonsense_is_the_first(visit):
    app = visit("backprop", step="4", **TOY)
    assert shown(app) == ("Forward", 5, 12)
    for given, at in (("-3", 1), ("9999", 12), ("x", 1)):
        app.query_params["step"] = given
        app.run()
        assert not app.exception and shown(app)[1] == at


def test_a_neuron_shows_its_products_and_a_weight_its_next_value(visit, tiny):
    spec = RunSpec(layers=(Layer(8, "tanh"),))
    app = of_design(visit, spec, step="3", image="4")
    app.number_input(key="pick_dense_1 unit_0").set_value(5).run()
    app.number_input(key="pick_dense_1 input_0").set_value(14).run()
    app.number_input(key="pick_dense_1 input_1").set_value(13).run()
    assert not app.exception
    net, image = microscope.fresh(spec, 0), tiny.test.images[4]
    found = steps(net, image, int(tiny.test.labels[4]))
    z = found[3].result[5]
    assert f"{z:.4g}" in app.latex[-1].value and "784 products" in app.latex[-1].value
    dense = net.layers[2]
    w, g = dense.parameters["kernel"][14 * 28 + 13, 5], dense.gradients["kernel"][14 * 28 + 13, 5]
    rows = dict(re.findall(r"<tr><td>(.*?)</td><td>(.*?)</td>", text(app)))
    read = [float(value.replace("−", "-")) for value in rows.values()]
    assert read == pytest.approx([w, g, w - 0.01 * g, -0.01 * g], rel=1e-3, abs=1e-6)
    app.selectbox(key="trial_rule").set_value("adam").run()
    assert "after one step of Adam, η = 0.0001" in text(app)


def probability(app):
    return float(re.search(r"probability of \*\*([\d.]+) %", text(app))[1])


def test_steps_on_the_image_move_the_probability_until_a_reset(visit):
    app = visit("backprop", **TOY)
    before = probability(app)
    press(app, "do_1")
    press(app, "do_10")
    after = probability(app)
    assert after > before and "before 11 steps" in text(app)
    press(app, "step_next")
    assert probability(app) == after
    press(app, "trial_reset")
    assert probability(app) == before
    press(app, "do_10")
    app.selectbox(key="toy_label").set_value(1).run()  # another specimen begins anew
    assert probability(app) == pytest.approx(100 - before)


def test_a_link_to_an_image_wins_over_what_was_looked_at(visit, tiny):
    app = visit("backprop", **TOY)
    app.query_params.clear()
    app.query_params["image"] = "7"
    app.run()
    assert not app.exception
    assert query(app)["network"] == "Trained" and query(app)["from"] == "Test set"
    assert app.number_input(key="specimen_index").value == 7
    labels = [box.value for box in app.selectbox if box.label == "Label"]
    assert labels == [tiny.test.labels[7]]


def test_the_visitors_drawing_comes_from_the_draw_page(visit, tiny):
    app = visit("backprop", **{"from": "Your drawing"})
    assert "not drawn anything" in text(app)
    remembered(app).read = tiny.test.images[3]
    app.run()
    assert not app.exception and shown(app)[1] == 1
    assert f"Read as {tiny.test.labels[3]}" in text(app) and "image" not in query(app)


def test_an_image_is_sent_from_the_dataset_page(visit, tiny):
    app = visit("backprop", **TOY)
    app.switch_page("pages/dataset.py").run()
    app.query_params["split"] = "test"
    app.run()
    press(app, "send_one_backprop")
    assert app.title[0].value == "Backpropagation, by hand"
    split, index = remembered(app).sent[0]
    assert f"`{split}_images[{index}]` from the dataset" in text(app)
    assert query(app)["from"] == "Basket" and shown(app)[1] == 1


def test_one_image_that_was_sent_gives_way_to_the_whole_basket(visit):
    app = visit("backprop", **{"from": "Basket"})
    mine = remembered(app)
    mine.basket, mine.sent = [("test", 4), ("train", 5)], [("train", 9)]
    app.run()
    assert "`train_images[9]` from the dataset" in text(app)
    press(app, "whole_basket")
    assert "`test_images[4]` from the dataset" in text(app)


def test_an_empty_basket_says_what_to_do(visit):
    assert "Nothing is collected yet" in text(visit("backprop", **{"from": "Basket"}))


def test_a_mistake_is_a_mistake(visit, mnist, use):
    use(mnist)
    app = of_design(visit, DENSE)
    press(app, "specimen_mistake")
    index = int(query(app)["image"])
    said = microscope.fresh(DENSE, 0).predict(mnist.test.images[index][None]).argmax()
    assert said != mnist.test.labels[index]
    press(app, "specimen_draw")
    assert (remembered(app).template == mnist.test.images[index]).all()


@pytest.mark.parametrize("shape", [(5,), (70,), (28, 28), (4, 5, 7), (3, 3, 1)])
def test_each_number_of_an_array_has_one_cell(shape):
    cells = field.layout(shape)
    assert sorted(cells[cells >= 0]) == list(range(np.prod(shape)))


def test_maps_stand_side_by_side():
    cells = field.layout((2, 3, 4))
    assert cells.shape == (2 * 3 - 1, 2 * 4 - 1)
    first, second = (np.arange(24).reshape(2, 3, 4)[..., i] for i in (0, 1))
    assert (cells[:2, :3] == first).all() and (cells[:2, 4:7] == second).all()
    assert (cells[2] == -1).all() and (cells[:, 3] == -1).all()


def test_the_curve_has_the_probability_before_and_after_each_step():
    options = plotting.label_curve([0.25, 0.5, 0.75], 3)
    assert options["series"][0]["data"] == [[0, 0.25], [1, 0.5], [2, 0.75]]
    assert options["xAxis"]["max"] == 2 and "label 3" in options["title"]["text"]


def test_a_session_begins_without_a_copy():
    assert BackpropState().trial is None


@pytest.mark.parametrize("spec", [DENSE, MAPS])
def test_the_strips_delta_is_that_of_the_formulas(spec):
    """∂L/∂(the layer's output), by difference quotients, and not ∂L/∂W or ∂L/∂(its input)."""
    network = microscope.fresh(spec, 0)
    # Noise: on blank paper the values of a pooling window are all alike, and none is its largest.
    x, label = np.random.default_rng(0).integers(0, 256, (28, 28)), 7
    strip = graph_drawing.layers(steps(network, x, label), 0)
    told = re.findall(r"← δ ([^<]+)<", strip)
    layers = network.layers
    first = next(i for i, layer in enumerate(layers) if layer.parameters)
    expected = []
    for i in range(first, len(layers)):
        out = _output(layers, x, i)
        place = np.unravel_index(_largest(layers, out, i, label), out.shape)
        expected.append(abs(_slope(layers, out, i, label, place)))
    for value, size in zip(told, expected, strict=False):
        assert _number(value) == pytest.approx(size, rel=0.06)
    assert len(told) == len(expected) + 1  # and that of the loss, p − y


def _output(layers, x, i):
    out = x[None]
    for layer in layers[: i + 1]:
        out = layer.forward(out)
    return out


def _loss(layers, out, i, label):
    for layer in layers[i + 1 :]:
        out = layer.forward(out)
    shifted = out[0] - out[0].max()
    return float(np.log(np.exp(shifted).sum()) - shifted[label])


def _slope(layers, out, i, label, place, h=1e-5):
    up, down = out.copy(), out.copy()
    up[place] += h
    down[place] -= h
    return (_loss(layers, up, i, label) - _loss(layers, down, i, label)) / (2 * h)


def _largest(layers, out, i, label):
    """The place of the largest slope, by trying each."""
    slopes = [abs(_slope(layers, out, i, label, place)) for place in np.ndindex(out.shape)]
    return int(np.argmax(slopes))


def _number(text):
    value = text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")).replace(" × 10", "e")
    return float(value)


def test_the_microscope_opens_on_a_mistake(visit, tiny, trained):
    """On an image that is read right every δ is nearly 0: there is nothing to see."""
    app = visit("backprop", network="Trained", run=trained(DENSE))
    said = Network.from_spec(DENSE, np.random.default_rng(0)).predict(tiny.test.images)
    wrong = np.flatnonzero(said.argmax(axis=1) != tiny.test.labels)
    assert app.number_input(key="specimen_index").value == wrong[0]
    assert f"Read as {said[wrong[0]].argmax()} as it came" in text(app)
    app = visit("backprop", network="Trained", run="default")  # reads all of these right
    p = models.default().network.predict(tiny.test.images[:50])
    assert app.number_input(key="specimen_index").value == p.max(axis=1).argmin()


def test_what_it_reads_after_some_steps_is_said(visit):
    app = visit("backprop", **TOY)
    app.selectbox(key="toy_label").set_value(1).run()
    first = re.search(r"is read as \*\*(\d)\*\*", text(app))[1]
    for _ in range(6):
        press(app, "do_100")
    assert re.search(r"is read as \*\*(\d)\*\*", text(app))[1] == "1"
    assert first in "01"


def test_graph_and_panels_count_from_zero(visit):
    app = visit("backprop", **TOY, step="1")
    drawn = graph_drawing.toy(steps(microscope.toy("sigmoid"), np.array([0.5, -0.4]), 0), 1, 0)
    assert "input 0: 0.500" in drawn and "unit 0" in drawn and "class 0 (label)" in drawn
    assert {"Input 0", "Input 1"} <= {slider.label for slider in app.slider}
    assert "Unit (0 to 2)" in {field.label for field in app.number_input}
