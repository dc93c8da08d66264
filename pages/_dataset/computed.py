"""What is computed in the background: its result, or how far it is."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs import background
from pages._shell import notes, shared, waiting


def result(task: str) -> dict | None:
    """The arrays of a task of `background.TASKS`. While there are none, a bar, or why not, and
    None: the page goes on without them and is drawn anew when they have come."""
    job = shared.computed(task)
    if job.state == "done":
        return job.result()
    notes.fragment(_progress, run_every=1.0)(job)
    return None


def _progress(job: background.Computation) -> None:
    if job.state == "done":
        st.rerun()
    elif job.state == "failed":
        waiting.failed(job)
    elif job.state == "waiting":
        st.progress(0.0, f"**{job.label}**: in the queue behind another computation")
    else:
        st.progress(job.share, f"**{job.label}**: about {job.remaining:.0f} s more; computed once "
                    "for all visitors, while you look around")  # fmt: skip
