"""Keys for the rating form: 0, 1, 2 answer the current question, Enter saves.

A component of a few lines, as Streamlit's own shortcuts belong to buttons: a shortcut ``Enter``
would also fire while the focus is on another button, and act twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import streamlit as st

from dashboard.study.guidelines import Criterion


def listen(
    *, item: str, questions: Sequence[tuple[str, Criterion]], save: str, said: str = ""
) -> None:
    """Put the keys to work for the form on the page.

    Args:
        item: Key of the container to scroll to when the item is new.
        questions: Key of each question's container, and its criterion.
        save: Key of the save button.
        said: What became of the last click; read out by screen readers.
    """
    _component()(
        key="annotate-keys",
        data={
            "item": item,
            "save": save,
            "said": said,
            "questions": [
                {"key": key, "values": [level.value for level in criterion.levels]}
                for key, criterion in questions
            ],
        },
        height=1,
    )


@cache
def _component() -> Any:
    script = resources.files("dashboard.study") / "keyboard.js"
    return st.components.v2.component(
        "emorl_annotate_keys", js=script.read_text(encoding="utf-8"), isolate_styles=False
    )
