"""What the controls of a design share: their keys, their limits, how numbers are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from mnist_core.design.spec import LIMITS, RunSpec
from pages._shell import session
from pages._shell.state import bench

RATES = [m * 10.0**e for e in range(-6, 1) for m in (1, 2, 5)] + [10.0]
BATCHES = [2**i for i in range(11)]
Control = Callable[[RunSpec], dict[str, Any]]
PENALTIES = [0.0, 1e-6, 1e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1e-1]


def key(name: str) -> str:
    """The widget key of a design choice; they share a prefix so that a new design resets all."""
    return f"design.{name}"


def control(field: str, name: str, value: Any) -> dict[str, Any]:
    """The arguments that make a widget a control of this field of the design: its key, whose first
    value is `value`, and whether a lesson has locked it."""
    return {"key": session.seed_widget(key(name), value),
            "disabled": field in bench().lesson.lock}  # fmt: skip


def hidden(field: str) -> bool:
    """Whether a lesson hides the controls of this field."""
    return field in bench().lesson.hide


def among(options: list, value) -> list:
    """The options with `value`, which a link may have brought, in its place among them."""
    near = next((x for x in options if abs(x - value) <= 1e-9 * abs(value)), None)
    return options if near is not None else sorted([*options, value])


def exact(options: list, value):
    """The option that stands for `value`: sums like 5 · 10⁻³ have another last bit than 0.005."""
    return min(options, key=lambda x: abs(x - value))


def whole(name: str) -> tuple[int, int]:
    """A limit's two ends."""
    low, high = LIMITS[name]
    return int(low), int(high)


def sizes(name: str) -> list[int]:
    """All whole numbers within a limit."""
    low, high = whole(name)
    return list(range(low, high + 1))


def tidy(number: float) -> float:
    """The number without the last bits that 5 · 10⁻³ and 3 · 0.05 leave; a link's own is kept."""
    short = float(f"{number:.6g}")
    return short if abs(short - number) <= 1e-12 * abs(number) else number


def chosen(label: str, name: str, table: dict, value: str) -> str:
    """A choice from one of the design's tables, with what the choice means under it."""
    choice = st.selectbox(label, list(table), format_func=lambda x: table[x].label,
                          filter_mode=None, **control(name, name, value))  # fmt: skip
    st.caption(table[choice].says)
    return choice


def of_table(label: str, name: str, table: dict) -> Control:
    """The control of a field whose choices are a table of the design."""
    return lambda spec: {name: chosen(label, name, table, getattr(spec, name))}
