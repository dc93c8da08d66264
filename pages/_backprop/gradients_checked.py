"""The section that checks gradients: by our backward passes, TensorFlow's tape, and differences."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import streamlit as st

from mnist_core.basis import LabError, numbers
from mnist_core.jobs import Call
from mnist_core.lessons import gradient_checks, source_code
from mnist_core.lessons.gradient_checks import Case, Row
from mnist_core.network import layers
from pages._shell import answering, links, notes, session, shared, subject, waiting

MOST_IMAGES = 16
PER_ARRAY = {"dense": 40, "convolution": 10}  # finite differences: two forward passes each
PAIRS = {"hand_tape": "NumPy – tape", "hand_slope": "NumPy – differences",
         "tape_slope": "tape – differences"}  # fmt: skip


class Check:
    """Cases by their names, taken three ways. A worker is asked for the tape's gradients while the
    differences are taken here; when both have come, only the rows are kept."""

    def __init__(
        self, cases: Mapping[str, Case], per_array: int, report: Callable[[float], None]
    ) -> None:
        self.loss = float(np.mean([case.loss for case in cases.values()]))
        self._cases, self._slopes = cases, {}
        self.ask()
        self._final: dict[str, list[Row]] | None = None
        for i, (name, case) in enumerate(cases.items()):
            places = case.sample(per_array, np.random.default_rng(i))
            shares = lambda share, i=i: report((i + share) / len(cases))  # noqa: E731
            self._slopes[name] = places, case.slopes(places, shares)

    def ask(self) -> None:
        """Ask a worker for the tape's gradients, for the first time or again."""
        questions = [case.question() for case in self._cases.values()]
        try:
            self.call = shared.service().call("gradients", questions=questions)
        except LabError as error:
            self.call = Call("gradients", {})
            self.call.fail(error)

    def rows(self) -> dict[str, list[Row]]:
        """Each case's arrays, by the ways that have answered."""
        if self._final is not None:
            return self._final
        cases, slopes = self._cases, self._slopes
        told = self.call.result() if self.call.state == "done" else None
        found = {
            name: gradient_checks.rows(case, *slopes[name], told[i] if told else None)
            for i, (name, case) in enumerate(cases.items())
        }
        if told:
            self._final, self._cases, self._slopes = found, {}, {}
            self.call = Call("gradients", {})  # one that holds no gradients: they take megabytes
            self.call.set_result(None)
        return found


def section() -> None:
    """Every layer's gradients on the visitor's own weights, then each kind of layer and loss."""
    st.markdown(
        "Is our backward pass right? The same gradient is computed in two more ways, all in "
        "float64: by TensorFlow's GradientTape in the worker, and without any calculus, from the "
        "loss a little to both sides of a weight."
    )
    st.latex(r"\frac{\partial L}{\partial w}\approx\frac{L(w+h)-L(w-h)}{2h}")
    _how()
    st.header("On a trained network", divider="gray")
    choice, name = subject.choose_model()
    _own(choice, name)
    st.header("Every kind of layer and loss", divider="gray")
    _kinds()


def _how() -> None:
    with st.expander("What is compared, and the code of the three ways"):
        st.markdown("Of two gradients $a$ and $b$ of an array, the largest relative difference is")
        st.latex(r"\max_i\;\frac{|a_i-b_i|}{\max\left(|a_i|,\,|b_i|,\,10^{-3}\max_j|a_j|\right)}")
        st.markdown(
            "An entry a thousand times smaller than the array's largest counts as if it were that "
            "large: its last digits are those of the sums that it comes from. NumPy and tape are "
            "compared in every entry. A difference takes two forward passes, so it is taken at a "
            "random sample of each array: half drawn evenly, half by the gradient's size.\n\n"
            "**Kinks.** Where a ReLU switches or a pooling changes its winner, the loss has a "
            f"corner and no derivative. $h$ is {power(gradient_checks.STEPS[0])}; if anything "
            "switches between $w-h$ and $w+h$, smaller ones are tried, down to "
            f"{power(gradient_checks.STEPS[-1])}. A value that still sits on a corner is counted "
            "and left out. (For pixels, from 0 to 255, $h$ is 255 times as large.)"
        )
        hand, tape, slope = st.tabs(["NumPy (a dense layer)", "Tape", "Differences"])
        hand.code(inspect.getsource(layers.Dense), language="python")
        tape.code(source_code.source("jobs/tapes", "tape"), language="python")
        slope.code(textwrap.dedent(inspect.getsource(Case.slope)), language="python")


# --------------------------------------------------------------- the visitor's network


def _own(choice: str, name: str) -> None:
    model, test = answering.model(choice), shared.data().test
    first, count, training = _controls(len(test.labels))
    images, labels = test.images[first : first + count], test.labels[first : first + count]
    per_array = PER_ARRAY["convolution" if model.spec.convolutions else "dense"]

    def compute(report: Callable[[float], None]) -> Check:
        case = Case(model.spec, model.network.weights(), images, labels, training)
        return Check({name: case}, per_array, report)

    job = answering.job_of_model(choice, f"gradients {first} {count} {training}", compute)
    if waiting.ready(job, "Taking finite differences, two forward passes each"):
        check = job.result()
        _waiting(check, "own")
        rows = check.rows()[name]
        _verdict(rows, "array", check.loss)
        _table([(row.name, row, f"{row.tried:,} of {row.size:,}") for row in rows], "Array")


def _controls(n: int) -> tuple[int, int, bool]:
    """The first test image, how many, and whether layers do as in training."""
    field, slider, toggle = st.columns([2, 2, 2], vertical_alignment="bottom")
    most = min(MOST_IMAGES, n)
    count = slider.slider("Images", 2, most, key=session.seed_widget("checked_count", 4))
    first = min(links.examined(n) or 0, n - count)
    session.set_widget("checked_image", first)
    field.number_input(f"First test image (0 to {n - count:,})", 0, n - count, key="checked_image",
                       on_change=_examine)  # fmt: skip
    training = toggle.toggle(
        "As in training", key=session.seed_widget("checked_training", False),
        help="Batch normalisation takes the mean and variance of these images, and dropout one "
        "mask that is held. Otherwise both do as at inference.",
    )  # fmt: skip
    return first, count, training


# ------------------------------------------------------------------ every kind of layer


def _kinds() -> None:
    test = shared.data().test
    images, labels = test.images[:4], test.labels[:4]

    def compute(report: Callable[[float], None]) -> Check:
        rng = np.random.default_rng(0)
        cases = {
            name: gradient_checks.kind(name, images, labels, rng) for name in gradient_checks.KINDS
        }
        return Check(cases, 12, report)

    st.caption("Small networks with random weights, each with one thing that is checked, on the "
               "first four test images.")  # fmt: skip
    job = shared.job(shared.data().digest, "gradients of every kind", compute)
    if waiting.ready(job, "Taking finite differences of each kind"):
        check = job.result()
        _waiting(check, "kinds")
        found = check.rows()
        worst = {name: _worst(rows) for name, rows in found.items()}
        _verdict(list(worst.values()), "kind", check.loss)
        _table([(name, row, f"{row.tried:,} of {row.size:,}") for name, row in worst.items()],
               "Layer or loss")  # fmt: skip


def _worst(rows: list[Row]) -> Row:
    """A whole case as one row: sums of its counts, the largest of its differences."""
    return Row(
        "", sum(row.size for row in rows), sum(row.tried for row in rows),
        sum(row.kinks for row in rows), max(row.hand_slope for row in rows),
        _largest(row.hand_tape for row in rows), _largest(row.tape_slope for row in rows),
    )  # fmt: skip


def _largest(differences: Iterable[float | None]) -> float | None:
    """Of those that were taken."""
    return max((d for d in differences if d is not None), default=None)


# -------------------------------------------------------------------------- what is shown


def _verdict(rows: list[Row], what: str, loss: float) -> None:
    whole = _worst(rows)
    with st.container(horizontal=True):
        for key, words in PAIRS.items():
            st.metric(words, power(getattr(whole, key)))
    far = sum(row.worst > gradient_checks.TOLERANCE for row in rows)
    ways = "three ways" if whole.hand_tape is not None else "two ways that have answered"
    if far:
        st.warning(
            f"{far} of {len(rows)} {what}s differ by more than 10⁻⁶. The loss here is "
            f"{power(loss)} nats: of a model that is almost certain, p − 1 keeps few digits. "
            "Choose other images.",
            icon=":material/rule:",
        )  # fmt: skip
    else:
        st.success(f"The {ways} agree to {power(whole.worst)} or better in every one of "
                   f"{len(rows)} {what}s; 10⁻⁶ is asked for.", icon=":material/check:")  # fmt: skip
    if whole.kinks:
        st.caption(f"{whole.kinks:,} of {whole.tried:,} sampled values sit on a kink and are left "
                   "out.")  # fmt: skip


def _table(rows: list[tuple[str, Row, str]], first: str) -> None:
    come = {key: words for key, words in PAIRS.items() if getattr(rows[0][1], key) is not None}
    st.dataframe(
        [
            {first: name, "agree": "✓" if row.worst <= gradient_checks.TOLERANCE else "✗"}
            | {words: getattr(row, key) for key, words in come.items()}
            | {"sampled": sampled, "on kinks": row.kinks}
            for name, row, sampled in rows
        ],
        hide_index=True,
        height="content",
        column_config={
            words: st.column_config.NumberColumn(format="%.1e", help="Largest relative difference")
            for words in PAIRS.values()
        } | {"sampled": st.column_config.TextColumn(help="Values that differences were taken of")},
    )  # fmt: skip


def power(value: float | None) -> str:
    """2.3 × 10⁻⁹; a dash for what has not come."""
    return numbers.NONE if value is None else numbers.significant(value, 2)


def _waiting(check: Check, key: str) -> None:
    """What the tape is doing, while it has not answered; the other two ways are shown meanwhile."""
    if check.call.state == "failed":
        st.warning(f"{check.call.message} The other two ways are below.",
                   icon=":material/power_off:")  # fmt: skip
        st.button("Ask the tape again", key=f"ask_tape_{key}", icon=":material/refresh:",
                  on_click=check.ask)  # fmt: skip
    elif not check.call.over():
        notes.fragment(_wait, run_every=0.5)(check.call)


def _wait(call: Call) -> None:
    if call.over():
        st.rerun()
    service = shared.service()
    if call.state == "running":
        words = "TensorFlow is computing the same gradients in the worker"
    elif service.state == "starting":
        words = "The tape comes as soon as the training process has started: about 10 seconds"
    elif any(run.status == "running" for run in service.runs.active()):
        words = "The worker is training a network: the tape comes when that has ended"
    else:
        words = service.message or "The tape is in the queue"
    st.info(f"{words}. The other two ways are below.", icon=":material/hourglass_empty:")


def _examine() -> None:
    links.examine(session.widget("checked_image"))
