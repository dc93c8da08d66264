"""What Streamlit has no widget for: a folder each, with index.js, style.css and a little Python.

Their functions are called `show`. They import no page; Node tests their logic (`tests/components`).
"""
