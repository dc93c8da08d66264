"""What is computed in the background: its result, or how far it is."""

from __future__ import annotations

import streamlit as st

from mnist_core.jobs import background
from pages._shell import shared


def result(task: str) -> dict | None:
    """The arrays of a task of `background.TASKS`. While there are none, a bar, or why not, and
    None: the page goes on without them and is drawn anew when they have come."""
    job = shared.computed(task)
    if job.state == "done":
        return job.result()
    if job.state == "failed":
        st.error(job.message, icon=":material/error:")
        st.button("Try again", key=f"retry.{task}", icon=":material/refresh:",
                  on_click=background.retry, args=(job,))  # fmt: skip
        return None
    st.fragment(_progress, run_every=1.0)(task)
    return None


def _progress(task: str) -> None:
    job = shared.computed(task)
    if job.state in ("done", "failed"):
        st.rerun()
    elif job.state == "waiting":
        st.progress(0.0, f"**{job.label}**: in the queue behind another computation")
    else:
        st.progress(job.share, f"**{job.label}**: about {job.remaining:.0f} s more; computed once "
                    "for all visitors, while you look around")  # fmt: skip
