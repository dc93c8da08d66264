"""Whose fault it is: what can be told to whoever asked, and what is a fault of ours."""

from __future__ import annotations

import logging

SORRY = "Something went wrong here. It was recorded for whoever runs this app; try again."


class LabError(ValueError):
    """What cannot be, in a sentence for whoever asked: what was wrong and what to do. Only these
    words reach a page; anything else that is raised is a fault of ours, and `told` records it."""


def told(error: BaseException, during: str) -> str:
    """What a visitor is told of an error: a LabError's own words; of anything else that it was
    recorded, in the log, with its traceback and what was being done."""
    if isinstance(error, LabError):
        return str(error)
    logging.getLogger("mnist_lab").error("%s", during, exc_info=error)
    return SORRY
