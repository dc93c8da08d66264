"""Runs side by side: their curves, how they ended, and where their designs differ."""

from __future__ import annotations

import html

import streamlit as st

from mnist_core.analysis import comparison
from mnist_core.charts import run_charts
from mnist_core.runs.records import Run
from mnist_core.training.events import Event
from pages._runs import run_list, state
from pages._shell import chart, navigation, session, shared

FIRST = 3  # runs that are compared before anybody has chosen


def compare_runs() -> None:
    """The chosen runs, in curves and in a table."""
    runs = _chosen()
    if not runs:
        return
    histories = [shared.runs().history(run.id) for run in runs.values()]
    left, right = st.columns(2)
    metric = left.selectbox("Show", list(comparison.METRICS), key="compared_metric",
                            filter_mode=None, format_func=lambda m: comparison.METRICS[m][0],
                            persist_state="session")  # fmt: skip
    axis = right.selectbox("Along", list(comparison.AXES), key="compared_axis", filter_mode=None,
                           format_func=comparison.AXES.__getitem__,
                           persist_state="session")  # fmt: skip
    curves(runs, histories, metric, axis)
    st.subheader("How they ended", anchor=False)
    table(runs, histories)


def curves(runs: dict[str, Run], histories: list[list[Event]], metric: str, axis: str) -> None:
    """A metric of all of them over each other."""
    found = comparison.curves(runs, histories, metric, axis)
    chart.show(run_charts.overlay(found, metric, axis), "compared")


def _chosen() -> dict[str, Run]:
    """The runs of the link, else of the session, by names of their own."""
    options = {run.id: run for run in run_list.mine()}
    asked = st.query_params.get("runs", "~".join(state.mine().compared))
    for run in asked.split("~"):  # trials of sweeps, or somebody else's by its link
        if run not in options and (found := shared.runs().get(run)):
            options[found.id] = found
    if not options:
        st.info("There is nothing to compare yet. Train two networks, or let some race.",
                icon=":material/stacked_line_chart:")  # fmt: skip
        navigation.link("builder", "Build and train one")
        return {}
    picked = [run for run in asked.split("~") if run in options] or list(options)[:FIRST]
    session.set_widget("compared_runs", picked)
    st.multiselect("Runs", list(options), key="compared_runs", filter_mode="contains",
                   format_func=lambda run: options[run].name,
                   on_change=lambda: _keep(session.widget("compared_runs")))  # fmt: skip
    return named([options[run] for run in picked])


def _keep(ids: list[str]) -> None:
    state.mine().compared = ids
    st.query_params["runs"] = "~".join(ids)


def named(runs: list[Run]) -> dict[str, Run]:
    """Runs by their names, which a number makes different where they are not."""
    found: dict[str, Run] = {}
    for run in runs:
        name, n = run.name, 1
        while name in found:
            n += 1
            name = f"{run.name} ({n})"
        found[name] = run
    return found


def table(runs: dict[str, Run], histories: list[list[Event]]) -> None:
    """Final figures, the best ones marked, and the settings that differ."""
    figures = comparison.figures(list(runs.values()), histories)
    differing = comparison.differences([run.spec for run in runs.values()], histories)
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in runs)
    rows = "".join(_figure_row(figure) for figure in figures)
    rows += _band("Settings that differ" if differing else "All settings are the same", len(runs))
    rows += "".join(_row(label, values, {}) for label, values in differing.items())
    st.html(f"""<style>
    .wide {{ overflow-x: auto; }} .sides {{ border-collapse: collapse; min-width: 100%;
      font-size: .9rem; }}
    .sides th, .sides td {{ padding: 6px 12px 6px 8px; text-align: right; border: 0;
      border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent);
      min-width: 6.5rem; max-width: 16rem; overflow-wrap: anywhere; vertical-align: top; }}
    .sides th {{ font-weight: 600; }}
    .sides td:first-child, .sides th:first-child {{ text-align: left; opacity: .75;
      font-weight: 400; }}
    .sides .top {{ font-weight: 700; }}
    .sides .band td {{ opacity: 1; font-weight: 600; padding-top: 16px; text-align: left; }}
    .sides .differs {{ background: color-mix(in srgb, #4666E8 14%, transparent); }}
    </style><div class="wide" tabindex="0"><table class="sides quiet"><thead><tr><th></th>{head}
    </tr></thead><tbody>{rows}</tbody></table></div>""")
    if differing:
        st.caption("Bold: the best of each line. Shaded: unlike the first run. All other settings "
                   "are the same.")  # fmt: skip


def _figure_row(figure: comparison.Figure) -> str:
    values = [figure.write(value) for value in figure.values]
    return _row(figure.label, values, dict.fromkeys(figure.winners(), "top"))


def _row(label: str, values: list[str], classes: dict[int, str]) -> str:
    if not classes and label in comparison.SETTING_LABELS:
        classes = {i: "differs" for i, value in enumerate(values) if value != values[0]}
    cells = "".join(f'<td class="{classes.get(i, "")}">{html.escape(value)}</td>'
                    for i, value in enumerate(values))  # fmt: skip
    return f"<tr><td>{label}</td>{cells}</tr>"


def _band(words: str, columns: int) -> str:
    return f'<tr class="band"><td colspan="{columns + 1}">{words}</td></tr>'
