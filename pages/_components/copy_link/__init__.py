"""A button that copies the link of exactly this view."""

from __future__ import annotations

from pages._components import loading

_COPY = loading.load(
    "copy_link", __file__,
    '<button type="button" title="Copy the link to exactly this view"></button>',
)  # fmt: skip


def show() -> None:
    """A button that copies the address of the page as it is."""
    _COPY(key="copy_link", width="content")
