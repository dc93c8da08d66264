"""What takes longer than a page may: a job beside it, and its progress on the page."""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import Job
from pages._shell import notes

PATIENCE = 0.7  # seconds that a page waits before it shows a bar instead


def ready(job: Job, words: str) -> bool:
    """True if the job is done. If not soon, a bar says how far it is, and the page is drawn anew
    when it is; if it has failed, its sentence stands there instead."""
    job.over(PATIENCE)
    if job.state == "done":
        return True
    notes.fragment(_bar, run_every=None if job.done() else 0.4)(job, words)
    return False


def _bar(job: Job, words: str) -> None:
    if job.state == "done":
        st.rerun()
    if job.state == "failed":
        failed(job)
    else:
        st.progress(job.share, words)


def failed(job: Job) -> None:
    """Why there is no result, and a button to ask for it anew."""
    st.error(notes.plain(job.message), icon=":material/error:")
    if st.button("Try again", key=f"again.{job.label}", icon=":material/refresh:"):
        st.rerun()
