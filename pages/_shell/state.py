"""What all pages share of one visitor's session; each page's folder has a `state.py` of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mnist_core.design import RunSpec
from mnist_core.design.lesson_link import Lesson
from pages._shell import session

Place = tuple[str, int]  # split, index


@dataclass
class Visit:
    """Who is here, where, and what has been said to them."""

    visitor: str = ""
    routed: bool = False
    page: str = "home"
    tour: int | None = None  # the present stop
    tour_offered: bool = False
    sections: dict[str, str] = field(default_factory=dict)  # the chosen one by its name in the URL
    notice: str = ""


@dataclass
class Workbench:
    """What a visitor works on, wherever they are: data, design, run, model, images."""

    source: str = "auto"
    spec: RunSpec | None = None
    lesson: Lesson = field(default_factory=Lesson)
    run: str | None = None
    model: str = "default"
    # What of the link was written last, what before it, and when, by the monotonic clock.
    written: dict[str, str] | None = None
    written_before: dict[str, str] | None = None
    written_at: float = 0.0
    link_notice: tuple[str, RunSpec | None] = ("", None)  # what of the link's design was amiss
    asked: str = ""  # the model that the dataset page asks about its digits
    examined: int | None = None  # the test image that is looked at
    basket: list[Place] = field(default_factory=list)
    basket_at: int = 0
    sent: list[Place] = field(default_factory=list)  # images on their way to another page
    sent_at: int = 0
    # uint8 (28, 28), set by any page: the draw page answers this image instead of the canvas
    template: np.ndarray | None = field(default=None, repr=False)
    read: np.ndarray | None = field(default=None, repr=False)  # what was last drawn or chosen

    def forget_data(self) -> None:
        """Other digits are in use: nothing is collected or sent."""
        self.basket, self.sent = [], []


def visit() -> Visit:
    """The present visit."""
    return session.of(Visit)


def bench() -> Workbench:
    """The visitor's workbench."""
    return session.of(Workbench)
