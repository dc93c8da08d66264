"""Steps of training on the one image: a single weight before and after, and the whole network."""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.charts import plotting
from mnist_core.design import choices
from mnist_core.lessons import microscope
from mnist_core.lessons.microscope import Trial
from mnist_core.network import optimizers
from mnist_core.network.layers import Layer
from pages._backprop import state
from pages._backprop.specimen import Specimen
from pages._shell import session

RATES = [m * 10.0**e for e in range(-5, 0) for m in (1, 2, 5)] + [1.0]


def current(who: Specimen) -> Trial:
    """The network with the steps that it has taken, or as it came. It is kept only once it has
    taken some, so that a visitor who merely looks takes no memory."""
    mine, rule = state.mine(), optimizers.OPTIMIZERS[rule_name()](rate())
    if mine.trial is None or mine.trial[0] != who.key:
        mine.trial, mine.trial_fault = None, ""
        return Trial(who.make(), who.x, who.label, rule)
    trial = mine.trial[1]
    if (type(trial.rule), trial.rule.learning_rate) != (type(rule), rule.learning_rate):
        trial.rule = rule
    return trial


def rule_name() -> str:
    """The optimizer that is chosen."""
    return session.widget("trial_rule") or "sgd"


def rate() -> float:
    """The learning rate that is chosen for it."""
    return session.widget(f"trial_rate_{rule_name()}") or _usual(rule_name())


def _usual(name: str) -> float:
    """A tenth of what is usual: the gradients of one image all pull in one direction."""
    usual = choices.OPTIMIZERS[name].learning_rate / 10
    return min(RATES, key=lambda x: abs(x - usual))


def choose_rule() -> None:
    """The optimizer and its learning rate."""
    left, right = st.columns(2)
    left.selectbox("Optimizer", list(optimizers.OPTIMIZERS), key="trial_rule", filter_mode=None,
                   format_func=lambda name: choices.OPTIMIZERS[name].label,
                   persist_state="session")  # fmt: skip
    name = rule_name()
    right.select_slider("Learning rate η", RATES, _usual(name), key=f"trial_rate_{name}",
                        format_func=lambda x: f"{x:g}", persist_state="session")  # fmt: skip


def weight(trial: Trial, layer: Layer, name: str, index: tuple[int, ...], where: str) -> None:
    """One weight: its value, its gradient, and its value after one step."""
    value, gradient = (float(of[name][index]) for of in (layer.parameters, layer.gradients))
    after = float(trial.after(layer, name)[index])
    label = choices.OPTIMIZERS[rule_name()].label
    rows = [("weight w", value), ("gradient ∂L/∂w", gradient),
            (f"after one step of {label}, η = {rate():g}", after), ("change", after - value)]
    body = "".join(f"<tr><td>{says}</td><td>{_digits(number)}</td></tr>" for says, number in rows)
    st.html(f'{_STYLE}<table class="weight"><caption>{where}</caption>{body}</table>')


def _digits(value: float) -> str:
    if value and abs(value) < 1e-4:
        return ("+" if value > 0 else "") + numbers.significant(value, 4)
    return numbers.signed(value, 6)


def practise(who: Specimen, trial: Trial) -> None:
    """Do 1, 10, 100 steps, and the probability of the label over them."""
    st.subheader("Learn this image", anchor=False)
    st.caption("Each step goes forward, back, and moves every weight, on a copy of the network "
               "that is yours alone.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = [n for n in (1, 10, 100)
                   if st.button(f"Do {n} step{'s' * (n > 1)}", key=f"do_{n}",
                                type="primary" if n == 10 else "secondary")]  # fmt: skip
        st.button("Reset", icon=":material/undo:", key="trial_reset", on_click=_reset,
                  disabled=not trial.taken)  # fmt: skip
    if pressed:
        _advance(who, trial, pressed[0])
    if fault := state.mine().trial_fault:
        st.warning(fault, icon=":material/warning:")
    p, first = trial.history[-1], trial.history[0]
    moved = ""
    if trial.taken:
        steps = numbers.some(trial.taken, "step")
        moved = f" It was {numbers.probability(first)} before {steps}."
    st.markdown(f"The network gives the label **{who.label}** a probability of "
                f"**{numbers.probability(p)}**, and is read "
                f"as **{trial.logits[0].argmax()}**.{moved}")  # fmt: skip
    if trial.taken:
        st.echarts_chart(plotting.label_curve(trial.history, who.label), key="label_curve",
                         height=260)  # fmt: skip


def _advance(who: Specimen, trial: Trial, count: int) -> None:
    mine = state.mine()
    mine.trial, mine.trial_fault = (who.key, trial), ""
    bar = st.progress(0.0, "Learning …")
    every = max(1, count // 20)  # a message to the browser for each step would slow the steps

    def report(share: float) -> None:
        if round(share * count) % every == 0:
            bar.progress(share, "Learning …")

    try:
        trial.advance(count, report)
    except microscope.Diverged as error:
        mine.trial_fault = str(error)
    session.redraw()


def _reset() -> None:
    state.mine().trial, state.mine().trial_fault = None, ""


_STYLE = """<style>
.weight { font-variant-numeric: tabular-nums; border-collapse: collapse; width: 100%;
  max-width: 30rem; font-size: .9rem; }
.weight caption { text-align: left; font-weight: 500; padding-bottom: 4px; caption-side: top; }
.weight td { border: 0; padding: 3px 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.weight td:last-child { text-align: right; padding-left: 1rem; white-space: nowrap; }
</style>"""
