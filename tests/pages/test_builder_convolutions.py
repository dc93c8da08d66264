"""Convolution blocks on the builder page, and a convolutional run as the model that answers."""

import numpy as np
import pytest

from mnist_core.data.identity import Identity
from mnist_core.design.spec import Conv, Layer, RunSpec
from mnist_core.exports import keras_script
from mnist_core.network.initial import initial_weights
from mnist_core.network.network import Network
from mnist_core.training import events
from tests.pages.visiting import answer, draw, query, seen_by_the_model, surest, text

TWO = RunSpec((), convolutions=(Conv(8, 5, "tanh", True, 3, 0.25), Conv(12, 3, pool=1)))
SLIDERS = "filters", "kernel", "pool"


def design(app) -> RunSpec:
    return RunSpec.from_query(query(app))


def test_the_block_count_makes_blocks(visit):
    app = visit("builder")
    for count in (2, 3, 0, 1):
        app.slider(key="design.convolutions").set_value(count).run()
        assert not app.exception
        shown = [s.key for s in app.slider if s.key.startswith("design.conv.filters")]
        assert shown == [f"design.conv.filters.{i}" for i in range(count)]
        assert len(design(app).convolutions) == count
        assert app.code[0].value.strip() == keras_script.keras_code(design(app)).strip()


def test_every_control_of_a_block_is_in_the_url_and_the_code(visit):
    app = visit("builder")
    app.slider(key="design.convolutions").set_value(2).run()
    app.slider(key="design.conv.filters.1").set_value(16)
    app.select_slider(key="design.conv.kernel.1").set_value(5)
    app.select_slider(key="design.conv.pool.1").set_value(1)
    app.selectbox(key="design.conv.activation.1").set_value("elu")
    app.toggle(key="design.conv.norm.1").set_value(True)
    app.slider(key="design.conv.dropout.1").set_value(0.25).run()
    block = Conv(16, 5, "elu", True, 1, 0.25)
    expected = RunSpec(convolutions=(Conv(), block))
    assert query(app) == expected.to_query()
    assert app.code[0].value.strip() == keras_script.keras_code(expected).strip()
    app.button(key="conv.apply_1").click().run()
    assert design(app).convolutions == (block, block)
    assert design(app).layers == RunSpec().layers  # they are no convolutions


def test_there_need_be_no_hidden_layer(visit):
    app = visit("builder")
    app.slider(key="design.count").set_value(0).run()
    assert not app.exception and design(app).layers == ()
    assert "7,850 parameters" in text(app) and not app.button(key="train").disabled
    app.slider(key="design.count").set_value(1).run()
    assert design(app).layers == (Layer(),)


def test_the_diagram_names_the_layers_of_a_convolutional_design(visit):
    said = text(visit("builder", **TWO.to_query()))
    for words in ("convolution 8 <small>5 × 5, tanh", "max-pooling <small>3 × 3", "24 × 24 × 8",
                  "as a map of one channel", "convolution 12 <small>3 × 3, relu",
                  "all values in one row", "432"):  # fmt: skip
        assert words in said
    assert said.count("max-pooling <small>") == 1


def test_a_design_comes_back_from_its_url(visit):
    app = visit("builder", **TWO.to_query())
    assert not app.warning and design(app) == TWO
    assert app.select_slider(key="design.conv.pool.0").value == 3


@pytest.mark.parametrize(
    ("blocks", "says"),
    [((Conv(32, 7, pool=3),) * 3, "finds only"), ((Conv(64, 7, pool=1),) * 2, "multiplies")],
)
def test_blocks_that_cannot_be_are_said_and_not_trained(visit, blocks, says):
    app = visit("builder")
    app.slider(key="design.convolutions").set_value(len(blocks)).run()
    for i, block in enumerate(blocks):
        app.slider(key=f"design.conv.filters.{i}").set_value(block.filters)
        for name in ("kernel", "pool"):
            app.select_slider(key=f"design.conv.{name}.{i}").set_value(getattr(block, name))
    app.run()
    assert not app.exception
    assert says in app.error[0].value
    assert app.button(key="train").disabled and not app.code
    assert ("all parameters" in text(app)) == (says != "finds only")  # the diagram


def test_a_convolutional_run_answers_a_drawing(visit, runs, tiny):
    run = runs.create(TWO, "ada", Identity("d", "s"))
    weights = initial_weights(TWO, np.random.default_rng(0))
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    runs.begin(run.id)
    runs.save_checkpoint(run.id, events.Checkpoint(8, weights, {}))
    runs.end(run.id, "finished", test_accuracy=0.5, test_loss=1.0, seconds=1.0)
    app = draw(visit("draw"), surest(tiny, 3))
    (who,) = app.selectbox
    assert any("28x28-conv8-conv12-10 · adam" in option for option in who.options)
    who.set_value(run.id).run()
    assert not app.exception
    said = Network.from_weights(TWO, weights).predict(seen_by_the_model(app)[None])[0]
    assert answer(app) == said.argmax()
