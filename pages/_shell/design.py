"""The design that the session holds, from wherever it comes."""

from __future__ import annotations

from mnist_core.design import RunSpec
from pages._shell import session
from pages._shell.state import bench


def load(spec: RunSpec) -> None:
    """Bring another design into the controls, in a callback; what a lesson holds stays."""
    session.drop_widgets("design.")
    bench().spec = bench().lesson.held(spec)
