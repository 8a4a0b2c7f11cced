"""A table of texts in which words can be marked, which Streamlit's own tables cannot."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import streamlit as st

from emorl_dashboard.frames.numbers import MISSING
from emorl_dashboard.frames.words import Pieces

Content = dict[str, Any]


def _file(name: str) -> str:
    return (resources.files("emorl_dashboard.components") / name).read_text(encoding="utf-8")


_mount = st.components.v2.component(
    "emorl_text_table",
    html='<div class="texts" tabindex="0" role="region"></div>',
    css=_file("text_table.css"),
    js=_file("text_table.js"),
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its name is its head."""

    name: str
    kind: Literal["label", "number", "words"] = "label"
    help: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: what it is called when it is picked, and a content for each column."""

    id: str
    cells: Sequence[Content]


def label(text: str, *, colour: str = "") -> Content:
    """Return a short text, with a square of a colour before it if there is one."""
    return {"text": text, "value": text, "colour": colour}


def number(value: float, text: str) -> Content:
    """Return a number to sort by, and how it is written; NaN is sorted last."""
    known = math.isfinite(value)
    return {"text": text if known else MISSING, "value": float(value) if known else None}


def words(pieces: Pieces) -> Content:
    """Return a text with its own words marked, and a sign where words are missing."""
    text = "".join(piece for piece, mark in pieces if mark != "missing")
    if not text.strip():
        return label("(no words)")
    return {"text": text, "value": text, "pieces": [list(piece) for piece in pieces]}


def show(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    key: str,
    label: str,
    selected: str = "",
    action: str = "",
    on_pick: Callable[[str], None] | None = None,
) -> None:
    """Draw the table; by which column it is sorted is in the URL, ``sort-KEY=-mean reward``.

    Args:
        columns: Columns, in order.
        rows: Rows, in the order they have until somebody sorts them.
        key: Key of the component.
        label: What the table shows, for people who cannot see it.
        selected: Id of the row that is selected.
        action: What picking a row does, for people who cannot see it.
        on_pick: Called with the id of a row that somebody picks, which is one of ``rows``; None:
            rows cannot be picked.
    """
    known = {row.id for row in rows}
    heads = {column.name for column in columns}
    parameter = f"sort-{key}"

    def sorted_by() -> None:
        said = st.session_state[key].get("sorted")
        if isinstance(said, str) and _is_order(said, heads):
            st.query_params[parameter] = said

    def picked() -> None:
        name = st.session_state[key].get("picked")
        if on_pick is not None and isinstance(name, str) and name in known:
            on_pick(name)

    _mount(
        key=key,
        data={
            "key": key,
            "label": label,
            "action": action,
            "selected": selected,
            "sort": _order(st.query_params.get(parameter, ""), heads),
            "selectable": on_pick is not None,
            "columns": [
                {"name": column.name, "kind": column.kind, "help": column.help}
                for column in columns
            ],
            "rows": [{"id": row.id, "cells": list(row.cells)} for row in rows],
        },
        height="content",
        on_picked_change=picked,
        on_sorted_change=sorted_by,
    )


def _is_order(text: str, heads: Collection[str]) -> bool:
    """Tell whether a text is the name of a column, with ``-`` before it for descending."""
    return text.removeprefix("-") in heads


def _order(text: str, heads: Collection[str]) -> str:
    return text if _is_order(text, heads) else ""
