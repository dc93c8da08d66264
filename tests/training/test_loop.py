"""One run, around a program without arithmetic: what it is told, what it says, what it keeps."""

import queue
import tempfile
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_core.data.identity import Identity
from mnist_core.design import schedules
from mnist_core.design.spec import Layer, RunSpec
from mnist_core.runs.records import Runs
from mnist_core.training import events, loop
from mnist_core.training.control import Control

SPEC = RunSpec((Layer(8),), batch_size=10, epochs=4, learning_rate=0.1)
PER_EPOCH = 20  # steps
PARTS = SimpleNamespace(train=range(10 * PER_EPOCH + 9), validation=range(50), test=range(30))


@pytest.fixture(autouse=True)
def even(request, monkeypatch):
    """Chunks stay short, one point each, so that who speaks at a point speaks after a chunk."""
    if "paced" not in request.fixturenames:
        monkeypatch.setattr(loop.Pace, "after", lambda self, steps, seconds: None)


@pytest.fixture
def paced():
    """Chunks as long as they are."""


class Program:
    """Counts steps where the engine would train; its one weight is the number of steps trained.

    `validation` gives (loss, accuracy) after each epoch; on the test set the loss is the weight.
    """

    parts = PARTS

    def __init__(self, validation=None, nan_at=None):
        self.step = self.weight = 0
        self.rates, self.sizes = [], []
        self.validation, self.nan_at = validation or [(0.5, 0.5)] * 100, nan_at

    def __call__(self, spec):
        return self

    def compile(self, data):
        assert data is self.parts.train

    def epoch(self, n, seed, epoch):
        return SimpleNamespace(n=n, seed=seed, epoch=epoch)

    def run(self, data, rows, rates, first, steps):
        assert (rows.n, rows.seed) == (len(PARTS.train), SPEC.seed)
        assert rows.epoch * PER_EPOCH + first == self.step and len(rates) == PER_EPOCH
        self.rates += list(rates[first : first + steps])
        self.sizes.append(steps)
        losses = 1 / np.arange(self.step + 1, self.step + 1 + steps)
        if self.nan_at:
            losses[np.arange(self.step + 1, self.step + 1 + steps) >= self.nan_at] = np.nan
        self.step = self.weight = self.step + steps
        return losses, np.full(steps, 5)

    def evaluate(self, data):
        if data is self.parts.validation:
            return self.validation[self.step // PER_EPOCH - 1]
        assert data is self.parts.test
        return float(self.weight), 0.25

    def weights(self):
        return {"w": np.array(self.weight)}

    def state(self):
        return {"iterations": np.array(self.step)}

    def load(self, weights):
        self.weight = int(weights["w"])

    def restore(self, saved):
        self.load(saved.weights)
        self.step = int(saved.state["iterations"])


class Visitor(Control):
    """A control whose owner speaks at set moments: `at` the n-th Progress, and `in_pause` each time
    that the run waits. With nothing left to say, a wait ends in silence."""

    def __init__(self, *, at=None, in_pause=()):
        super().__init__()
        self.at, self.in_pause, self.waits = at or {}, iter(in_pause), []

    def heard(self, number):
        for command in self.at.get(number, ()):
            self.tell(*command)

    def wait(self, seconds):
        self.waits.append(seconds)
        command = next(self.in_pause, None)
        if command:
            self.tell(*command)
        return command is not None


def play(spec=SPEC, control=None, program=None, resume=None):
    """All events of a run, the visitor listening."""
    control, program = control or Visitor(), program or Program()
    happened, seen = [], 0
    control.heard(0)
    for event in loop.Run(spec, program.parts, program, control, resume).events():
        happened.append(event)
        if isinstance(event, events.Progress):
            seen += 1
            control.heard(seen)
    return happened


def of(kind, happened):
    return [event for event in happened if isinstance(event, kind)]


def kinds(happened):
    return [type(event) for event in happened]


# ------------------------------------------------------------------------------- a run


def test_events_come_in_order_and_count_every_step():
    program = Program()
    happened = play(program=program)
    assert happened[0] == events.Started(PER_EPOCH, 4, 209, 50, SPEC.parameters)
    assert kinds(happened)[:3] == [events.Started, events.Compiled, events.Progress]
    progress, ends = of(events.Progress, happened), of(events.EpochEnded, happened)
    assert [p.step for p in progress] == list(np.cumsum([p.steps for p in progress]))
    assert [p.steps for p in progress] == program.sizes
    assert [(e.epoch, e.step) for e in ends] == [(1, 20), (2, 40), (3, 60), (4, 80)]
    for end in ends:  # the last thing before it is the last chunk of its own epoch
        assert happened[happened.index(end) - 1].step == end.step
    assert happened[-1] == events.Finished(80, 80.0, 0.25, progress[-1].seconds)
    assert sum(map(len, (progress, ends))) + 3 == len(happened)


def test_an_epoch_is_the_mean_of_its_steps():
    for end in of(events.EpochEnded, play()):
        steps = range(end.step - PER_EPOCH + 1, end.step + 1)
        assert end.loss == pytest.approx(np.mean([1 / step for step in steps]))
        assert end.accuracy == 0.5


def test_checkpoints_come_at_the_ends_of_epochs_if_there_is_time(monkeypatch):
    assert of(events.Checkpointed, play()) == []  # it was over in no time
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    happened = play()
    saved = of(events.Checkpointed, happened)
    assert [(e.step, e.checkpoint.step) for e in saved] == [(n, n) for n in (20, 40, 60, 80)]
    assert [int(e.checkpoint.weights["w"]) for e in saved] == [20, 40, 60, 80]
    assert all(type(happened[happened.index(e) - 1]) is events.EpochEnded for e in saved)


@pytest.mark.parametrize("epochs", [4, 7])
def test_a_run_goes_on_where_its_checkpoint_is(epochs):
    first = play(control=Visitor(at={2: [("stop",)]}))[-1].checkpoint
    again = play(replace(SPEC, epochs=epochs), resume=first)
    assert again[0].step == first.step and first.step % PER_EPOCH
    assert sum(p.steps for p in of(events.Progress, again)) == epochs * PER_EPOCH - first.step
    assert [e.epoch for e in of(events.EpochEnded, again)] == list(range(1, epochs + 1))
    assert again[-1].step == epochs * PER_EPOCH
    assert of(events.Progress, again)[0].seconds > first.seconds > 0


@pytest.mark.parametrize(
    "through", [lambda c: c, lambda c: through_a_file(c)], ids=["memory", "file"]
)
def test_the_figures_of_an_epoch_that_was_cut_are_of_all_of_it(through):
    whole = of(events.EpochEnded, play())
    first = play(control=Visitor(at={2: [("stop",)]}))[-1].checkpoint
    assert 0 < first.sums.steps == first.step < PER_EPOCH
    cut = of(events.EpochEnded, play(resume=through(first)))
    assert [(e.loss, e.accuracy) for e in cut] == [
        (pytest.approx(e.loss), e.accuracy) for e in whole
    ]
    assert cut[0].seconds > first.sums.seconds > 0


def through_a_file(checkpoint):
    """The checkpoint as another process finds it."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(folder)
        run = runs.create(SPEC, "ada", Identity("d", "sample")).id
        runs.save_checkpoint(run, checkpoint)
        return runs.checkpoint(run)


def test_a_checkpoint_of_before_sums_were_kept_goes_on():
    first = play(control=Visitor(at={2: [("stop",)]}))[-1].checkpoint
    ends = of(events.EpochEnded, play(resume=replace(first, sums=events.Sums())))
    assert [e.epoch for e in ends] == [1, 2, 3, 4] and ends[0].accuracy == 0.5


def test_a_batch_that_does_not_fit_is_a_sentence():
    assert play(replace(SPEC, batch_size=210)) == [events.Failed(
        0, "A batch of 210 does not fit into 209 training images: choose a smaller one."
    )]  # fmt: skip


# ------------------------------------------------------------------------------- pace


def test_chunks_begin_short_double_and_have_an_upper_bound(paced):
    pace, sizes = loop.Pace(), []
    for _ in range(8):
        sizes.append(pace.steps)
        pace.after(pace.steps, pace.steps * loop.CHUNK_SECONDS / 100.5)
    assert sizes == [4, 8, 16, 32, 64, 100, 100, 100]


def test_chunks_take_their_time_and_never_less_than_a_step(paced):
    pace = loop.Pace()
    pace.after(4, 4 * loop.CHUNK_SECONDS / 5.5)
    assert pace.steps == 5
    pace.after(5, 60.0)
    assert pace.steps == 1
    pace.after(1, 0.0)
    assert pace.steps == 2


def test_a_chunk_of_a_short_run_is_told_in_many_points(paced):
    """Points of the same number of steps, or one less; each the mean of its own."""
    spec, per_epoch = replace(SPEC, epochs=5), 400
    program = SimpleEpochs(per_epoch)
    program.parts = SimpleNamespace(**vars(PARTS) | {"train": range(10 * per_epoch)})
    happened = play(spec, program=program)
    points = of(events.Progress, happened)
    assert max(p.steps for p in points) == 5 * per_epoch // loop.POINTS == 10
    assert [p.step for p in points] == list(np.cumsum([p.steps for p in points]))
    assert points[-1].step == 5 * per_epoch
    for p in points:  # SimpleEpochs loses the number of the step
        assert p.loss == pytest.approx(np.mean(np.arange(p.step - p.steps, p.step)))
    assert loop.POINTS <= len(points) < 1.2 * loop.POINTS
    seconds = [p.seconds for p in points]
    assert seconds == sorted(seconds) and len(set(seconds)) == len(seconds)


# ------------------------------------------------------------------------------- told


def test_a_pause_is_marked_and_nothing_moves_until_it_is_over():
    visitor = Visitor(at={3: [("pause",)]}, in_pause=[("slow", 0), ("resume",)])
    happened = play(control=visitor)
    marks = of(events.Marked, happened)
    step = of(events.Progress, happened)[2].step
    assert marks == [events.Marked(step, "paused"), events.Marked(step, "resumed")]
    first = happened.index(marks[0])
    assert happened[first + 1] == marks[1] and isinstance(happened[first - 1], events.Progress)
    assert visitor.waits == [loop.PAUSE_SECONDS] * 2
    assert happened[-1] == replace(play()[-1], seconds=happened[-1].seconds)


def test_a_paused_run_sleeps_until_it_hears_of_something():
    """Without a visitor who answers at once: the run waits in a thread of its own."""
    said, control = queue.Queue(), Control()
    run = loop.Run(SPEC, PARTS, Program(), control, None)
    control.tell("pause")
    thread = threading.Thread(target=lambda: [said.put(e) for e in run.events()], daemon=True)
    thread.start()
    heard = [said.get(timeout=10) for _ in range(3)]
    assert heard[-1] == events.Marked(0, "paused")
    with pytest.raises(queue.Empty):
        said.get(timeout=0.2)
    control.tell("step")
    assert said.get(timeout=10).steps == 1
    with pytest.raises(queue.Empty):
        said.get(timeout=0.1)
    control.tell("resume")
    assert said.get(timeout=10) == events.Marked(1, "resumed")
    thread.join(10)
    assert isinstance(list(said.queue)[-1], events.Finished)


def test_a_step_trains_exactly_one_batch_and_holds_again():
    visitor = Visitor(at={2: [("pause",)]}, in_pause=[("step",), ("step",), ("stop",)])
    happened = play(control=visitor)
    paused = happened.index(of(events.Marked, happened)[0])
    assert [(type(e), e.steps) for e in happened[paused + 1 : -1]] == [(events.Progress, 1)] * 2
    assert happened[-1].step == happened[paused].step + 2
    assert len(of(events.Marked, happened)) == 1


def test_a_step_while_running_pauses_after_one_batch():
    visitor = Visitor(at={2: [("step", 3)]}, in_pause=[("stop",)])
    happened = play(control=visitor)
    assert happened[4] == events.Marked(happened[3].step, "paused")
    assert [e.steps for e in happened[5:-1]] == [1, 1, 1]
    assert isinstance(happened[-1], events.Stopped)


def test_steps_lead_over_the_end_of_an_epoch_and_of_the_run():
    spec = replace(SPEC, batch_size=100, epochs=2)  # two steps an epoch
    program = SimpleEpochs(2)
    visitor = Visitor(at={0: [("pause",)]}, in_pause=[("step",)] * 4)
    happened = play(spec, visitor, program)
    p, e = events.Progress, events.EpochEnded
    assert kinds(happened)[2:] == [events.Marked, p, p, e, p, p, e, events.Finished]


class SimpleEpochs(Program):
    """A program of another number of steps an epoch."""

    def __init__(self, per_epoch):
        super().__init__()
        self.per_epoch = per_epoch

    def run(self, data, rows, rates, first, steps):
        assert len(rates) == self.per_epoch and first + steps <= self.per_epoch
        self.step += steps
        return np.arange(self.step - steps, self.step), np.ones(steps, int)


def test_slow_motion_trains_one_batch_at_a_time_with_a_break_after_each():
    visitor = Visitor(at={2: [("slow", 0.3)], 7: [("slow", 0)]})
    happened = play(control=visitor)
    sizes = [p.steps for p in of(events.Progress, happened)]
    assert sizes[:2] == [4, 4] and sizes[2:7] == [1] * 5 and max(sizes[7:]) > 1
    assert visitor.waits == [0.3] * 5  # from the moment it was told, one after each chunk
    assert sum(sizes) == 4 * PER_EPOCH
    marks = [(e.step, e.what, e.value) for e in of(events.Marked, happened)]
    assert marks == [(8, "slow motion", 0.3), (13, "full speed", None)]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "warmup", "step"])
def test_a_learning_rate_counts_from_the_next_step_on_and_follows_the_schedule(schedule):
    program, spec = Program(), replace(SPEC, schedule=schedule)
    happened = play(spec, Visitor(at={3: [("learning_rate", 0.7)]}), program)
    step = of(events.Progress, happened)[2].step
    assert of(events.Marked, happened) == [events.Marked(step, "learning rate", 0.7)]
    rates = np.where(np.arange(80) < step, 0.1, 0.7)
    expected = rates * schedules.factors(schedule, 0, 80, 80)
    np.testing.assert_allclose(program.rates, expected, rtol=1e-6)
    assert 4 < step < 80


@pytest.mark.parametrize("rate", [0.7, 1e-6])
def test_a_changed_learning_rate_outlives_a_stop(rate):
    visitor = Visitor(at={2: [("learning_rate", rate)], 3: [("stop",)]})
    stopped = play(control=visitor)[-1]
    assert stopped.checkpoint.learning_rate == rate
    program = Program()
    play(resume=stopped.checkpoint, program=program)
    assert program.rates == pytest.approx([rate] * (80 - stopped.step))


def test_a_checkpoint_without_a_learning_rate_goes_on_with_the_designs():
    program = Program()
    saved = events.Checkpoint(20, {"w": np.array(20)}, {"iterations": np.array(20)})
    play(resume=saved, program=program)
    assert program.rates == pytest.approx([0.1] * 60)


def test_a_learning_rate_given_in_a_pause_is_marked_there():
    visitor = Visitor(at={2: [("pause",)]}, in_pause=[("learning_rate", 0.7), ("resume",)])
    marks = of(events.Marked, play(control=visitor))
    assert [m.what for m in marks] == ["paused", "learning rate", "resumed"]
    assert len({m.step for m in marks}) == 1


def test_a_pause_that_nobody_ends_is_a_stop(monkeypatch):
    monkeypatch.setattr(loop, "PAUSE_SECONDS", 0.01)
    control = Control()
    control.tell("pause")
    happened = list(loop.Run(SPEC, PARTS, Program(), control, None).events())
    assert kinds(happened)[2:] == [events.Marked, events.Stopped]
    assert (happened[-1].step, happened[-1].checkpoint.step) == (0, 0)
    assert happened[-1].note == ("Stopped after a pause of 0 minutes, so that other runs get their "
                                 "turn.")  # fmt: skip


@pytest.mark.parametrize("moment", [0, 1, 4])
def test_a_learning_rate_told_in_the_same_breath_as_a_stop_is_kept(moment):
    happened = play(control=Visitor(at={moment: [("learning_rate", 0.7), ("stop",)]}))
    assert kinds(happened)[-2:] == [events.Marked, events.Stopped]
    assert happened[-1].checkpoint.learning_rate == happened[-2].value == 0.7
    assert happened[-1].note == ""


OBEYED = {  # what is seen of a command before, or instead of, the next chunk
    "stop": (("stop",), lambda after: isinstance(after[0], events.Stopped)),
    "pause": (("pause",), lambda after: after[0].what == "paused"),
    "step": (("step",), lambda after: after[0].what == "paused" and after[1].steps == 1),
    "slow": (("slow", 0.1), lambda after: after[0].value == 0.1 and after[1].steps == 1),
    "learning_rate": (("learning_rate", 2.0), lambda after: after[0].value == 2.0),
}


@pytest.mark.parametrize("moment", [0, 1, 4])
@pytest.mark.parametrize(("command", "obeyed"), OBEYED.values(), ids=OBEYED)
def test_a_command_is_obeyed_before_the_next_chunk(command, obeyed, moment):
    happened = play(control=Visitor(at={moment: [command]}))
    last = of(events.Progress, happened)[moment - 1] if moment else happened[1]
    assert obeyed(happened[happened.index(last) + 1 :])


def test_a_stop_between_epochs_does_not_swallow_the_one_that_ended():
    visitor = Visitor(at={1: [("stop",)]})
    spec = replace(SPEC, batch_size=200, epochs=3)  # one step an epoch
    happened = play(spec, visitor, SimpleEpochs(1))
    assert kinds(happened)[2:] == [events.Progress, events.EpochEnded, events.Stopped]
    visitor = Visitor(at={3: [("stop",)]})  # too late: nothing was left to stop
    happened = play(spec, visitor, SimpleEpochs(1))
    assert kinds(happened)[-2:] == [events.EpochEnded, events.Finished]


# ------------------------------------------------------------------------------- keep, patience

RISING_THEN_FALLING = [(0.5, 0.5), (0.3, 0.9), (0.2, 0.9), (0.4, 0.7)]


@pytest.mark.parametrize(("keep", "epoch"), [("val_accuracy", 2), ("val_loss", 3), ("last", 4)])
def test_the_weights_that_the_design_keeps_answer(keep, epoch):
    finished = play(replace(SPEC, keep=keep), program=Program(RISING_THEN_FALLING))[-1]
    assert type(finished) is events.Finished
    assert finished.test_loss == epoch * PER_EPOCH  # a tie keeps the first
    assert int(finished.checkpoint.answer["w"]) == epoch * PER_EPOCH
    assert int(finished.checkpoint.weights["w"]) == 4 * PER_EPOCH  # to go on from
    kept = f"The weights of epoch {epoch} are kept." if keep != "last" else ""
    assert finished.note == kept


def test_the_best_epoch_so_far_answers_for_a_stopped_run():
    visitor = Visitor()
    program, happened = Program([(0.3, 0.9), (0.5, 0.5), (0.2, 0.95)]), []
    spec = replace(SPEC, keep="val_accuracy")
    for event in loop.Run(spec, PARTS, program, visitor, None).events():
        happened.append(event)
        if isinstance(event, events.EpochEnded) and event.epoch == 2:
            visitor.stop()
    stopped = happened[-1]
    assert (type(stopped), stopped.step, stopped.test_loss) == (events.Stopped, 40, 20.0)
    assert stopped.note == "The weights of epoch 1 are kept."
    again = play(spec, program=Program([(0.3, 0.9), (0.5, 0.5), (0.4, 0.6), (0.4, 0.7)]),
                 resume=stopped.checkpoint)[-1]  # fmt: skip
    assert (again.step, again.test_loss) == (80, 20.0)
    assert (again.checkpoint.best.epoch, again.checkpoint.best.value) == (1, 0.9)


FALLING = [(0.1 * n, 1 - 0.1 * n) for n in (2, 1, 3, 4, 5, 6, 7)]  # best is epoch 2


@pytest.mark.parametrize(
    ("keep", "measure", "answer"),
    [("last", "val_loss", 4), ("val_loss", "val_loss", 2), ("val_accuracy", "val_accuracy", 2)],
)
def test_patience_ends_a_run_early_with_a_reason(keep, measure, answer):
    spec = replace(SPEC, keep=keep, patience=2, epochs=7)
    finished = play(spec, program=Program(FALLING))[-1]
    assert (type(finished), finished.step) == (events.Finished, 4 * PER_EPOCH)
    why = f"Ended early after epoch 4: {measure} has not been better since epoch 2."
    kept = "" if keep == "last" else " The weights of epoch 2 are kept."
    assert finished.note == why + kept
    assert finished.test_loss == answer * PER_EPOCH


def test_patience_that_runs_out_with_the_run_is_not_early():
    finished = play(replace(SPEC, patience=2, epochs=4), program=Program(FALLING))[-1]
    assert (finished.step, finished.note) == (80, "")


def test_patience_without_a_worse_epoch_ends_nothing():
    better = [(1 / n, n / 10) for n in range(1, 8)]
    assert play(replace(SPEC, patience=1, epochs=7), program=Program(better))[-1].step == 140
    flat = play(replace(SPEC, patience=0, epochs=7))[-1]
    assert (flat.step, flat.note) == (140, "")


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_patience_counts_on_over_a_cut(cut):
    spec, control, happened = replace(SPEC, patience=2, epochs=7), Visitor(), []
    for event in loop.Run(spec, PARTS, Program(FALLING), control, None).events():
        happened.append(event)
        if isinstance(event, events.EpochEnded) and event.epoch == cut:
            control.stop()
    assert happened[-1].step == cut * PER_EPOCH
    finished = play(spec, program=Program(FALLING), resume=happened[-1].checkpoint)[-1]
    assert finished.step == 4 * PER_EPOCH and finished.note.startswith("Ended early after epoch 4")


@pytest.mark.parametrize("further", [5, 6, 7])
def test_who_trains_an_early_ended_run_further_is_patient_anew(further):
    """One that is trained further has `patience` epochs more, and not one."""
    spec = replace(SPEC, patience=2, epochs=further)
    early = play(replace(spec, epochs=7), program=Program(FALLING))[-1]
    assert early.step == 4 * PER_EPOCH
    more = play(spec, program=Program(FALLING), resume=early.checkpoint)[-1]
    assert more.step == min(further, 6) * PER_EPOCH
    assert more.note.startswith("Ended early after epoch 6") == (further == 7)
    better = Program([*FALLING[:4], (0.01, 0.99), *FALLING[5:], (0.3, 0.7)])
    more = play(replace(spec, epochs=8), program=better, resume=early.checkpoint)[-1]
    assert "after epoch 7: val_loss has not been better since epoch 5" in more.note


# ------------------------------------------------------------------------------- what fails


def test_a_loss_that_is_no_number_fails_with_a_sentence():
    happened = play(program=Program(nan_at=30))
    failed = happened[-1]
    assert type(failed) is events.Failed and failed.step == 30
    assert failed.message == ("The loss became nan at step 30: a learning rate of 0.1 "
                              "is too large; lower it.")  # fmt: skip
    assert all(np.isfinite(p.loss) for p in of(events.Progress, happened))
    assert len(of(events.EpochEnded, happened)) == 1 and not of(events.Finished, happened)


def test_the_sentence_names_the_learning_rate_that_was_set_last():
    visitor = Visitor(at={2: [("learning_rate", 7.5)]})
    failed = play(control=visitor, program=Program(nan_at=30))[-1]
    assert "a learning rate of 7.5 is" in failed.message


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_validation_loss_that_is_no_number_fails_too(loss):
    happened = play(program=Program([(0.5, 0.5), (loss, 0.1)]))
    assert kinds(happened)[-2:] == [events.Progress, events.Failed]
    assert happened[-1].step == 40 and str(loss) in happened[-1].message
