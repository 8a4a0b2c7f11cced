"""Parts of the atlas page about all prompts at once."""

from __future__ import annotations

import streamlit as st

from emorl.errors import WeightsError
from emorl.records import Weights
from emorl_dashboard.components import plane_click, text_table
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.data.stored_atlases import Atlases
from emorl_dashboard.figures import atlas_prompts as figures
from emorl_dashboard.figures.atlas import place_of
from emorl_dashboard.frames import atlas_prompts as frames
from emorl_dashboard.frames.atlas import Best, part_of, slice_weights
from emorl_dashboard.frames.numbers import weights_text
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.frames.words import differing_words
from emorl_dashboard.state import selection
from emorl_dashboard.state.selection import PromptChoice
from emorl_dashboard.widgets import charts, controls

BORDERS_KEY = "border-map"
CHOICE_KEY = "prompt-choice"
_LONGEST_WEIGHTS = 200
_TRIANGLE = 3
_PROMPT_WIDTH = 320


def same_ensemble(
    run: Run, own: Atlases, names: dict[int, str], choice: PromptChoice, weights: Weights
) -> None:
    """Answer whether two weight vectors are one ensemble, with the reason."""
    st.subheader("Are two weight vectors the same ensemble?", anchor=False)
    st.caption(
        f"Weights in the order {', '.join(run.objectives)}; only their proportions matter. "
        "The answer is exact, without a model; where a budget ended, it says so."
    )
    columns = st.columns(2)
    written = (weights_text(weights), weights_text([2 * weight for weight in weights]))
    texts = [
        column.text_input(
            label, key=key, bind="query-params", max_chars=_LONGEST_WEIGHTS, placeholder=example
        )
        for column, label, key, example in zip(
            columns, ("One", "Other"), ("one", "other"), written, strict=True
        )
    ]
    try:
        first, second = (
            frames.read_weights(text or example, len(run.objectives))
            for text, example in zip(texts, written, strict=True)
        )
    except WeightsError as error:
        st.error(plain(str(error)))
        return
    found = frames.compare_weights(own.scored, first, second)
    here, everywhere = frames.sameness_text(found, choice.prompt_index)
    with st.container(border=True, key="same-ensemble"):
        st.markdown(f"**This prompt.** {here}")
        st.markdown(f"**All prompts.** {everywhere}")
    if found.different:
        _differences(
            run, frames.difference_table(own.scored, names, found.different, first, second)
        )


def _differences(run: Run, table: Frame) -> None:
    columns = [
        text_table.Column("prompt", "number"),
        text_table.Column("one", "words"),
        text_table.Column("other", "words"),
        text_table.Column("gain", "number", help="Mean reward of the other less that of the one."),
    ]
    rows = []
    for row in table.to_dict("records"):
        gain = row["mean_reward second"] - row["mean_reward first"]
        cells = [
            text_table.number(row["prompt_index"], str(row["prompt_index"] + 1)),
            text_table.words(differing_words(row["first"], row["second"])),
            text_table.words(differing_words(row["second"], row["first"])),
            text_table.number(gain, f"{gain:+.3f}"),
        ]
        rows.append(text_table.Row(str(row["prompt_index"]), cells))
    with st.expander(f"Prompts that tell them apart: {len(rows)}"):
        text_table.show(columns, rows, key="differences", label="Prompts with two responses")
        charts.export_rows(
            table, key="differences-rows", name=charts.file_name(run, "prompts-that-differ")
        )


def across_prompts(
    run: Run,
    own: Atlases,
    names: dict[int, str],
    choice: PromptChoice,
    cut: frames.Cut,
    best: Best | None,
) -> None:
    """Show for which prompts weights matter, and where in weight space."""
    table = frames.prompt_table(own.scored, names, run.objectives)
    st.subheader(f"All mapped prompts of this split: {len(table)}", anchor=False)
    st.caption(frames.choice_text(table))
    left, right = st.columns(2, gap="medium")
    with left:
        _choice(run, table, choice)
    with right:
        _borders(run, choice, len(own.scored), cut, best)
    _prompts(run, table, choice)


def _choice(run: Run, table: Frame, choice: PromptChoice) -> None:
    st.caption(
        "**Which prompts the weights change**: each point is a prompt; further right its weights "
        "are divided more evenly between responses, further up more reward is at stake. Click one."
    )

    def pick() -> None:
        points = st.session_state[CHOICE_KEY]["selection"]["points"]
        if points and "customdata" in points[0]:
            _select(table, choice, points[0]["customdata"])

    charts.chart(
        figures.prompt_choice(table, choice.prompt_index, controls.theme_ink()),
        key=CHOICE_KEY,
        name=charts.file_name(run, f"prompts-{choice.split}"),
        rows=table,
        alt="How much the weights change for each prompt; the table below holds the same numbers.",
        on_select=pick,
    )


def _select(table: Frame, choice: PromptChoice, sent: object) -> None:
    index = sent[0] if isinstance(sent, list) and sent else sent
    if index in set(table["prompt_index"]):
        selection.select_prompt(PromptChoice(choice.split, int(str(index))))


def _borders(
    run: Run, choice: PromptChoice, n_prompts: int, cut: frames.Cut, best: Best | None
) -> None:
    part = part_of(cut.shares, cut.axes)
    if part is None or len(cut.axes) < 2:
        st.caption("Choose two or three objectives of the slice above to see all borders in it.")
        return
    is_slice = len(cut.axes) < len(run.objectives)
    names = [run.objectives[axis] for axis in cut.axes]
    held = [name for name in run.objectives if name not in names]
    where = f", in the slice above; held: {', '.join(held)}" if is_slice else ""
    st.caption(
        f"**Where responses change**: the borders of all prompts at once{where}; dark where many "
        "prompts change their response."
    )
    marks = {"selected weights": part}
    if best is not None and not is_slice:
        marks["proven best" if best.is_proven else "best known"] = best.weights
    found = landscape.borders(run, choice.split, cut)
    ink = controls.theme_ink()
    if len(names) == _TRIANGLE:
        figure = figures.border_map(found, run.objectives, marks, n_prompts, ink, cut.axes)
    else:
        figure = figures.border_bar(found, names, marks, n_prompts, ink)
    charts.chart(
        figure,
        key=BORDERS_KEY,
        name=charts.file_name(run, "borders"),
        rows=frames.border_frame(found),
        alt="The borders between responses of all prompts over weight space.",
    )

    def move(x: float, y: float) -> None:
        clicked = place_of(x, y, _TRIANGLE)
        if clicked is not None:
            weights = slice_weights(clicked, cut.axes, cut.shares)
            selection.select_weights(selection.as_text(weights))

    if len(names) == _TRIANGLE:
        plane_click.watch(BORDERS_KEY, key="border-click", on_pick=move)


def _prompts(run: Run, table: Frame, choice: PromptChoice) -> None:
    order = list(table["prompt_index"])
    key = f"prompts of {choice.split} {choice.prompt_index}"

    def pick() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            selection.select_prompt(PromptChoice(choice.split, int(order[rows[0]])))

    st.caption("Those with the most choice first; select a row to select its prompt.")
    st.dataframe(
        frames.shown_prompts(table),
        hide_index=True,
        key=key,
        on_select=pick,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [order.index(choice.prompt_index)]}},
        height=360,
        column_config=controls.number_columns(
            "entropy, bits",
            "best to worst mean reward",
            *(f"{name} spread" for name in run.objectives),
        )
        | {"prompt": st.column_config.TextColumn(width=_PROMPT_WIDTH)},
    )
    name = charts.file_name(run, f"prompts-{choice.split}")
    charts.export_rows(table, key="prompt-rows", name=name)
