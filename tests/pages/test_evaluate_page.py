"""The Evaluate page through AppTest: each section, of the default model and of a run."""


import re

import numpy as np
import pytest

from mnist_core.analysis import evaluation, explanation, short_film
from mnist_core.basis.numbers import percent, signed
from mnist_core.data.identity import Identity
from mnist_core.design.choices import Conv
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network import initial
from mnist_core.network.network import Network
from mnist_core.runs import models
from mnist_core.training import events, snapshots
from pages._shell import visitors
from tests.pages.visiting import open_page, query, remembered, text
from tests.serving import wait_for

SECTIONS = ["Scores", "Confusion", "Mistakes", "Calibration", "Inside", "Damage",
            "Time machine"]  # fmt: skip
DENSE = RunSpec(layers=(Layer(16, "relu", True, 0.2), Layer(12)))
MAPS = RunSpec(convolutions=(Conv(4),), layers=(Layer(12),))


@pytest.fixture
def default(tiny):
    """What the default model says of the test images, computed here."""
    return models.default().network.predict(tiny.test.images)


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_opens_by_its_link(visit, trained, section):
    link = {"part": section, "run": trained(MAPS)}
    app = visit("evaluate", **link)
    assert app.title[0].value == "Evaluate a model"
    assert app.segmented_control(key="choice_part").value == section
    assert query(app).get("run") == link.get("run")
    assert not app.warning and not app.error


@pytest.mark.parametrize(
    ("view", "spec"),
    [("Activations", None), ("Activations", MAPS), ("Weights", MAPS), ("Weights", None),
     ("Saliency", MAPS), ("What excites a unit", MAPS)],
)  # fmt: skip
def test_each_view_of_the_inside_opens(visit, trained, view, spec):
    link = {"run": trained(spec)} if spec else {}
    app = visit("evaluate", part="Inside", view=view, image="7", **link)
    assert app.segmented_control(key="choice_view").value == view
    assert query(app)["image"] == "7" and "test_images[7]" in text(app)


# --------------------------------------------------------------------- time machine


@pytest.fixture
def filmed(runs, trained):
    """A run with three snapshots, each of other weights; its id and the networks."""
    run, frames = trained(), {}
    for step in (0, 5, 10):
        weights = initial.initial_weights(DENSE, np.random.default_rng(step))
        frames[step] = snapshots.take(step, weights)
    runs.save_snapshots(run, list(frames.values()))
    return run, {s: Network.from_weights(DENSE, f.weights) for s, f in frames.items()}


def test_a_run_is_played_again(visit, filmed, tiny):
    run, networks = filmed
    app = visit("evaluate", part="Time machine", run=run)
    for step, frame in networks.items():
        app.select_slider(key=f"moment_{run}_10").set_value(step).run()
        right = (frame.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels).mean()
        assert f"batches it reads {100 * right:.2f} % of 200 test images" in text(app)
    assert "Draw a digit on the Draw page" in text(app)


def test_the_film_reads_the_visitors_own_drawing(visit, filmed, tiny):
    run, networks = filmed
    app = visit("evaluate", part="Time machine", run=run)
    remembered(app).read = tiny.test.images[3]
    app.select_slider(key=f"moment_{run}_10").set_value(5).run()
    said = networks[5].predict(tiny.test.images[3:4])[0].argmax()
    assert f"your drawing is read as a {said}" in text(app)


def test_what_has_no_film_says_so_and_a_short_one_is_made(visit, trained, tiny):
    taken = short_film.take(tiny)
    last = Network.from_weights(short_film.SPEC, taken[-1].weights)
    right = (last.predict(tiny.test.images).argmax(axis=1) == tiny.test.labels).mean()
    for run, why in ((None, "came trained"), (trained(), "no film of this model")):
        app = visit("evaluate", part="Time machine", **({"run": run} if run else {}))
        wait_for(lambda app=app: app.run() and app.select_slider, "the film is made")
        said = text(app)
        assert why in said and "small network, 784-32-10, trained here for one epoch" in said
        assert f"After {taken[-1].step:,} batches it reads {100 * right:.2f} % of 200" in said


# --------------------------------------------------------------------------- scores


def metric(app, label):
    return next(m.value for m in app.metric if m.label == label)


def test_the_scores_are_those_of_the_answers(visit, tiny, default):
    app = visit("evaluate")
    expected = evaluation.scores(tiny.test.labels, default)
    assert metric(app, "Test accuracy") == percent(expected.accuracy)
    assert metric(app, "Top-2 accuracy") == percent(expected.top2_accuracy)
    assert metric(app, "Loss") == f"{expected.loss:.4f}"
    assert f"lies in {100 * expected.low:.2f} to {100 * expected.high:.2f} % (95" in text(app)
    for label, said in zip(tiny.test.labels[:5], default[:5].argmax(axis=1), strict=True):
        assert f"predicted {said}<br>true {label}" in text(app)


def test_training_accuracy_stands_beside_test_accuracy(visit, tiny, default):
    """What tutorials end with (98.88 against 97.99 %): computed here from the answers alone."""
    last = int(len(tiny.train.labels) * (1 - models.default().spec.validation_share))
    learned = models.default().network.predict(tiny.train.images).argmax(axis=1)
    learned = learned[:last] == tiny.train.labels[:last]
    a, b = learned.mean(), (default.argmax(axis=1) == tiny.test.labels).mean()
    app = visit("evaluate")
    assert metric(app, "Training accuracy") == percent(a)
    assert metric(app, "Difference") == f"{signed(100 * (a - b), 2)} points"
    assert f"On {last:,} training images, beside 200 that it never saw" in text(app)


def test_of_other_data_than_these_no_training_accuracy_is_told(visit, runs, trained):
    run = runs.create(DENSE, "ada", Identity("others", "x", "another digest")).id
    runs.begin(run)
    weights = initial.initial_weights(DENSE, np.random.default_rng(0))
    runs.save_checkpoint(run, events.Checkpoint(
        10, {name: value.astype(np.float32) for name, value in weights.items()}, {}))
    runs.end(run, "finished", test_accuracy=0.1, test_loss=2.3, seconds=1.0)
    said = text(visit("evaluate", run=run))
    assert "trained on other digits than these" in said and "Training accuracy" not in said


def test_the_table_has_each_digits_scores(visit, tiny, default):
    table = visit("evaluate").dataframe[0].value
    counts = evaluation.confusion(tiny.test.labels, default.argmax(axis=1))
    assert table["images"].tolist() == np.bincount(tiny.test.labels, minlength=10).tolist()
    assert np.allclose(table["F1"] / 100, evaluation.per_class(counts).f1, equal_nan=True)


def test_two_models_are_compared_by_a_paired_test(visit, trained, tiny, default):
    run = trained()
    app = visit("evaluate")
    app.selectbox(key="compared").set_value(run).run()
    other = Network.from_spec(DENSE, np.random.default_rng(0)).predict(tiny.test.images)
    right = [p.argmax(axis=1) == tiny.test.labels for p in (default, other)]
    assert evaluation.verdict(evaluation.mcnemar(*right), "This model", "The other") in text(app)


def test_alone_the_page_says_how_to_get_a_second_model(visit):
    said = text(visit("evaluate"))
    assert "no other model to compare with" in said and "Build & train page" in said


# ------------------------------------------------------------------- which model it is


def test_choosing_a_model_writes_the_link_and_is_remembered(visit, trained):
    run = trained()
    app = visit("evaluate")
    app.selectbox(key="examined_model").set_value(run).run()
    assert query(app)["run"] == run
    before = metric(app, "Test accuracy")
    app.switch_page("pages/dataset.py").run()
    app.switch_page("pages/evaluate.py").run()
    assert app.selectbox(key="examined_model").value == run
    assert metric(app, "Test accuracy") == before
    app.selectbox(key="examined_model").set_value("default").run()
    assert "run" not in query(app)


def test_somebody_elses_run_can_be_looked_at_by_its_link(visit, trained, runs, monkeypatch):
    run = trained()
    monkeypatch.setattr(visitors, "visitor", lambda: "bob")
    app = open_page("evaluate", run=run)
    assert app.selectbox(key="examined_model").value == run


def test_a_link_to_no_run_says_so(visit):
    app = visit("evaluate", run="nobody")
    assert "not there" in app.warning[0].value
    assert app.selectbox(key="examined_model").value == "default"


@pytest.mark.parametrize(("status", "says"), [("running", "not over yet"), ("stopped", "again")])
def test_a_run_without_weights_says_what_to_do(visit, runs, tiny, status, says):
    run = runs.create(DENSE, "ada", tiny.identity).id
    if status == "stopped":
        runs.cancel(run)
    else:
        runs.begin(run)
    app = visit("evaluate", run=run)
    assert says in app.info[0].value
    assert metric(app, "Test accuracy")


def test_a_run_that_was_trained_further_is_evaluated_anew(visit, trained, runs):
    run = trained()
    app = visit("evaluate", run=run)
    before = metric(app, "Loss")
    runs.reopen(run, DENSE)
    runs.begin(run)
    weights = initial.initial_weights(DENSE, np.random.default_rng(9))
    runs.save_checkpoint(run, events.Checkpoint(20, weights, {}))
    runs.end(run, "finished", test_accuracy=0.1, test_loss=2.3, seconds=2.0)
    assert metric(app.run(), "Loss") != before


# ------------------------------------------------------------------ images and mistakes


def picked(app):
    return int(re.search(r"test_images\[(\d+)\]", text(app))[1])


def test_a_cell_shows_its_images_the_surest_first(visit, tiny, trained):
    run = trained()
    p = Network.from_spec(DENSE, np.random.default_rng(0)).predict(tiny.test.images)
    app = visit("evaluate", part="Confusion", run=run)
    counts = evaluation.confusion(tiny.test.labels, p.argmax(axis=1))
    wrong = counts - np.diag(np.diag(counts))
    assert (int(app.selectbox(key="true").value), int(app.selectbox(key="read").value)) == divmod(
        int(wrong.argmax()), 10
    )
    true, said = (int(i) for i in np.argwhere(counts > 2)[-1])
    app.selectbox(key="true").set_value(true)
    app.selectbox(key="read").set_value(said).run()
    found = np.flatnonzero((tiny.test.labels == true) & (p.argmax(axis=1) == said))
    assert f"{len(found)} images: a {true} read as {said}" in text(app)
    assert picked(app) == found[p[found, said].argmax()]


def test_an_empty_cell_says_so(visit, default, tiny):
    counts = evaluation.confusion(tiny.test.labels, default.argmax(axis=1))
    true, said = (int(i) for i in np.argwhere(counts == 0)[0])
    app = visit("evaluate", part="Confusion")
    app.selectbox(key="true").set_value(true)
    app.selectbox(key="read").set_value(said).run()
    assert f"No {true} was read as {said}" in app.info[0].value


def test_mistakes_come_surest_first_and_by_digit(visit, trained, tiny):
    run = trained()
    p = Network.from_spec(DENSE, np.random.default_rng(0)).predict(tiny.test.images)
    ranked = evaluation.errors(tiny.test.labels, p)
    app = visit("evaluate", part="Mistakes", run=run)
    assert picked(app) == ranked[0] and f"{len(ranked):,} misread" in text(app)
    digit = tiny.test.labels[ranked[-1]]
    app.segmented_control(key="mistakes_of").set_value(str(digit)).run()
    assert picked(app) == ranked[tiny.test.labels[ranked] == digit][0]


def test_an_image_leads_inside_to_the_damage_lab_and_to_the_canvas(visit, trained, tiny):
    app = visit("evaluate", part="Mistakes", run=trained())
    index = picked(app)
    app.button(key="to_Inside").click().run()
    assert app.segmented_control(key="choice_part").value == "Inside" and picked(app) == index
    app.button(key="to_Damage").click().run()
    assert app.segmented_control(key="choice_part").value == "Damage"
    assert app.number_input(key="image_index").value == index
    app.segmented_control(key="choice_part").set_value("Mistakes").run()
    app.button(key="to_draw").click().run()
    assert app.title[0].value == "Draw a digit"
    assert np.array_equal(remembered(app).template, tiny.test.images[index])


# -------------------------------------------------------------------------- the damage


def test_black_on_white_is_measured_and_told(visit, tiny):
    app = visit("evaluate", part="Damage")
    app.toggle(key="damage.invert").set_value(True).run()
    said = models.default().network.predict(255 - tiny.test.images).argmax(axis=1)
    right, counts = (said == tiny.test.labels).mean(), np.bincount(said, minlength=10)
    assert metric(app, "Accuracy with this damage") == percent(right)
    most = counts.argmax()
    assert f"{counts.max() / 2:.2f} % of these images are read as {most}" in text(app)
    assert f"{100 * right:.2f} % are read right" in text(app)
    assert f"The paper, {100 * (tiny.test.images == 0).mean():.0f} % of all" in text(app)
    app.button(key="undo_damage").click().run()
    assert not app.toggle(key="damage.invert").value and "Black on white" not in text(app)


def test_damage_changes_the_measured_accuracy(visit, tiny, default):
    app = visit("evaluate", part="Damage")
    intact = int((default.argmax(axis=1) == tiny.test.labels).sum())
    assert metric(app, "Accuracy with this damage") == percent(intact / 200)
    app.slider(key="damage.angle").set_value(90).run()
    net = models.default().network
    turned = explanation.Damage(angle=90)
    left = (explanation.answers(net, tiny.test.images, turned) == tiny.test.labels).sum()
    assert left < intact
    assert metric(app, "Accuracy with this damage") == percent(left / 200)
    assert f"all 200 test images, each damaged alike: {left} are read right" in text(app)
    app.button(key="undo_damage").click().run()
    assert app.slider(key="damage.angle").value == 0
    assert metric(app, "Accuracy with this damage") == percent(intact / 200)


def test_without_a_layers_units_every_answer_is_the_same(visit, tiny, default):
    app = visit("evaluate", part="Damage")
    app.slider(key="damage.share").set_value(100).run()
    share = float(metric(app, "Accuracy with this damage").rstrip("%")) / 100
    shares = np.bincount(tiny.test.labels, minlength=10) / 200
    assert np.isclose(shares, share, atol=1e-4).any()


def test_chosen_units_are_removed(visit, default):
    app = visit("evaluate", part="Damage", image="3")
    points = explanation.damage_points(models.default().network)
    app.selectbox(key="damage.layer").set_value(points[-1]).run()
    app.multiselect(key=f"damage.units.{points[-1]}").set_value(list(range(60))).run()
    assert not app.exception
    assert metric(app, "Accuracy with this damage") != percent(1)
