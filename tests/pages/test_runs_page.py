"""The Runs page through AppTest: the list, two runs side by side, a race, a sweep."""


from dataclasses import replace

import numpy as np
import pytest

from mnist_core.analysis import evaluation, experiments, race
from mnist_core.analysis.sweep import Plan
from mnist_core.basis.numbers import percent
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.network import initial
from mnist_core.network.network import Network
from mnist_core.training import course, events
from pages._runs import run_list
from pages._shell import shared, visitors
from tests.pages.visiting import open_page, query, remembered, text

DENSE = RunSpec(layers=(Layer(16),), batch_size=64, epochs=2)
HISTORY = [
    events.Started(8, 2, 512, 128, 100),
    events.Progress(8, 8, 1.0, 0.5, 1.0, 500.0),
    events.EpochEnded(1, 8, 1.0, 0.5, 0.8, 0.7, 1.0),
    events.Progress(16, 8, 0.5, 0.8, 2.0, 500.0),
    events.EpochEnded(2, 16, 0.5, 0.8, 0.6, 0.8, 1.0),
]


@pytest.fixture
def trained(runs, tiny):
    """A function that keeps an ended run of "ada" with untrained weights; its id."""

    def trained(spec=DENSE, seed=0, accuracy=0.1, **how):
        weights = initial.initial_weights(spec, np.random.default_rng(seed))
        run = runs.create(spec, "ada", tiny.identity, **how).id
        runs.begin(run)
        runs.append(run, HISTORY)
        runs.save_checkpoint(
            run, events.Checkpoint(16, {n: w.astype(np.float32) for n, w in weights.items()}, {})
        )
        runs.end(run, "finished", test_accuracy=accuracy, test_loss=2.3, seconds=2.0)
        return run

    return trained


@pytest.fixture(autouse=True)
def lab(desk, monkeypatch):
    lab = experiments.Sweeps(desk)
    monkeypatch.setattr(shared, "sweeps", lambda: lab)
    return lab


def table(app):
    return app.dataframe[0].value


@pytest.fixture
def tick(monkeypatch):
    """A function that ticks rows of the list, which AppTest cannot; they stay ticked until it is
    called again."""
    draw, rows = run_list._ticked, []
    monkeypatch.setattr(run_list, "_ticked", lambda shown: [*draw(shown), *rows])

    def tick(app, *chosen):
        rows[:] = chosen
        return app.run()

    return tick


# ---------------------------------------------------------------------------- the list


def test_without_runs_the_page_says_what_to_do(visit):
    for tab in ("All runs", "Compare"):
        app = visit("runs", tab=tab)
        assert app.info and "train" in app.info[0].value.lower()


def test_the_list_has_every_run_of_the_visitor_and_no_other(visit, trained, runs, tiny):
    trained(accuracy=0.9)
    waiting = runs.create(DENSE, "ada", tiny.identity)
    runs.create(DENSE, "bob", tiny.identity)
    shown = table(visit("runs"))
    assert shown["Status"].tolist() == ["queued", "finished"]
    assert shown["Accuracy"].tolist()[1] == 90.0 and "Network" not in shown  # alike in both
    assert shown["Name"].tolist()[0] == waiting.name and "Data" not in shown


def test_runs_are_found_sorted_and_filtered(visit, trained, runs):
    low, high = trained(accuracy=0.2), trained(accuracy=0.8)
    runs.entitle(low, "ada", "the slow one", "")
    runs.star([high], "ada")
    app = visit("runs")
    app.selectbox(key="runs_by").set_value("Accuracy").run()
    assert table(app)["Accuracy"].tolist() == [80.0, 20.0]
    app.text_input(key="find_run").set_value("SLOW").run()
    assert table(app)["Name"].tolist() == ["the slow one"]
    app.text_input(key="find_run").set_value("")
    app.toggle(key="starred_only").set_value(True).run()
    assert table(app)["Accuracy"].tolist() == [80.0] and "★" in table(app)["Name"][0]
    app.multiselect(key="run_states").set_value(["failed"]).run()
    assert "None of your runs" in app.info[0].value


def test_a_run_is_named_starred_deleted_and_had_back(visit, trained, runs, tick):
    run = trained()
    app = tick(visit("runs"), 0)
    app.text_input[1].set_value("wide")
    app.text_area[0].set_value("as in the book")
    next(b for b in app.button if b.label == "Save").click().run()
    assert (runs.get(run).name, runs.get(run).note) == ("wide", "as in the book")
    tick(app, 0).button(key="star_runs").click().run()
    assert runs.get(run).starred
    before = runs.get(run)
    tick(app, 0).button(key="delete_runs").click().run()
    assert runs.get(run) is None and "1 run deleted." in text(app)
    tick(app)
    app.button(key="undo_delete").click().run()
    assert runs.get(run) == before and len(table(app)) == 1


def test_what_was_deleted_before_a_reload_is_in_the_bin(visit, trained, runs):
    run = trained()
    runs.discard([run], "ada")
    app = visit("runs")
    app.button(key=f"restore.{run}").click().run()
    assert runs.get(run) and len(table(app)) == 1


def test_a_run_that_is_not_over_is_not_deleted(visit, runs, tiny, tick):
    runs.create(DENSE, "ada", tiny.identity)
    app = tick(visit("runs"), 0)
    assert app.button(key="delete_runs").disabled and app.button(key="evaluate_run").disabled


@pytest.mark.parametrize(
    ("key", "title"),
    [("open_run", "Build and train"), ("evaluate_run", "Evaluate a model"),
     ("draw_run", "Draw a digit")],
)  # fmt: skip
def test_a_run_is_opened_evaluated_and_drawn_for(visit, trained, key, title, tick):
    run = trained()
    app = tick(visit("runs"), 0).button(key=key).click().run()
    assert app.title[0].value == title and not app.exception
    assert run in (remembered(app).run, remembered(app).model)


# --------------------------------------------------------------------------- side by side


def test_two_runs_are_compared_from_the_list(visit, trained, tick):
    trained(accuracy=0.2)
    trained(RunSpec(layers=(Layer(16),), optimizer="sgd", epochs=2, batch_size=64), accuracy=0.9)
    app = tick(visit("runs"), 0, 1).button(key="to_compare").click().run()
    assert query(app)["tab"] == "Compare" and query(app)["runs"].count("~") == 1
    said = text(app)
    assert "<td>Optimizer</td>" in said and "<td>Batch size</td>" not in said
    assert '<td class="top">90.00 %</td>' in said


@pytest.mark.parametrize("axis", ["epochs", "batches", "images", "seconds"])
def test_the_curves_run_along_each_axis(visit, trained, axis):
    app = visit("runs", tab="Compare", runs=f"{trained()}~{trained()}")
    app.selectbox(key="compared_metric").set_value("val_accuracy").run()
    app.selectbox(key="compared_axis").set_value(axis).run()
    assert not app.exception and "is best with 80.00 %" in text(app)


# ------------------------------------------------------------------------------ a race


def racers(runs, trained, *names, guess=""):
    group = runs.create_group("ada", "race", {"words": "Seed", "names": {}})
    ids = [trained(seed=i, accuracy=0.1 + 0.1 * i, part_of=group.id) for i, _ in enumerate(names)]
    body = {"words": "Seed", "guess": guess, "names": dict(zip(ids, names, strict=True))}
    runs.update_group(group.id, "running", "", body)
    return group.id


def test_a_race_is_started_on_one_worker_and_says_in_which_order(visit, runs, desk):
    app = visit("runs", tab="Race")
    assert "one after another" in text(app) and "All begin with the same weights" in text(app)
    app.button(key="start_race").click().run()
    (group,) = runs.groups("ada", "race")
    assert list(group.body["names"].values()) == ["Adam", "AdamW"]
    assert query(app)["race"] == group.id
    app.button(key="stop_race").click().run()
    assert len(desk.stopped) == 2


def test_a_race_that_is_over_has_a_verdict(visit, trained, runs, tiny):
    group = racers(runs, trained, "left", "right")
    app = visit("runs", tab="Race", race=group)
    said = {n: Network.from_spec(DENSE, np.random.default_rng(i)).predict(tiny.test.images)
            for i, n in enumerate(("left", "right"))}  # fmt: skip
    correct = {n: p.argmax(axis=1) == tiny.test.labels for n, p in said.items()}
    expected = race.sentence(race.verdict(correct))
    assert expected in text(app) and "Exact McNemar test" in text(app)
    assert evaluation.mcnemar(*correct.values())
    assert runs.group(group).status == "finished"


def test_a_guess_at_the_winner_is_kept_with_the_race(visit, runs):
    app = visit("runs", tab="Race")
    app.button_group(key="race_guess.0.Adam~AdamW").select("AdamW").run()
    app.button(key="start_race").click().run()
    assert runs.groups("ada", "race")[0].body["guess"] == "AdamW"
    assert "Your guess: AdamW wins." in text(app)


def test_guesses_at_winners_stand_beside_what_came_and_are_counted(visit, trained, runs):
    racers(runs, trained, "left", "right", guess="right")
    racers(runs, trained, "left", "right")  # nobody guessed
    group = racers(runs, trained, "left", "right", guess="left")
    app = visit("runs", tab="Race", race=group)
    assert "You guessed left; right read more of the test images right." in text(app)
    assert "Winners of races: 1 of 2 guessed right." in text(visit("runs"))


def test_somebody_elses_race_is_not_shown(visit, trained, runs, monkeypatch):
    group = racers(runs, trained, "Alices own", "Alices other")
    monkeypatch.setattr(visitors, "visitor", lambda: "bob")
    app = open_page("runs", tab="Race", race=group)
    assert "Alices" not in text(app)


# ------------------------------------------------------------------------------ a sweep


@pytest.fixture
def swept(runs, trained, tiny):
    plan = Plan(DENSE, {"units": (16, 32), "optimizer": ("adam", "sgd")})
    group = runs.create_group("ada", "sweep", plan.to_body() | {
        "data": tiny.name, "source": tiny.source, "spent": 12.0, "scores": {}})  # fmt: skip
    scores = {
        trained(plan.design({"units": units, "optimizer": optimizer}), part_of=group.id):
            0.5 + units / 100 + 0.01 * (optimizer == "adam")
        for units in (16, 32) for optimizer in ("adam", "sgd")
    }  # fmt: skip
    runs.update_group(group.id, "finished", "Every combination was tried.",
                      group.body | {"scores": scores})  # fmt: skip
    return group.id


def test_a_sweep_shows_the_best_and_what_matters(visit, swept):
    app = visit("runs", tab="Sweep", sweep=swept)
    said = text(app)
    assert "4 trials in 12 s of training. Every combination was tried." in said
    assert "Of the differences, 100 % come from units" in said
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Best validation accuracy"] == percent(0.83)
    app.button(key="take_best").click().run()
    assert app.title[0].value == "Build and train"
    assert remembered(app).spec.layers[0].units == 32


def test_the_list_folds_a_sweep_which_can_be_deleted_and_had_back(visit, swept, runs):
    app = visit("runs")
    assert not app.dataframe and "4 trials, the best reads 83.00 %" in text(app)
    app.button(key=f"unfold.{swept}").click().run()
    assert query(app)["sweep"] == swept
    app.button(key="delete_sweep").click().run()
    assert runs.members(swept) == []
    app.segmented_control(key="choice_tab").set_value("All runs").run()
    app.button(key="undo_delete").click().run()
    assert len(runs.members(swept)) == 4


def test_a_sweep_is_started_and_stopped(visit, runs, lab):
    app = visit("runs", tab="Sweep")
    assert "9 combinations, one at a time" in text(app)
    app.button(key="start_sweep").click().run()
    (group,) = runs.groups("ada", "sweep")
    app.button(key="stop_sweep").click().run()
    for run in runs.members(group.id):
        runs.cancel(run.id)
    lab.close()
    assert runs.group(group.id).status == "stopped"


def test_a_sweep_of_one_value_says_what_is_missing(visit):
    app = visit("runs", tab="Sweep")
    app.multiselect(key="sweep_settings").set_value([]).run()
    assert app.button(key="start_sweep").disabled and "two values or more" in text(app)


def test_a_list_shows_what_tells_runs_apart_and_nothing_that_is_alike(visit, trained, runs):
    plain, other = trained(accuracy=0.9), trained(replace(DENSE, seed=5, epochs=3), accuracy=0.8)
    runs.append(other, [events.Marked(4, course.RATE, 0.01)])
    runs.begin(plain), runs.begin(other)
    shown = table(visit("runs"))
    assert set(shown["Seed"]) == {"0", "5"} and len(set(shown["Name"])) == 2
    changed = dict(zip(shown["Seed"], shown["Changed by hand"], strict=True))
    assert changed == {"0": "nothing", "5": "learning rate 0.01 after 4 batches"}
    assert all(len(curve) >= 1 for curve in shown["Validation"])
    assert not {"Optimizer", "Batch size", "Guess"} & set(shown)


def test_guesses_are_kept_and_summed_up(visit, desk, runs, tiny):
    for guess, came in ((0.95, 0.90), (0.80, 0.83)):
        run = runs.create(DENSE, "ada", tiny.identity).id
        runs.guess(run, "ada", guess)
        runs.guess(run, "bob", 0.1)  # not theirs
        runs.guess(run, "ada", 0.5)  # and the first one stands
        runs.begin(run)
        runs.end(run, "finished", test_accuracy=came, test_loss=1.0, seconds=1.0)
    app = visit("runs")
    said = "Your guesses: 2 runs, 4.00 points off on average, 1 too high and 1 too low."
    assert said in text(app)
    assert sorted(table(app)["Guess"]) == [80.0, 95.0]
