"""Keys for the rating form: 0, 1, 2 answer the current question, Enter saves.

A component of a few lines, as Streamlit's own shortcuts belong to buttons: a shortcut ``Enter``
would also fire while the focus is on another button, and act twice. It also has the page drawn
again when a cut connection comes back.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import streamlit as st


def listen(
    *,
    item: str,
    questions: Sequence[tuple[str, Sequence[int]]],
    save: str,
    comment: str = "",
    said: str = "",
    heard: str = "",
) -> None:
    """Put the keys to work for the form on the page.

    Until another click on Save was heard, the script knows that the answers it sent off are still
    on their way. Where a cut connection may have lost the click, the next drawing says
    so: each has an id of its own.

    Args:
        item: Key of the container to scroll to when the item is new.
        questions: Key of each question's container, and the values of its choices in their order.
        save: Key of the save button.
        comment: Key of the comment field, which C opens.
        said: What became of the last click; read out by screen readers.
        heard: Another one with every click on Save that was heard, and after every new beginning.
    """
    _component()(
        key="annotate-keys",
        data={
            "item": item,
            "save": save,
            "comment": comment,
            "said": said,
            "heard": heard,
            "drawn": uuid.uuid4().hex,
            "questions": [{"key": key, "values": list(values)} for key, values in questions],
        },
        height=1,
        on_reconnected_change=_draw_anew,
    )


def _draw_anew() -> None:
    """Nothing is to be done: that the page is drawn again is all."""


@cache
def _component() -> Any:
    script = resources.files("emorl_dashboard.study.rating") / "keyboard.js"
    return st.components.v2.component(
        "emorl_annotate_keys", js=script.read_text(encoding="utf-8"), isolate_styles=False
    )
