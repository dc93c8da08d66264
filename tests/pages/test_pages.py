"""Each page through AppTest: what it shows, and that its controls do what they say."""

import base64
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from mnist_core.basis import Job
from mnist_core.data import dataset
from mnist_core.data.identity import Identity
from mnist_core.design.spec import OPTIMIZERS, Layer, RunSpec
from mnist_core.exports import keras_script
from mnist_core.network.network import Network
from mnist_core.runs import models
from mnist_core.training import events
from pages._shell import navigation
from tests.pages.visiting import (
    BEGUN,
    ROOT,
    SMALL,
    STEMS,
    UNDER_WAY,
    answer,
    draw,
    line,
    open_page,
    query,
    seen_by_the_model,
    surest,
    text,
)

# ------------------------------------------------------------------- every page


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("size", ["tiny", "all"])
def test_a_page_opens_and_names_its_data(stem, size, request, desk, use):
    data = request.getfixturevalue("tiny" if size == "tiny" else "mnist")
    if data.source == "sample":
        pytest.skip("MNIST_DATA names no full set")
    use(data)
    app = open_page(stem)
    assert app.title[0].value
    assert stem == "draw" or data.name in text(app)  # the draw page shows no data


def test_no_page_needs_tensorflow(tmp_path, tiny):
    code = f"""
import sys
import pytest
from tests.pages.visiting import Desk, STEMS, open_page
from mnist_core.runs import Runs
from pages._shell import shared
desk = Desk(Runs({str(tmp_path)!r}))
shared.runs, shared.service = lambda: desk.runs, lambda: desk
for stem in STEMS:
    open_page(stem)
    if stem == "dataset":  # the first digits do not wait for what draws the charts
        assert "pages._dataset.browse" in sys.modules
        late = {{"pages._dataset.pixel_statistics", "mnist_core.charts", "pandas"}}
        assert not late & set(sys.modules)
loaded = {{"tensorflow", "keras", "mnist_core.training.engine"}} & set(sys.modules)
assert not loaded, loaded
"""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = os.environ | {"PYTHONPATH": paths, "MNIST_DATA": tiny.source}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def arriving(desk, mnist, monkeypatch):
    """The sample on every page, and a download that does what the test says."""
    if mnist.source == "sample":
        pytest.skip("needs a second data set that arrives")
    monkeypatch.delenv("MNIST_DATA", raising=False)
    download = Job("The download")
    monkeypatch.setattr(dataset, "download", lambda: download)
    monkeypatch.setattr(dataset, "start_download", lambda: download)
    sample = dataset.load("sample")
    monkeypatch.setattr(dataset, "cache_path", lambda: Path(mnist.source))
    monkeypatch.setattr(
        dataset, "load", lambda source: sample if source in ("auto", "sample") else mnist
    )
    return download


def test_the_sample_says_how_far_the_full_set_is(arriving):
    arriving.report(0.25)
    said = text(open_page("dataset"))
    assert "sample" in said and "(25 %)" in said


def test_the_sample_says_why_the_full_set_did_not_come(arriving):
    arriving.fail("example.org could not be reached.")
    assert "sample" in (said := text(open_page("dataset"))) and arriving.message in said


def test_the_full_set_is_used_when_asked_for(arriving, mnist, monkeypatch):
    arriving.set_result(None)
    app = open_page("dataset")
    assert "sample" in text(app)
    app.button(key="use_full").click().run()
    assert mnist.name in text(app) and "sample" not in text(app)


# ------------------------------------------------------------------------- home


def test_home_says_how_good_the_default_model_is(visit):
    assert f"{100 * models.default().about['test_accuracy']:.2f} %" in text(visit("home"))


def test_home_shows_three_real_digits(visit, tiny):
    app = visit("home")
    picture = r'src="data:image/png;base64,([^"]+)" alt="a handwritten (\d)"'
    pictures = re.findall(picture, text(app))
    assert len(pictures) == 3
    for picture, label in pictures:
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
        (found,) = np.flatnonzero((tiny.test.images == image).all(axis=(1, 2)))[:1]
        assert tiny.test.labels[found] == int(label)


@pytest.mark.parametrize("stem", [stem for stem in navigation.PAGES if stem != "home"])
def test_home_leads_to_the_things_to_do(visit, stem):
    app = visit("home")
    app.button(key=f"go_{stem}").click().run()
    assert not app.exception
    assert app.title[0].value == visit(stem).title[0].value


# ---------------------------------------------------------------------- builder


def test_the_layer_count_makes_layers(visit):
    app = visit("builder")
    for count in (1, 4, 6, 2):
        app.slider(key="design.count").set_value(count).run()
        assert [s.key for s in app.slider if s.key.startswith("design.units")] == [
            f"design.units.{i}" for i in range(count)
        ]
        assert len(RunSpec.from_query(query(app)).layers) == count


def test_apply_to_all_gives_every_layer_the_same_settings(visit):
    app = visit("builder")
    app.slider(key="design.count").set_value(3).run()
    app.slider(key="design.units.1").set_value(64)
    app.selectbox(key="design.activation.1").set_value("tanh")
    app.toggle(key="design.norm.1").set_value(False)
    app.slider(key="design.dropout.1").set_value(0.25).run()
    app.button(key="apply_1").click().run()
    assert RunSpec.from_query(query(app)).layers == (Layer(64, "tanh", False, 0.25),) * 3


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_brings_its_own_learning_rate(visit, optimizer):
    app = visit("builder")
    app.select_slider(key="design.rate").set_value(0.5).run()
    app.selectbox(key="design.optimizer").set_value(optimizer).run()
    spec = RunSpec.from_query(query(app))
    if optimizer == RunSpec().optimizer:  # it has not changed, so neither does the rate
        assert spec.learning_rate == 0.5
    else:
        assert spec.learning_rate == OPTIMIZERS[optimizer].learning_rate
        assert spec.optimizer == optimizer


def test_every_control_is_in_the_url_and_the_code(visit):
    app = visit("builder")
    app.slider(key="design.units.0").set_value(256)
    app.select_slider(key="design.batch").set_value(128)
    app.slider(key="design.epochs").set_value(7)
    app.slider(key="design.share").set_value(0.1)
    app.number_input(key="design.seed").set_value(42).run()
    expected = RunSpec(layers=(Layer(256, batch_norm=True),), batch_size=128, epochs=7,
                       validation_share=0.1, seed=42)  # fmt: skip
    assert query(app) == expected.to_query()
    assert app.code[0].value.strip() == keras_script.keras_code(expected).strip()
    assert f"{expected.parameters:,} parameters" in text(app)


def test_designs_come_back_from_their_urls(visit, random_spec):
    rng = np.random.default_rng(3)
    for spec in [random_spec(rng) for _ in range(5)]:
        app = visit("builder", **spec.to_query())
        assert not app.warning or "link" not in app.warning[0].value
        assert RunSpec.from_query(query(app)) == spec


@pytest.mark.parametrize("broken", [
    {"net": "128-magic"}, {"net": "~"}, {"lr": "fast"}, {"epochs": "999999"}, {"v": "99"},
    {"net": "9999-relu"},
])  # fmt: skip
def test_a_broken_part_of_a_url_is_named_and_the_rest_kept(visit, broken):
    kept = RunSpec() if "v" in broken else RunSpec(seed=7)
    app = visit("builder", seed="7", **broken)
    (warning,) = app.warning
    assert (name := next(iter(broken))) == "v" or f"{name}={broken[name]!r}" in warning.value
    assert app.code[0].value.strip() == keras_script.keras_code(kept).strip()
    assert RunSpec.salvaged(query(app)) == (kept, [])
    app.run()
    assert app.warning  # it does not vanish with the next click
    app.slider(key="design.epochs").set_value(4).run()
    assert not app.warning


def test_a_url_collects_what_is_no_design_and_nothing_is_said(visit):
    app = visit("builder", epochs="4", utm_source="mail", fbclid="x")
    assert not app.warning and RunSpec.salvaged(query(app))[0] == RunSpec(epochs=4)


def test_an_impossible_design_blocks_training(visit):
    app = visit("builder")
    app.slider(key="design.count").set_value(6).run()
    for i in range(6):
        app.slider(key=f"design.units.{i}").set_value(1024)
    app.run()
    assert not app.exception
    assert "parameters; a shared host takes at most" in app.error[0].value
    assert app.button(key="train").disabled and not app.code
    app.slider(key="design.units.2").set_value(8).run()
    app.slider(key="design.units.4").set_value(8).run()
    assert not app.error and app.code and not app.button(key="train").disabled


def test_advice_does_not_block_training(visit, runs):
    app = visit("builder")
    app.select_slider(key="design.rate").set_value(1.0).run()
    assert any("learning rate of 1 is" in info.value for info in app.info)
    assert not app.error and not app.button(key="train").disabled


def test_a_training_that_cannot_start_is_said_and_blocked(visit, desk):
    desk.state, desk.message = "failed", "Training is not available: no worker."
    app = visit("builder")
    assert desk.message in text(app) and app.button(key="train").disabled


def test_train_queues_the_design_for_its_visitor(visit, runs, tiny):
    app = visit("builder", **SMALL.to_query())
    app.button(key="train").click().run()
    (run,) = runs.active()
    assert (run.spec, run.source, run.data) == (SMALL, tiny.source, tiny.name)
    assert query(app)["run"] == run.id
    assert app.button(key="train").disabled and not app.button(key="stop").disabled


def test_stop_asks_the_service(visit, desk, runs):
    run = runs.create(SMALL, "ada", Identity("d", "s"))
    app = visit("builder", run=run.id)
    app.button(key="stop").click().run()
    assert desk.stopped == [run.id]


def test_a_run_of_somebody_else_is_for_looking(visit, runs):
    run = runs.create(SMALL, "bob", Identity("d", "s"))
    app = visit("builder", run=run.id)
    assert app.button(key="stop").disabled and not app.button(key="train").disabled
    assert "In the queue" in line(app)[1]
    assert any("Somebody else’s run" in t.value for t in app.text)


def test_an_unknown_run_is_said_to_be_unknown(visit):
    app = visit("builder", run="nobody")
    assert "There is no run under this link" in text(app)
    assert app.button(key="stop").disabled and not app.button(key="train").disabled


# --------------------------------------------------------- a run in each state


def curves(app: AppTest) -> dict:
    """What the curves of the page are drawn of."""
    (found,) = (c for c in app.get("bidi_component") if c.proto.component_name.endswith("curves"))
    return json.loads(found.proto.bytes)


def figures(app: AppTest) -> dict[str, tuple[str, ...]]:
    """The figures above the curves by what they are of."""
    (said,) = (h.value for h in app.html if '<dl class="figures">' in h.value)
    said = said.replace("\N{NO-BREAK SPACE}", " ")
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)(?:<small>(.*?)</small>)?</dd>", said)
    return {name: tuple(filter(None, values)) for name, *values in found}


def test_a_queued_run_shows_its_place(visit, runs):
    first, second = (runs.create(SMALL, "ada", Identity("d", "s")).id for _ in range(2))
    assert "starting" in line(visit("builder", run=first))[1]
    assert "1 run before yours" in line(visit("builder", run=second))[1]


def test_a_queued_run_is_told_how_long_it_waits_and_why_others_go_first(visit, runs, desk):
    first = runs.create(SMALL, "bob", Identity("d", "s")).id
    runs.append(first, [events.Predicted(10.0, 1.0, 31.0, 1)])
    mine = runs.create(SMALL, "ada", Identity("d", "s")).id
    app = visit("builder", run=mine)
    assert "1 run before yours, about 30 s" in line(app)[1]
    runs.begin(first)
    runs.append(first, [*BEGUN, *UNDER_WAY])  # half of it is done
    assert "1 run before yours, about 15 s" in line(app.run())[1]
    desk.ahead = None


def test_a_run_before_its_first_point_is_said_to_compile(visit, make, desk):
    run = make(BEGUN)
    assert "Compiling the network" in line(visit("builder", run=run))[1]
    desk.state = "starting"
    assert "Starting the training process" in line(visit("builder", run=run))[1]


def test_a_running_run_shows_where_it_is(visit, make):
    app = visit("builder", run=make(BEGUN + UNDER_WAY))
    kind, said = line(app)
    assert kind == "moving" and "Epoch 2 of 3" in said and "512 images/s" in said
    assert "2 s left" in said  # 12 of 24 steps took 1.5 s
    assert curves(app)["validation"]["loss"] == [1.4]
    shown = figures(app)
    assert shown["Validation"] == ("55.00 %", "1.4000") and shown["Test"] == ("–", "–")
    assert len(shown["Training"]) == 2 and shown["Learning rate"] == ("0.001",)
    assert not app.button(key="stop").disabled and app.button(key="train").disabled


def test_a_running_run_is_steered_by_its_owner(visit, make, desk):
    run = make(BEGUN + UNDER_WAY)
    app = visit("builder", run=run)
    app.button(key="pause").click().run()
    app.button(key="step").click().run()
    app.toggle(key="slow").set_value(True).run()
    app.select_slider(key=f"rate_now.{run}").set_value(0.01).run()
    app.button(key="resume").click().run()
    commands = [(command, value) for _, command, value in desk.told]
    assert commands == [("pause", None), ("step", 1), ("slow", pytest.approx(0.3)),
                        ("learning_rate", pytest.approx(0.01)), ("resume", None)]  # fmt: skip
    assert {told for told, _, _ in desk.told} == {run}


def test_an_ended_run_can_be_taken_further(visit, make, runs):
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.end(run, "finished", test_accuracy=0.9, test_loss=0.3, seconds=2.5)
    before = runs.get(run).spec.epochs
    app = visit("builder", run=run)
    app.number_input(key="more").set_value(3).run()
    app.button(key="train_more").click().run()
    assert (runs.get(run).status, runs.get(run).spec.epochs) == ("queued", before + 3)
    assert query(app)["epochs"] == str(before + 3)


def test_a_finished_run_says_how_good_it_is_and_leads_to_drawing(visit, make, runs):
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.end(run, "finished", test_accuracy=0.9123, test_loss=0.3, seconds=2.5)
    app = visit("builder", run=run)
    kind, said = line(app)
    assert kind == "good" and "91.23 %" in said and "2.5 s" in said
    assert figures(app)["Test"] == ("91.23 %", "0.3000")
    assert app.button(key="stop").disabled and not app.button(key="train").disabled
    app.button(key="to_draw").click().run()
    assert app.selectbox[0].value == run


def test_a_stopped_run_keeps_what_it_has(visit, make, runs):
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.end(run, "stopped", test_accuracy=0.8, test_loss=0.3, seconds=1.5)
    app = visit("builder", run=run)
    assert line(app) == ("held", "Stopped after 1.5 s of training. 80.00 % of the test images are "
                                 "read right. ")  # fmt: skip
    assert app.button(key="to_draw")


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_run_that_ended_badly_says_why_and_is_no_success(visit, make, runs, status):
    run = make(BEGUN + UNDER_WAY)
    runs.end(run, status, "The worker met a sad end.")
    app = visit("builder", run=run)
    assert line(app) == ("bad", "The worker met a sad end.")
    assert curves(app)["epochs"]["x"]
    assert app.button(key="stop").disabled and not app.button(key="train").disabled
    assert "to_draw" not in {b.key for b in app.button}


def test_a_run_stopped_in_the_queue_says_so(visit, runs):
    run = runs.create(SMALL, "ada", Identity("d", "s")).id
    runs.cancel(run)
    app = visit("builder", run=run)
    assert line(app) == ("bad", "Stopped before it began.")


# ------------------------------------------------------- how it is steered, as it says itself


def test_the_buttons_of_a_run_are_as_the_run_says(visit, make, desk):
    said = [events.Marked(12, "paused"), events.Marked(12, "slow motion", 0.3),
            events.Marked(12, "learning rate", 0.01)]  # fmt: skip
    run = make(BEGUN + UNDER_WAY + said)
    app = visit("builder", run=run)  # a visitor who has pressed nothing
    assert line(app)[1].startswith("Paused after 12 batches")
    assert app.button(key="resume") and app.toggle(key="slow").value is True
    assert app.select_slider(key=f"rate_now.{run}").value == 0.01
    assert figures(app)["Learning rate"] == ("0.01",)


def test_a_run_in_slow_motion_claims_no_speed(visit, make):
    run = make(BEGUN + UNDER_WAY + [events.Marked(12, "slow motion", 0.3)])
    said = line(visit("builder", run=run))[1]
    assert "a batch of 64 every 0.3 s" in said and "images/s" not in said


def test_a_word_that_was_said_shows_before_the_run_has_heard_it(visit, make, runs):
    run = make(BEGUN + UNDER_WAY)
    app = visit("builder", run=run)
    app.button(key="pause").click().run()
    assert app.button(key="resume")
    runs.append(run, [events.Marked(12, "paused"), events.Marked(12, "resumed")])
    app = visit("builder", run=run)  # from elsewhere: what the run says counts
    assert app.button(key="pause")


# ----------------------------------------------------------------- what it came to


def test_a_verdict_stands_under_an_ended_run_with_its_remedy(visit, make, runs):
    ends = [events.EpochEnded(i, 8 * i, 0.5 / i, 0.9, v, 0.9, 1.0)
            for i, v in enumerate((0.3, 0.4, 0.5), 1)]  # fmt: skip
    run = make([*BEGUN, *ends], weights=True)
    runs.append(run, [events.Finished(24, 0.5, 0.9, 3.0)])
    runs.end(run, "finished", test_accuracy=0.9, test_loss=0.5, seconds=3.0)
    app = visit("builder", run=run)
    assert "It overfits since epoch 1" in text(app)
    app.button(key="remedy").click().run()
    (anew, _) = runs.of("ada")
    assert anew.spec == replace(SMALL, keep="val_loss") and query(app)["run"] == anew.id
    assert RunSpec.salvaged(query(app))[0] == anew.spec


def test_a_lesson_that_locks_what_a_remedy_would_change_locks_the_remedy(visit, make, runs):
    ends = [events.EpochEnded(i, 8 * i, 0.5, 0.9, v, 0.9, 1.0)
            for i, v in enumerate((0.5, 0.4, 0.3), 1)]  # fmt: skip
    run = make([*BEGUN, *ends], weights=True)
    runs.append(run, [events.Finished(24, 0.3, 0.9, 3.0)])
    runs.end(run, "finished", test_accuracy=0.9, test_loss=0.3, seconds=3.0)
    app = visit("builder", run=run, **SMALL.to_query(), lock="epochs")
    assert "Still improving" in text(app)
    assert app.button(key="remedy").disabled and app.button(key="train_more").disabled
    free = visit("builder", run=run, **SMALL.to_query())
    assert not free.button(key="remedy").disabled
    free.button(key="remedy").click().run()
    assert (runs.get(run).status, runs.get(run).spec.epochs) == ("queued", 6)


def test_a_network_that_guesses_gets_no_green_tick(visit, make, runs):
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.append(run, [events.Finished(24, 2.3, 0.1, 3.0)])
    runs.end(run, "finished", test_accuracy=0.1, test_loss=2.3, seconds=3.0)
    app = visit("builder", run=run)
    assert line(app)[0] == "bad" and "no better than guessing" in text(app)


def test_a_guess_is_kept_with_the_run_and_stands_beside_what_came(visit, runs):
    app = visit("builder", **SMALL.to_query())
    app.slider(key="guess_value").set_value(95.5)
    app.button(key="keep_guess").click().run()
    app.button(key="train").click().run()
    (run,) = runs.of("ada")
    assert run.guess == pytest.approx(0.955) and "Your guess: 95.50 %." in text(app)
    runs.begin(run.id)
    runs.append(run.id, [*BEGUN, *UNDER_WAY])
    runs.end(run.id, "finished", test_accuracy=0.91, test_loss=0.3, seconds=1.0)
    said = "You guessed 95.50 %; it came to 91.00 %, −4.50 points."
    app = visit("builder", run=run.id)
    assert said in text(app)
    app.button(key="train").click().run()
    assert runs.of("ada")[0].guess is None  # a guess is of one run


def test_a_link_to_a_run_alone_shows_the_runs_design(visit, runs):
    app = visit("builder", run=runs.create(SMALL, "bob", Identity("d", "s")).id)
    assert RunSpec.from_query({k: v for k, v in query(app).items() if k != "run"}) == SMALL


def test_a_runs_design_can_be_brought_back(visit, make, runs):
    run = make(BEGUN + UNDER_WAY)
    runs.end(run, "interrupted", "It ended.")
    app = visit("builder", run=run, net="8-relu")
    app.button(key="load_design").click().run()
    assert RunSpec.from_query({k: v for k, v in query(app).items() if k != "run"}) == SMALL
    assert "load_design" not in {b.key for b in app.button}


# ------------------------------------------------------------------------- draw


def test_an_empty_canvas_says_draw_something(visit):
    app = visit("draw")
    assert answer(app) is None and any("Draw something" in i.value for i in app.info)
    app = draw(app, np.zeros((28, 28), np.uint8))
    assert answer(app) is None and any("Draw something" in i.value for i in app.info)


@pytest.mark.parametrize("label", range(10))
def test_a_real_digit_gets_its_label(visit, tiny, label):
    app = draw(visit("draw"), surest(tiny, label))
    assert answer(app) == label and not app.info
    assert text(app).count('class="bar') >= 10


def test_clear_forgets_the_drawing(visit, tiny):
    app = draw(visit("draw"), surest(tiny, 3))
    app.button(key="clear").click().run()
    assert answer(app) is None and any("Draw something" in i.value for i in app.info)


def test_a_drawing_outlives_a_visit_to_another_page(visit, tiny):
    app = draw(visit("draw"), surest(tiny, 3))
    app.switch_page("pages/dataset.py").run()
    app.switch_page("pages/draw.py").run()
    assert not app.exception and answer(app) == 3


def test_a_runs_own_model_answers(visit, make, runs, tiny):
    run = make(BEGUN + UNDER_WAY, weights=True)
    runs.end(run, "finished", test_accuracy=0.5, test_loss=1.0, seconds=1.0)
    app = visit("builder", run=run)
    app.switch_page("pages/draw.py").run()
    draw(app, surest(tiny, 3))
    choice = app.selectbox[0]
    assert choice.value == "default" and answer(app) == 3
    choice.set_value(run).run()
    weights = runs.checkpoint(run).weights
    seen = seen_by_the_model(app)
    said = Network.from_weights(SMALL, weights).predict(seen[None])[0]
    assert answer(app) == said.argmax()

