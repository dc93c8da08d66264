"""A run as one page of HTML that needs nothing else: figures, curves, confusion, design."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_core.analysis import evaluation
from mnist_core.analysis.comparison import described
from mnist_core.basis import numbers
from mnist_core.basis.numbers import percent, plain
from mnist_core.charts.plotting import Chart
from mnist_core.design.choices import ACTIVATIONS, INITIALIZERS, OPTIMIZERS
from mnist_core.design.spec import RunSpec
from mnist_core.runs.artifacts import Evaluation
from mnist_core.runs.records import Run

from .chart_sheets import SCALES, SIZE, config

SHOWN_AS_LAYERS = ("Network", "Activations", "Kernels")  # settings that the table of layers has
NO_ANSWERS = ("Its answers to the test images were not at hand: open this run on the Evaluate "
              "page, then export the report again.")  # fmt: skip

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: #26241F; background: white; margin: 0 auto;
  max-width: 60rem; padding: 2rem 1rem; font-variant-numeric: tabular-nums; }}
h1 {{ font-size: 1.6rem; margin: 0; }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
p {{ margin: .4rem 0; }} .quiet, figcaption {{ color: #6B675F; font-size: .9rem; }}
dl {{ display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.5rem 0; }}
dt {{ color: #6B675F; font-size: .85rem; }} dd {{ margin: 0; font-size: 1.3rem; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem; }}
td, th {{ text-align: right; padding: .3rem .5rem; border-bottom: 1px solid #E4E1DA; }}
td:first-child, th:first-child {{ text-align: left; }} th {{ font-weight: 500; color: #6B675F; }}
.charts {{ display: grid; gap: 1.5rem; grid-template-columns:
  repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }}
figure {{ margin: 0; break-inside: avoid; min-width: 0; }}
button {{ font: inherit; font-size: .85rem; border: 1px solid #C9C5BC; border-radius: 4px;
  background: white; color: inherit; padding: .1rem .6rem; margin-right: .3rem; cursor: pointer; }}
code {{ font-size: .85rem; overflow-wrap: anywhere; }}
@media print {{ button {{ display: none; }} body {{ padding: 0; }} }}
</style></head><body>
{body}
</body></html>
"""


@dataclass(frozen=True, eq=False)
class Subject:
    """What a report is about: a run, its charts by name, its answers to the test images if they are
    known, and `notes`, sentences on what is particular about it."""

    run: Run
    charts: dict[str, Chart]
    answers: Evaluation | None
    notes: Sequence[str] = ()


def report(about: Subject, name: str) -> str:
    """The page; `name` begins the names of the pictures that can be saved from it."""
    run = about.run
    title = f"{'-'.join(run.spec.sizes)} · {OPTIMIZERS[run.spec.optimizer].label}"
    made = time.strftime("%d %B %Y, %H:%M", time.localtime(run.created))
    said = [run.message, *about.notes, "" if about.answers else NO_ANSWERS]
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="quiet">A run of MNIST Lab, {made} · {_text(run.status)} · '
        f"{_text(run.data)}</p>",
        f"<dl>{''.join(_terms(about))}</dl>",
        *(f"<p>{_text(sentence)}</p>" for sentence in filter(None, said)),
        f'<div class="charts">{"".join(_figures(about.charts, name))}</div>',
        "<h2>The design</h2>",
        _layers(run.spec),
        _settings(run.spec),
        f'<p class="quiet">As a link: <code>?{_text(_query(run.spec))}</code></p>',
    ]
    return _PAGE.format(title=_text(title), body="\n".join(parts))


def _text(value: object) -> str:
    return html.escape(str(value))


def _terms(about: Subject) -> Iterator[str]:
    """The key figures."""
    run, terms = about.run, {}
    if run.test_accuracy is not None:
        terms = {"Test accuracy": percent(run.test_accuracy),
                 "Test loss": numbers.loss(run.test_loss)}
    if about.answers:
        found = evaluation.scores(about.answers.labels, about.answers.probabilities)
        terms["95 % interval"] = f"{percent(found.low)} to {percent(found.high)}"
        terms["Mistakes"] = f"{found.n - found.right:,} of {found.n:,}"
    if run.seconds:
        terms["Training"] = numbers.seconds(run.seconds)
    terms["Parameters"] = f"{run.spec.parameters:,}"
    return (f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in terms.items())


def _figures(charts: dict[str, Chart], name: str) -> Iterator[str]:
    for i, (key, chart) in enumerate(charts.items()):
        drawn = chart.figure.to_html(
            full_html=False, include_plotlyjs=i == 0, div_id=key,
            config=config(f"{name}-{key}") | {"displayModeBar": False},
        )  # fmt: skip
        saves = "".join(
            f"<button onclick=\"Plotly.downloadImage('{key}', {{format: '{kind}', scale: {scale}, "
            f"width: {SIZE['width']}, height: {SIZE['height']}, filename: '{name}-{key}'}})\">"
            f"{kind.upper()}</button>"
            for kind, scale in SCALES.items()
        )
        yield f"<figure>{drawn}<figcaption>{_text(chart.reading)}<br>{saves}</figcaption></figure>"


def _layers(spec: RunSpec) -> str:
    rows = "".join(
        f"<tr><td>{_text(block.kind)} {_text(_arguments(block.arguments))}</td>"
        f"<td>{' × '.join(map(str, block.output))}</td>"
        f"<td>{block.trainable + block.fixed:,}</td></tr>"
        for block in spec.stack()
    )
    return ("<table><thead><tr><th>Layer</th><th>Output</th><th>Parameters</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>")  # fmt: skip


def _arguments(given: dict[str, Any]) -> str:
    """The arguments of a layer in words."""
    words = {
        "units": lambda n: f"{n:,} units", "filters": lambda n: f"{n:,} filters",
        "kernel_size": lambda n: f"{n} × {n}", "pool_size": lambda n: f"{n} × {n}",
        "rate": lambda share: percent(share, 0), "activation": lambda name: ACTIVATIONS[name].label,
        "kernel_initializer": lambda name: INITIALIZERS[name].label,
        "kernel_regularizer": lambda rule: f"L2 {plain(rule.factor)}",
    }  # fmt: skip
    return ", ".join(words[name](value) for name, value in given.items() if name in words)


def _settings(spec: RunSpec) -> str:
    rows = {label: said for label, said in described(spec).items() if label not in SHOWN_AS_LAYERS}
    cells = "".join(f"<tr><td>{name}</td><td>{_text(value)}</td></tr>"
                    for name, value in rows.items())  # fmt: skip
    return f"<h2>The training</h2><table><tbody>{cells}</tbody></table>"


def _query(spec: RunSpec) -> str:
    return "&".join(f"{key}={value}" for key, value in spec.to_query().items())
