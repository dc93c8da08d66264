"""What Streamlit has no widget for: a grid of digits, a matrix of cells, the link of a view."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages._components import pictures

# ------------------------------------------------------------------ digit grid

_GRID = st.components.v2.component(
    "mnist_lab_digit_grid",
    html='<div class="frame"><div class="grid" role="listbox" aria-label="Digits"></div></div>',
    css="""
    :host, .frame { container-type: inline-size; }
    .grid { display: grid; gap: 4px; grid-template-columns: repeat(auto-fill, minmax(46px, 1fr)); }
    @container (min-width: 480px) { .grid { grid-template-columns: repeat(10, 1fr); } }
    .grid button { aspect-ratio: 1; border: 0; padding: 0; border-radius: 3px; cursor: pointer;
      background-color: #000; background-repeat: no-repeat; image-rendering: pixelated;
      position: relative; outline: 2px solid transparent; outline-offset: 1px; }
    .grid button:hover, .grid button:focus-visible { outline-color: var(--st-text-color); }
    .grid button[aria-selected=true] { outline: 3px solid var(--st-primary-color); }
    .grid span { position: absolute; right: 3px; bottom: 1px; font: 600 11px var(--st-font);
      color: #fff; text-shadow: 0 0 3px #000, 0 0 2px #000; opacity: .85; }
    """,
    js="""
    export default function ({ data, parentElement, setTriggerValue }) {
      const grid = parentElement.querySelector('.grid');
      const { sprite, columns, rows, labels, titles, indices, marks, picked, roams } =
        JSON.parse(new TextDecoder().decode(data));
      const focused = () => grid.contains(grid.getRootNode().activeElement);
      while (grid.children.length > labels.length) grid.lastChild.remove();
      while (grid.children.length < labels.length) {
        const tile = document.createElement('button');
        tile.type = 'button';
        tile.setAttribute('role', 'option');
        tile.append(document.createElement('span'));
        grid.append(tile);
      }
      [...grid.children].forEach((tile, i) => {
        const x = i % columns, y = Math.floor(i / columns);
        tile.style.backgroundImage = `url(${sprite})`;
        tile.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
        tile.style.backgroundPosition =
          `${columns > 1 ? 100 * x / (columns - 1) : 0}% ${rows > 1 ? 100 * y / (rows - 1) : 0}%`;
        tile.firstChild.textContent = marks[i];
        tile.title = `index ${indices[i]}, ${titles[i]}`;
        tile.setAttribute('aria-label', tile.title);
        tile.onclick = () => setTriggerValue('picked', indices[i]);
      });
      const select = (at) => [...grid.children].forEach((tile, i) => {
        tile.setAttribute('aria-selected', i === at);
        tile.tabIndex = i === Math.max(at, 0) ? 0 : -1;
      });
      let at = indices.indexOf(picked), sending;
      select(at);
      if (focused() && at >= 0) grid.children[at].focus();
      // A key held down moves at once here, and tells the server when it rests.
      const move = (step) => {
        const from = at;
        clearTimeout(sending);
        if (at + step < 0 || at + step >= indices.length) {
          if (roams) setTriggerValue('left', [indices[from], step]);
          return;
        }
        select(at += step);
        if (focused()) grid.children[at].focus();
        sending = setTimeout(() => setTriggerValue('picked', indices[at]), 90);
      };
      const wide = () => getComputedStyle(grid).gridTemplateColumns.split(' ').length;
      const steps = { ArrowLeft: () => -1, ArrowRight: () => 1,
                      ArrowUp: () => -wide(), ArrowDown: () => wide() };
      const onkey = (event) => {
        if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        move(steps[event.key]());
      };
      // With nothing else in focus, left and right belong to the digit that is shown.
      const onpage = (event) => {
        if (event.target === document.body && /^Arrow(Left|Right)$/.test(event.key)) onkey(event);
      };
      grid.onkeydown = onkey;
      document.removeEventListener('keydown', grid.onpage);
      grid.onpage = roams ? onpage : null;
      if (roams) document.addEventListener('keydown', onpage);
      return () => document.removeEventListener('keydown', grid.onpage);
    }
    """,
)


def digit_grid(
    images: np.ndarray, labels: Sequence[int], indices: Sequence[int], picked: int | None, key: str,
    order: np.ndarray | None = None, marks: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
) -> int | None:  # fmt: skip
    """Digits to choose from, as one picture; the index that was picked just now, by a click or the
    arrow keys, or None. With `order`, all indices of which these are a part, keys go beyond it.
    `marks` stand in the corner instead of the labels; a pointer, or a screen reader, gets `titles`.
    """
    columns = 10
    shown = {
        "sprite": pictures.png(pictures.sprite(images, columns)),
        "columns": columns,
        "rows": max(1, math.ceil(len(images) / columns)),
        "labels": [str(x) for x in labels],
        "titles": list(titles or (f"label {x}" for x in labels)),
        "indices": [int(x) for x in indices],
        "marks": [str(x) for x in (labels if marks is None else marks)],
        "picked": picked,
        "roams": order is not None,
    }
    # As bytes: a dict makes Streamlit import pandas, half a second before the first digits show.
    packed = json.dumps(shown).encode()
    said = _GRID(data=packed, key=key, on_picked_change=lambda: None, on_left_change=lambda: None)
    return _beyond(order, *said.left) if said.left and order is not None else said.picked


def _beyond(order: np.ndarray, index: int, step: int) -> int | None:
    """The index that stands `step` places from this one, or at the end of the order."""
    (at,) = np.nonzero(order == index)
    return int(order[min(max(at[0] + int(step), 0), len(order) - 1)]) if len(at) else None


# ------------------------------------------------------- matrix of buttons

# Not a Plotly heatmap: its cells cannot be selected, and of points laid over them a tap on a touch
# screen selects the one that was tapped before.
_MATRIX = st.components.v2.component(
    "mnist_lab_matrix",
    html='<div class="frame"><div class="across"></div><div class="matrix" role="group" '
         'aria-label="Confusion matrix: arrow keys move, Enter chooses"></div></div>',
    css="""
    .frame { font: 400 .875rem/1.2 var(--st-font); font-variant-numeric: tabular-nums;
      color: var(--st-text-color); container-type: inline-size; }
    .across { text-align: center; opacity: .7; padding: 0 0 4px 2.2rem; }
    .matrix { display: grid; gap: 2px; grid-template-columns: 2.2rem repeat(10, 1fr); }
    .matrix b { font-weight: 400; opacity: .7; display: grid; place-items: center; }
    .matrix button { border: 0; border-radius: 3px; padding: 0; height: 2.3rem; min-width: 0;
      font: inherit; color: inherit; cursor: pointer; outline: 2px solid transparent; }
    .matrix button:hover, .matrix button:focus-visible { outline-color: var(--st-text-color); }
    .matrix button[aria-pressed=true] { outline: 3px solid var(--st-primary-color); }
    @container (max-width: 420px) { .matrix { grid-template-columns: 1.1rem repeat(10, 1fr); }
      .matrix button { font-size: .7rem; } .across { padding-left: 1.1rem; } }
    """,
    js="""
    export default function ({ data, parentElement, setTriggerValue }) {
      const { texts, strengths, titles, picked, across } =
        JSON.parse(new TextDecoder().decode(data));
      parentElement.querySelector('.across').textContent = across;
      const matrix = parentElement.querySelector('.matrix');
      const head = (text) => Object.assign(document.createElement('b'), { textContent: text });
      if (!matrix.children.length) {
        matrix.append(head(''), ...texts.map((_, i) => head(i)));
        texts.forEach((row, i) => matrix.append(
          head(i), ...row.map(() => Object.assign(document.createElement('button'),
                                                  { type: 'button' }))));
      }
      [...matrix.querySelectorAll('button')].forEach((cell, at) => {
        const i = Math.floor(at / 10), j = at % 10;
        cell.textContent = texts[i][j];
        cell.title = titles[i][j];
        cell.setAttribute('aria-label', titles[i][j]);
        const chosen = i === picked[0] && j === picked[1];
        cell.setAttribute('aria-pressed', chosen);
        cell.tabIndex = chosen ? 0 : -1;  // one stop of the Tab key; arrows go from cell to cell
        cell.style.background = i === j ? 'transparent'
          : `color-mix(in srgb, var(--st-primary-color) ${4 + 66 * strengths[i][j]}%, transparent)`;
        cell.onclick = () => {
          matrix.querySelector('[aria-pressed=true]')?.setAttribute('aria-pressed', false);
          cell.setAttribute('aria-pressed', true);
          setTriggerValue('picked', [i, j]);
        };
      });
      matrix.onkeydown = (event) => {
        const cells = [...matrix.querySelectorAll('button')];
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 }[event.key];
        const from = cells.indexOf(matrix.getRootNode().activeElement), to = from + step;
        if (!cells[to] || (Math.abs(step) === 1 && Math.floor(from / 10) !== Math.floor(to / 10)))
          return;
        event.preventDefault();
        cells[from].tabIndex = -1;
        cells[to].tabIndex = 0;
        cells[to].focus();
      };
    }
    """,
)


def matrix(
    texts: list[list[str]], strengths: np.ndarray, titles: list[list[str]],
    picked: tuple[int, int], across: str, key: str,
) -> None:  # fmt: skip
    """A 10×10 matrix whose cells can be chosen: in the run after a click, the value of the widget
    `key` has the (row, column) as its `picked`. `strengths` in 0…1 shade the cells, but not the
    diagonal; `across` names the columns."""
    shown = {"texts": texts, "strengths": strengths.round(3).tolist(), "titles": titles,
             "picked": picked, "across": across}  # fmt: skip
    _MATRIX(data=json.dumps(shown).encode(), key=key, on_picked_change=lambda: None)


# ------------------------------------------------------------------- copy link

_COPY = st.components.v2.component(
    "mnist_lab_copy_link",
    html='<button type="button" title="Copy the link to exactly this view"></button>',
    css="""
    button { padding: 0; border: 0; background: transparent; cursor: pointer; white-space: nowrap;
      color: var(--st-text-color); font: 400 .875rem/1.6 var(--st-font); }
    button:hover { color: var(--st-primary-color); text-decoration: underline; }
    """,
    js="""
    export default function ({ parentElement }) {
      const button = parentElement.querySelector('button');
      const say = (words) => { button.textContent = words; };
      const old = () => {  // the clipboard of a page without https
        const field = document.createElement('textarea');
        field.value = location.href;
        document.body.append(field);
        field.select();
        const copied = document.execCommand('copy');
        field.remove();
        return copied ? Promise.resolve() : Promise.reject();
      };
      say('Copy link');
      button.onclick = () => (navigator.clipboard
        ? navigator.clipboard.writeText(location.href).catch(old) : old())
        .then(() => say('Copied'), () => say('Copy it from the address bar'))
        .then(() => setTimeout(() => say('Copy link'), 2000));
    }
    """,
)


def copy_link() -> None:
    """A button that copies the address of the page as it is."""
    _COPY(key="copy_link", width="content")


def csv_button(text: str, name: str) -> None:
    """Offer comma-separated values as `<name>.csv`."""
    st.download_button("Numbers (CSV)", text, f"{name}.csv", "text/csv", key=f"{name}.csv",
                       type="tertiary", icon=":material/download:", on_click="ignore")  # fmt: skip
