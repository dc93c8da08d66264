"""HTML from plain data: pictures, bars, tables and the diagram of a design.

Colours come from the page itself (`currentColor` and shares of it), so light and dark need no
second version; only the accent is named.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from mnist_core.basis.numbers import percent, probability
from mnist_core.design.spec import Block, RunSpec
from pages._components.pictures import png

ACCENT = "#4666E8"


def digit(image: np.ndarray, size: str, alt: str) -> str:
    """An <img> of a uint8 image (28, 28), crisp at any size; `size` is a CSS length."""
    return (
        f'<img class="digit" src="{png(image)}" alt="{html.escape(alt)}" '
        f'style="width:{size};aspect-ratio:1;border-radius:4px">'
    )

POSITIVE, NEGATIVE = (70, 102, 232), (207, 116, 66)


def signed_pictures(values: np.ndarray, columns: int, names: Sequence[object]) -> str:
    """Signed pictures (n, h, w) in -1…1 side by side, each with its name below: blue above zero,
    orange below, and the page itself at zero, so that they are read on light and dark alike."""
    widest = min(100.0, 5.0 * columns)
    figures = "".join(f"<figure>{_signed(picture, name)}<figcaption>{name}</figcaption></figure>"
                      for picture, name in zip(values, map(html.escape, map(str, names)),
                                               strict=True))  # fmt: skip
    return f"""<style>
    .signed {{ display: grid; gap: 8px 6px; max-width: {widest:.0f}rem; }}
    .signed figure {{ margin: 0; min-width: 0; }}
    .signed img {{ display: block; width: 100%; background: color-mix(in srgb, currentColor 5%,
      transparent); }}
    .signed figcaption {{ font-size: .7rem; line-height: 1.5; text-align: center; opacity: .7;
      font-variant-numeric: tabular-nums; }}
    </style><div class="signed" style="grid-template-columns: repeat({columns}, minmax(0, 1fr))">
    {figures}</div>"""


def _signed(values: np.ndarray, name: str) -> str:
    color = np.where((values > 0)[..., None], POSITIVE, NEGATIVE).astype(np.uint8)
    alpha = np.rint(255 * np.abs(values)).astype(np.uint8)
    return f'<img class="digit" src="{png(np.dstack([color, alpha]))}" alt="picture {name}">'


def numbers(image: np.ndarray) -> str:
    """The 28×28 matrix of a uint8 image as a table, each cell shaded with its own value."""
    rows = "".join(
        "<tr>" + "".join(f'<td style="background:rgb({v},{v},{v});color:'
                         f'{"#000" if v > 127 else "#cfcfcf"}">{v}</td>' for v in row) + "</tr>"
        for row in image.tolist()
    )  # fmt: skip
    return f"""<style>
    .numbers {{ overflow-x: auto; container-type: inline-size; }}
    .numbers table {{ border-collapse: collapse; table-layout: fixed; width: 100%;
      min-width: 560px; font: max(8px, 1.55cqw)/1.75 ui-monospace, monospace;
      font-variant-numeric: tabular-nums; }}
    .numbers td {{ border: 0; padding: 0; text-align: center; }}
    </style><div class="numbers" tabindex="0"><table aria-label="pixel values">{rows}</table></div>
    """


def probabilities(values: np.ndarray) -> str:
    """Ten probabilities as labelled bars, the largest in the accent colour."""
    best = int(values.argmax())
    rows = "".join(
        f'<div class="bar{" best" if i == best else ""}"><b>{i}</b>'
        f'<i><u style="width:{100 * p:.2f}%"></u></i><span>{probability(p)}</span></div>'
        for i, p in enumerate(values.tolist())
    )
    return f"""<style>
    .bars {{ display: grid; gap: 5px; font-variant-numeric: tabular-nums; }}
    .bar {{ display: grid; gap: 10px; align-items: center;
      grid-template-columns: 1.2em 1fr 4.9em; }}
    .bar b {{ font-weight: 500; text-align: right; }}
    .bar i {{ height: 14px; border-radius: 3px;
      background: color-mix(in srgb, currentColor 9%, transparent); }}
    .bar u {{ display: block; height: 100%; min-width: 1px; border-radius: 3px;
      background: color-mix(in srgb, currentColor 42%, transparent); }}
    .bar.best u {{ background: {ACCENT}; }} .bar.best b, .bar.best span {{ font-weight: 700; }}
    .bar span {{ text-align: right; }}
    </style><div class="bars" role="img" aria-label="Probability of each digit">{rows}</div>"""


_KINDS = {
    "Rescaling": "scale to 0 … 1",
    "Reshape": "as a map of one channel",
    "Flatten": "all values in one row",
    "MaxPooling2D": "max-pooling",
    "BatchNormalization": "batch normalisation",
    "Dropout": "dropout",
}


def diagram(spec: RunSpec) -> str:
    """The layers from the image down to the logits: what each is, its shape, its parameters."""
    blocks = spec.stack()
    bits = [math.log2(math.prod(b.output)) for b in blocks]
    first, *widths = (x / max(bits) for x in (bits[0], *bits))
    rows = "".join(_diagram_row(b, w) for b, w in zip(blocks, widths, strict=True))
    trainable = sum(b.trainable for b in blocks)
    fixed = sum(b.fixed for b in blocks)
    return f"""<style>
    .stack {{ width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums;
      font-size: .9rem; }}
    .stack td, .stack th {{ padding: 5px 6px; border: 0; text-align: right; white-space: nowrap;
      border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); }}
    .stack th {{ font-weight: 500; opacity: .65; font-size: .8rem; }}
    .stack td:first-child, .stack th:first-child {{ text-align: left; white-space: normal; }}
    .stack td.w {{ width: 34%; }} .stack .w div {{ height: 13px; border-radius: 3px; margin: auto;
      background: color-mix(in srgb, currentColor 24%, transparent); }}
    .stack .weighted div {{ background: {ACCENT}; }} .stack tr.sum td {{ font-weight: 700;
      border-bottom: 0; }} .stack small {{ opacity: .65; }}
    </style><table class="stack"><thead><tr><th>Layer</th><th></th><th>Output</th>
    <th>Parameters</th></tr></thead><tbody>
    <tr><td>image <small>uint8</small></td><td class="w">
    <div style="width:{100 * first:.0f}%"></div></td><td>28 × 28</td><td>–</td></tr>{rows}
    <tr class="sum"><td colspan="3">all parameters</td><td>{trainable + fixed:,}</td></tr>
    <tr class="sum"><td colspan="3"><small>trainable · not trainable</small></td>
    <td><small>{trainable:,} · {fixed:,}</small></td></tr></tbody></table>"""


def _diagram_row(block: Block, width: float) -> str:
    words, *details = _words(block)
    small = f" <small>{', '.join(details)}</small>" if details else ""
    shape = " × ".join(f"{n:,}" for n in block.output)
    total = block.trainable + block.fixed
    kind = "weighted" if block.multiplications else ""
    return (
        f'<tr class="{kind}"><td>{words}{small}</td><td class="w">'
        f'<div style="width:{100 * width:.0f}%"></div></td><td>{shape}</td>'
        f"<td>{f'{total:,}' if total else '–'}</td></tr>"
    )


def _words(block: Block) -> tuple[str, ...]:
    """What a layer is, and its details."""
    given = block.arguments
    match block.kind:
        case "Dense":
            return f"dense {given['units']}", given.get("activation", "logits")
        case "Conv2D":
            side = given["kernel_size"]
            return f"convolution {given['filters']}", f"{side} × {side}", given["activation"]
        case "MaxPooling2D":
            return _KINDS[block.kind], f"{given['pool_size']} × {given['pool_size']}"
        case "Dropout":
            return _KINDS[block.kind], percent(given["rate"], 0)
    return (_KINDS[block.kind],)
