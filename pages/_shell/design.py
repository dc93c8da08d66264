"""The design that the session holds, from wherever it comes."""

from __future__ import annotations

from mnist_core.design import RunSpec
from pages._shell import session


def load(spec: RunSpec) -> None:
    """Bring another design into the controls, in a callback; what a lesson holds stays."""
    session.drop_widgets("design.")
    session.state().spec = session.state().lesson.held(spec)
