"""An array as a picture whose cells can be read and chosen: signed numbers around zero, or ink."""

from __future__ import annotations

import base64
import json
import math

import numpy as np
import streamlit as st

FEW = 64  # so many numbers or fewer are written out, each in a cell of its own
WIDE = 32  # columns of a long row of numbers

_FIELD = st.components.v2.component(
    "mnist_lab_field",
    html='<div class="frame"><div class="few"></div><div class="many">'
         '<canvas tabindex="0"></canvas><i></i></div><output></output></div>',
    css="""
    .frame { font: 400 .8rem/1.3 var(--st-font); font-variant-numeric: tabular-nums;
      color: var(--st-text-color); }
    .few { display: grid; gap: 2px; }
    .few button { border: 0; border-radius: 3px; padding: 5px 2px; font: inherit; color: inherit;
      min-width: 0; cursor: pointer; text-align: right; outline: 2px solid transparent;
      overflow: hidden; }
    .few small { display: block; opacity: .7; font-size: .68rem; text-align: left;
      padding-left: 2px; }
    .few button:hover, .few button:focus-visible { outline-color: var(--st-text-color); }
    .few button[aria-pressed=true] { outline: 2px solid var(--st-primary-color); }
    .many { position: relative; }
    canvas { image-rendering: pixelated; display: block; width: 100%; cursor: crosshair;
      box-shadow: 0 0 0 1px color-mix(in srgb, currentColor 22%, transparent); border-radius: 2px; }
    canvas:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
    i { position: absolute; box-sizing: border-box; pointer-events: none; min-width: 7px;
      min-height: 7px; transform: translate(-50%, -50%); border-radius: 1px;
      border: 2px solid var(--st-text-color); outline: 1px solid var(--st-background-color); }
    output { display: block; min-height: 1.3em; padding-top: 3px; opacity: .75; }
    """,
    js="""
    const BLUE = [70, 102, 232], ORANGE = [207, 116, 66];
    const decode = (text, Kind) =>
      new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    const show = (v) => (v === 0 ? '0' : Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3
      ? v.toExponential(1) : v.toPrecision(3)).replaceAll('-', '\\u2212');
    export default function ({ data, parentElement, setTriggerValue }) {
      const said = JSON.parse(new TextDecoder().decode(data));
      const { shape, rows, columns, most, ink, picked, label, written, fixed } = said;
      const values = decode(said.values, Float32Array), cells = decode(said.cells, Int32Array);
      const find = (name) => parentElement.querySelector(name);
      const few = find('.few'), many = find('.many'), canvas = find('canvas');
      const name = (at) => shape.length === 1 ? `${at}`
        : shape.length === 2 ? `row ${Math.floor(at / shape[1])}, column ${at % shape[1]}`
        : `map ${at % shape[2]}, row ${Math.floor(at / shape[2] / shape[1])}, column ` +
          `${Math.floor(at / shape[2]) % shape[1]}`;
      const read = (at) => `${name(at)}: ${show(values[at])}`;
      const say = (at) => { find('output').textContent = at >= 0 ? read(at) : ''; };
      const shade = (v) => `rgb(${(v > 0 ? BLUE : ORANGE).join(' ')} / ` +
        `${Math.round(62 * Math.min(1, Math.abs(v) / most))}%)`;
      const choose = (at) => { if (at >= 0) { say(at); setTriggerValue('picked', at); } };
      few.style.display = written ? 'grid' : 'none';
      many.style.display = written ? 'none' : 'block';
      find('output').style.display = written ? 'none' : 'block';
      if (written) {
        few.style.gridTemplateColumns = fixed ? `repeat(${columns}, minmax(0, 1fr))`
          : 'repeat(auto-fill, minmax(58px, 1fr))';
        few.setAttribute('role', 'group');
        few.setAttribute('aria-label', label);
        while (few.children.length > cells.length) few.lastChild.remove();
        while (few.children.length < cells.length) {
          const cell = Object.assign(document.createElement('button'), { type: 'button' });
          cell.append(document.createElement('small'), document.createTextNode(''));
          few.append(cell);
        }
        [...few.children].forEach((cell, i) => {
          const at = cells[i];
          cell.style.visibility = at < 0 ? 'hidden' : 'visible';
          if (at < 0) return;
          cell.firstChild.textContent = fixed ? '' : at;
          cell.lastChild.textContent = show(values[at]);
          cell.setAttribute('aria-label', read(at));
          cell.title = read(at);
          cell.setAttribute('aria-pressed', at === picked);
          cell.style.background = shade(values[at]);
          cell.onclick = () => choose(at);
        });
        return;
      }
      canvas.width = columns;
      canvas.height = rows;
      many.style.width = `min(100%, ${said.width}px)`;
      canvas.setAttribute('aria-label', label);
      canvas.setAttribute('role', 'img');
      const image = new ImageData(columns, rows);
      cells.forEach((at, i) => {
        if (at < 0) return;
        const v = values[at];
        const share = Math.min(1, Math.abs(v) / most);
        const color = ink ? [1, 1, 1].map(() => 255 * share) : v > 0 ? BLUE : ORANGE;
        image.data.set([...color, ink ? 255 : 255 * share], 4 * i);
      });
      canvas.getContext('2d').putImageData(image, 0, 0);
      const frame = find('i'), place = cells.indexOf(picked);
      frame.style.display = place < 0 ? 'none' : 'block';
      if (place >= 0) {
        frame.style.left = `${100 * (place % columns + 0.5) / columns}%`;
        frame.style.top = `${100 * (Math.floor(place / columns) + 0.5) / rows}%`;
        frame.style.width = `calc(${100 / columns}% + 3px)`;
        frame.style.height = `calc(${100 / rows}% + 3px)`;
      }
      say(picked);
      const under = (event) => {
        const box = canvas.getBoundingClientRect();
        const x = Math.floor(columns * (event.clientX - box.left) / box.width);
        const y = Math.floor(rows * (event.clientY - box.top) / box.height);
        return x >= 0 && y >= 0 && x < columns && y < rows ? cells[y * columns + x] : -1;
      };
      canvas.onpointermove = (event) => say(under(event));
      canvas.onpointerleave = () => say(picked);
      canvas.onclick = (event) => choose(under(event));
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
      canvas.onkeydown = (event) => {
        if (!steps[event.key]) return;
        event.preventDefault();
        const next = cells[Math.max(place, 0) + steps[event.key]];
        if (next !== undefined) choose(next);
      };
    }
    """,
)


def layout(shape: tuple[int, ...]) -> np.ndarray:
    """Where each entry of an array is drawn: its flat index for each cell, -1 for a blank one.

    Maps (h, w, c) stand side by side, c tiles with a line between; a long row is folded.
    """
    flat = np.arange(math.prod(shape), dtype=np.int32)
    if len(shape) == 1:
        width = WIDE if len(flat) > FEW else len(flat)
        rows = -(-len(flat) // width)
        return np.pad(flat, (0, rows * width - len(flat)), constant_values=-1).reshape(rows, width)
    if len(shape) == 2:
        return flat.reshape(shape)
    height, width, count = shape
    across = math.ceil(math.sqrt(count))
    tiles = np.full((-(-count // across) * across, height + 1, width + 1), -1, np.int32)
    tiles[:count, :height, :width] = flat.reshape(shape).transpose(2, 0, 1)
    sheet = tiles.reshape(-1, across, height + 1, width + 1).transpose(0, 2, 1, 3)
    return sheet.reshape(-1, across * (width + 1))[:-1, :-1]


def field(
    values: np.ndarray, key: str, label: str, picked: int | None = None, ink: bool = False
) -> int | None:
    """Draw an array of up to three axes; the flat index of the cell that was chosen just now.

    Blue is positive, orange negative; `ink` draws 0…255 white on black. `picked` is framed.
    """
    cells = layout(values.shape)
    written = values.size <= FEW and not ink
    rows, columns = cells.shape
    shown = {
        "shape": values.shape, "rows": rows, "columns": columns, "ink": ink, "label": label,
        "picked": -1 if picked is None else int(picked), "written": written,
        "fixed": values.ndim > 1, "width": int(min(460, columns * max(3, 310 / columns))),
        "most": 255.0 if ink else float(np.abs(values).max()) or 1.0,
        "values": _packed(values, np.float32), "cells": _packed(cells, np.int32),
    }  # fmt: skip
    said = _FIELD(data=json.dumps(shown).encode(), key=key, on_picked_change=lambda: None)
    return said.picked


def _packed(values: np.ndarray, dtype: type) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()
