"""Design a network, train it, watch it live."""

import streamlit as st

from mnist_core import charts, events, export
from mnist_core.runs import Run
from mnist_core.spec import ACTIVATIONS, LIMITS, OPTIMIZERS, VALIDATIONS, Layer, RunSpec, SpecError
from pages import _ui, _widgets

RATES = [m * 10.0**e for e in range(-6, 1) for m in (1, 2, 5)] + [10.0]
BATCHES = [2**i for i in range(11)]

_ui.page()
data = _ui.data()


def key(name: str) -> str:
    """The widget key of a design choice; they share a prefix so that a new design resets all."""
    return f"design.{name}"


def seeded(name: str, value) -> str:
    return _ui.seed_widget(key(name), value)


def among(options: list, value) -> list:
    """The options with `value`, which a link may have brought, in its place among them."""
    near = next((x for x in options if abs(x - value) <= 1e-9 * abs(value)), None)
    return options if near is not None else sorted([*options, value])


def exact(options: list, value):
    """The option that stands for `value`: sums like 5 · 10⁻³ have another last bit than 0.005."""
    return min(options, key=lambda x: abs(x - value))


# ------------------------------------------------------------- the controls


def layers_form(spec: RunSpec) -> tuple[Layer, ...]:
    """How many hidden layers, and each of them."""
    low, high = (int(x) for x in LIMITS["layers"])
    count = st.slider("Hidden layers", low, high, key=seeded("count", len(spec.layers)))
    layers = []
    for i in range(count):
        known = spec.layers[min(i, len(spec.layers) - 1)]
        layers.append(layer_form(i, known, count))
    return tuple(layers)


def layer_form(i: int, layer: Layer, count: int) -> Layer:
    """One hidden layer in a frame of its own."""
    low, high = (int(x) for x in LIMITS["units"])
    with st.container(border=True, key=f"layer_{i}"):
        units = st.slider(f"Layer {i + 1}: units", low, high, step=8,
                          key=seeded(f"units.{i}", layer.units))  # fmt: skip
        left, right = st.columns(2, vertical_alignment="bottom")
        activation = left.selectbox(
            "Activation", list(ACTIVATIONS), format_func=lambda a: ACTIVATIONS[a].label,
            key=seeded(f"activation.{i}", layer.activation), filter_mode=None,
            help="\n\n".join(f"**{c.label}**: {c.says}" for c in ACTIVATIONS.values()),
        )  # fmt: skip
        norm = right.toggle(
            "Batch norm", key=seeded(f"norm.{i}", layer.batch_norm),
            help="Brings each unit to mean 0 and deviation 1 over the batch, then lets it learn "
            "its own scale and shift.",
        )  # fmt: skip
        dropout = st.slider(
            "Dropout", 0.0, LIMITS["dropout"].high, step=0.05,
            key=seeded(f"dropout.{i}", float(layer.dropout)),
            help="The share of units that is silenced at random in each training step.",
        )  # fmt: skip
        made = Layer(units, activation, norm, round(dropout, 4))
        if count > 1:
            st.button("Apply to all layers", key=f"apply_{i}", type="tertiary",
                      icon=":material/content_copy:", on_click=apply_to_all,
                      args=(made, count))  # fmt: skip
    return made


def apply_to_all(layer: Layer, count: int) -> None:
    """Give every layer the same settings."""
    for i in range(count):
        _ui.set_widget(key(f"units.{i}"), layer.units)
        _ui.set_widget(key(f"activation.{i}"), layer.activation)
        _ui.set_widget(key(f"norm.{i}"), layer.batch_norm)
        _ui.set_widget(key(f"dropout.{i}"), layer.dropout)


def usual_rate() -> None:
    """A new optimizer comes with its own usual learning rate."""
    rate = OPTIMIZERS[_ui.widget(key("optimizer"))].learning_rate
    _ui.set_widget(key("rate"), exact(RATES, rate))


def plain(number: float) -> str:
    return f"{number:.8f}".rstrip("0").rstrip(".")


def training_form(spec: RunSpec, layers: tuple[Layer, ...]) -> RunSpec:
    """Optimizer, batches, epochs, validation and seed."""
    optimizer = st.selectbox(
        "Optimizer", list(OPTIMIZERS), format_func=lambda o: OPTIMIZERS[o].label, filter_mode=None,
        key=seeded("optimizer", spec.optimizer), on_change=usual_rate,
    )  # fmt: skip
    st.caption(OPTIMIZERS[optimizer].says)
    rates, sizes = among(RATES, spec.learning_rate), among(BATCHES, spec.batch_size)
    rate = st.select_slider("Learning rate", rates, format_func=plain,
                            key=seeded("rate", exact(rates, spec.learning_rate)))  # fmt: skip
    batch = st.select_slider("Batch size", sizes, key=seeded("batch", spec.batch_size))
    epochs = st.slider("Epochs", *map(int, LIMITS["epochs"]), key=seeded("epochs", spec.epochs))
    validation = st.radio(
        "Validate on", list(VALIDATIONS), format_func=lambda v: VALIDATIONS[v].label,
        key=seeded("validation", spec.validation), horizontal=True,
    )  # fmt: skip
    share = spec.validation_share
    if validation == "share":
        share = st.slider("Share kept for validation", *LIMITS["validation_share"], step=0.05,
                          key=seeded("share", share), format="percent")  # fmt: skip
        st.caption(VALIDATIONS[validation].says)
    seed = st.number_input(
        "Seed", *map(int, LIMITS["seed"]), key=seeded("seed", spec.seed),
        help="Decides the initial weights, the order of the images and what dropout drops: the "
        "same seed gives the same run.",
    )  # fmt: skip
    return RunSpec(layers, optimizer, float(f"{rate:.12g}"), batch, epochs, validation,
                   round(share, 4), seed)  # fmt: skip


# ---------------------------------------------------------------- the buttons


def train(spec: RunSpec) -> None:
    """Queue the design; the page turns to the new run."""
    try:
        _ui.show_run(_ui.service().submit(spec, _ui.visitor(), data.name, data.source))
    except SpecError as error:
        st.error(str(error), icon=":material/block:")


def buttons(spec: RunSpec, run: Run | None) -> None:
    """Train and Stop, outside the live part: a click there could meet its redrawing and be lost."""
    blocked = any(problem.blocking for problem in spec.problems())
    blocked = blocked or _ui.service().state == "failed"
    active = bool(run and run.active and run.owner == _ui.visitor())  # a link is for looking
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Train", type="primary", icon=":material/play_arrow:", key="train",
                  disabled=blocked or active, on_click=train, args=(spec,))  # fmt: skip
        st.button("Stop", icon=":material/stop:", key="stop", disabled=not active,
                  on_click=lambda: _ui.service().stop(run.id))  # fmt: skip
        st.caption(f"{spec.parameters:,} parameters · {data.name}")


def problems(spec: RunSpec) -> None:
    """What is impossible or unwise, before Train is pressed."""
    if _ui.service().state == "failed":
        st.error(_ui.service().message, icon=":material/power_off:")
    for problem in spec.problems():
        if problem.blocking:
            st.error(str(problem), icon=":material/block:")
        else:
            st.info(str(problem), icon=":material/lightbulb:")


# ------------------------------------------------------------------- the run


def live(run_id: str) -> None:
    """The run as it is now; a fragment that draws itself anew while the run goes on."""
    run = _ui.runs().get(run_id)
    history = _ui.runs().history(run_id)
    with st.container(border=True, key="live"):
        headline(run, history)
        started = next((e for e in history if isinstance(e, events.Started)), None)
        if started:
            figures(run, history)
            log = bool(_ui.widget("log_loss"))
            left, right = st.columns(2)
            left.echarts_chart(charts.live_curve(history, "loss", log), key="loss", height=300)
            right.echarts_chart(charts.live_curve(history, "accuracy"), key="accuracy", height=300)
            st.caption("Dots: a few steps each, with their smoothed line. Rings: whole epochs.")
    if not run.active:
        ended = _ui.state().ended
        if ended != run.id:  # once: the buttons outside the fragment must hear of it
            _ui.state().ended = run.id
            st.rerun()


def headline(run: Run, history: list[events.Event]) -> None:
    """One line on where the run is, with a bar while it moves."""
    chunks = [e for e in history if isinstance(e, events.Progress)]
    started = next((e for e in history if isinstance(e, events.Started)), None)
    if run.status == "queued":
        ahead = _ui.service().ahead(run.id)
        behind = "starting" if not ahead else f"{ahead} run{'s' * (ahead > 1)} before yours"
        st.progress(0.0, f"**In the queue**: {behind}")
    elif run.status == "running" and not chunks:
        warming = _ui.service().state == "starting"
        st.progress(0.0, "**Starting the training process**: about 10 seconds after a server start"
                    if warming else "**Compiling the network**: a second or two")  # fmt: skip
    elif run.status == "running":
        total = started.steps_per_epoch * started.epochs
        last = chunks[-1]
        left = last.seconds / last.step * (total - last.step)
        epoch = min(started.epochs, (last.step - 1) // started.steps_per_epoch + 1)
        st.progress(last.step / total, f"**Epoch {epoch} of {started.epochs}** · "
                    f"{speed(chunks):,.0f} images/s · {left:.0f} s left")  # fmt: skip
    elif run.status == "finished":
        st.success(f"Finished in {run.seconds:.1f} s of training: **{run.test_accuracy:.2%}** of "
                   "the test images are read correctly.", icon=":material/check:")  # fmt: skip
    elif run.status == "stopped" and run.test_accuracy is not None:
        st.info(f"Stopped after {run.seconds:.1f} s of training: **{run.test_accuracy:.2%}** of "
                "the test images are read correctly. Weights and history are kept.",
                icon=":material/stop_circle:")  # fmt: skip
    else:
        st.warning(run.message, icon=":material/warning:")


def speed(chunks: list[events.Progress]) -> float:
    """Images a second over the last ten chunks: one alone jumps about."""
    recent = chunks[-10:]
    return sum(e.images_per_second for e in recent) / len(recent)


def figures(run: Run, history: list[events.Event]) -> None:
    """The latest numbers, side by side."""
    ends = [e for e in history if isinstance(e, events.EpochEnded)]
    chunks = [e for e in history if isinstance(e, events.Progress)]
    losses = charts.smoothed([e.loss for e in chunks], [e.steps for e in chunks])
    now = losses[-1] if chunks else None
    shown = {
        "Training loss": f"{now:.3f}" if now is not None else "–",
        "Validation loss": f"{ends[-1].val_loss:.3f}" if ends else "–",
        "Validation accuracy": f"{ends[-1].val_accuracy:.2%}" if ends else "–",
        "Test accuracy": f"{run.test_accuracy:.2%}" if run.test_accuracy else "–",
    }
    with st.container(horizontal=True):
        for name, value in shown.items():
            st.metric(name, value)


def run_panel(run: Run) -> None:
    """The live part and, when it has ended, where to go with the model."""
    if run.spec != _ui.state().spec:
        st.caption(f"This run: {run.name}. The design on this page has changed since.")
        st.button("Show this run's design", key="load_design", type="tertiary",
                  icon=":material/undo:", on_click=load_design, args=(run.spec,))  # fmt: skip
    st.fragment(live, run_every=0.5 if run.active else None)(run.id)
    st.toggle("Loss on a log scale", key=_ui.seed_widget("log_loss", False))
    if run.active or not _ui.runs().has_weights(run.id):
        return
    if st.button("Draw a digit for this model", icon=":material/draw:", key="to_draw"):
        _ui.state().model = run.id
        _ui.go("draw")


def load_design(spec: RunSpec) -> None:
    """Bring a run's design back into the controls."""
    _ui.drop_widgets("design.")
    _ui.state().spec = spec


# ------------------------------------------------------------------- the page

st.title("Build and train")
spec, sentence = _ui.design_from_url()
if sentence:
    st.warning(sentence, icon=":material/link_off:")
left, right = st.columns([2, 3], gap="large")
with left:
    st.subheader("Network", anchor=False)
    layers = layers_form(spec)
    st.subheader("Training", anchor=False)
    spec = training_form(spec, layers)
_ui.design_to_url(spec)
run = _ui.run_in_url()
with right:
    problems(spec)
    buttons(spec, run)
    if run:
        run_panel(run)
    elif _ui.asked_for_run():
        st.warning("There is no run under this link: it may have expired, or the link was cut "
                   "short. You can train a new one.", icon=":material/link_off:")  # fmt: skip
    network, code = st.tabs(["Layers", "Keras code"])
    network.html(_widgets.diagram(spec))
    if any(problem.blocking for problem in spec.problems()):
        code.info("There is code as soon as the design can be trained.")
    else:
        code.code(export.keras_code(spec), language="python")
_ui.data_note()
