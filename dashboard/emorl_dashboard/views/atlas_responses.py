"""Parts of the atlas page about the responses to one prompt."""

from __future__ import annotations

import streamlit as st

from emorl.atlas.rows import ScoredAtlas
from emorl_dashboard.components import text_table
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.figures.atlas import response_colours
from emorl_dashboard.figures.atlas_weights import extents_chart, room_to_move
from emorl_dashboard.frames import atlas as frames
from emorl_dashboard.frames.atlas_place import Place, place_text, room_text, way_rows, way_text
from emorl_dashboard.frames.numbers import score_text
from emorl_dashboard.frames.words import differing_words
from emorl_dashboard.state import selection
from emorl_dashboard.widgets import charts, controls

_TRIANGLE = 3
_LONG, _LONG_HEIGHT = 600, 180
"""Texts of more characters scroll in a box of that many pixels."""


def long_text(text: str) -> None:
    """Show a text in a box, which scrolls if the text is long."""
    with st.container(border=True, height=_LONG_HEIGHT if len(text) > _LONG else "content"):
        st.text(text)


def selected(run: Run, table: Frame, place: Place) -> None:
    """Show the response at the selected weights, and the sliders that move them."""
    row = frames.row_of(table, place.cell)
    st.subheader("Response at the selected weights", anchor=False)
    with st.container(key="selected-response"):
        long_text(frames.shown_text(row))
        lines = [f"mean reward **{score_text(row[frames.MEAN_REWARD])}**"]
        lines += [
            f"{controls.objective_mark(position)}\u00a0{name}\u00a0{score_text(row[name])}"
            for position, name in enumerate(run.objectives)
        ]
        st.markdown(" &nbsp; ".join(lines))
    st.caption(place_text(place, row, run.objectives))
    controls.weight_sliders(run.objectives, place.weights)
    controls.link_to("Live ensemble", "Read it live, beside the members →")


def room(run: Run, scored: ScoredAtlas, table: Frame, place: Place) -> None:
    """Show how far each weight may move alone, and what the response becomes behind."""
    st.subheader("How far each weight may move alone", anchor=False)
    st.caption(room_text(place))
    if not place.ways:
        return
    texts = dict(zip(table["cell"], table["text"], strict=True))
    left, right = st.columns([2, 3], gap="medium")
    with left:
        charts.chart(
            room_to_move(place, texts, run.objectives, controls.theme_ink()),
            key="room-to-move",
            name=charts.file_name(run, f"room-to-move-{scored.split}-{scored.prompt_index}"),
            rows=way_rows(place, table, run.objectives),
            alt="How far each weight may move alone; the table beside it says the same in words.",
        )
    with right:
        columns = [
            text_table.Column("if only", help="One weight moves, the others stay."),
            text_table.Column("mean reward", "number"),
            text_table.Column("the response becomes", "words"),
        ]
        rows = []
        for way in place.ways:
            row = frames.row_of(table, way.cell)
            cells = [
                text_table.label(way_text(way, run.objectives)),
                _number(row[frames.MEAN_REWARD]),
                text_table.words(differing_words(row["text"], texts[place.cell])),
            ]
            rows.append(text_table.Row(way.weights_text, cells))
        text_table.show(
            columns,
            rows,
            key="ways",
            label="What the response becomes behind each border; marked words differ from it now",
            action="Move the weights just behind this border",
            on_pick=selection.select_weights,
        )


def everything(run: Run, scored: ScoredAtlas, table: Frame, place: Place) -> None:
    """List all responses to the prompt, their words marked against the selected one."""
    st.subheader(f"All {len(table)} responses to this prompt", anchor=False)
    st.caption(
        "Marked words differ from the response at the selected weights; −4 in a frame stands "  # noqa: RUF001
        "where it has four more. Click a head to sort, a row to move the weights into the middle "
        "of its area."
    )
    colours = response_colours(table)
    own = frames.row_of(table, place.cell)["text"]
    heads = [
        text_table.Column("share", "number", help="Fraction of all weights that give it."),
        text_table.Column("words", "number"),
        text_table.Column("mean reward", "number"),
        *(text_table.Column(name, "number") for name in run.objectives),
    ]
    rows = []
    for number, row in enumerate(table.to_dict("records"), start=1):
        cells = [
            text_table.label(f"{number}", colour=colours[row["cell"]]) | {"value": number},
            text_table.words(differing_words(row["text"], own)),
            text_table.number(row["area"], f"{100 * row['area']:.2f} %"),
            text_table.number(row["n_words"], str(row["n_words"])),
            _number(row[frames.MEAN_REWARD]),
            *(_number(row[name]) for name in run.objectives),
        ]
        rows.append(text_table.Row(str(row["cell"]), cells))
    inside = {str(row["cell"]): row["weights_text"] for row in table.to_dict("records")}
    text_table.show(
        [text_table.Column("no."), text_table.Column("response", "words"), *heads],
        rows,
        key="responses-of-prompt",
        label="All responses to this prompt",
        selected=str(place.cell),
        action="Move the weights into the area of response",
        on_pick=lambda cell: selection.select_weights(inside[cell]),
    )
    charts.export_rows(
        frames.cell_rows(table, scored),
        key="response-list",
        name=charts.file_name(run, f"atlas-{scored.split}-{scored.prompt_index}"),
    )
    if scored.atlas.n_members > _TRIANGLE:
        _extents(run, scored, table)


def _extents(run: Run, scored: ScoredAtlas, table: Frame) -> None:
    extents = frames.extents(table, scored.atlas, run.objectives)
    names = {cell: f"response {number}" for number, cell in enumerate(table["cell"], start=1)}
    st.caption(
        "**How far each response reaches**: lowest to highest share of each weight, with the "
        "middle, for the largest responses."
    )
    charts.chart(
        extents_chart(extents, names, run.objectives, controls.theme_ink()),
        key="extents",
        name=charts.file_name(run, "response-extents"),
        rows=extents,
        alt="How far each response reaches along each weight.",
    )


def _number(value: float) -> text_table.Content:
    return text_table.number(value, score_text(value))
