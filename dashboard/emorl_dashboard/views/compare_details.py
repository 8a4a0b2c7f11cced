"""Parts of the comparison: numbers, cost, and responses side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from emorl.records import Split
from emorl_dashboard.components import text_table
from emorl_dashboard.data import queries
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.frames import compare as frames
from emorl_dashboard.frames import comparison
from emorl_dashboard.frames.compare import MEAN_REWARD, Method
from emorl_dashboard.frames.numbers import MISSING, score_text
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.frames.words import differing_words
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.state.selection import PromptChoice
from emorl_dashboard.views.atlas_responses import long_text
from emorl_dashboard.widgets import charts, controls

_SCORES = "scores"
_DIFFERENCES = "differences"
_LONGEST_OPTION = 90


def numbers(run: Run, shown: Sequence[Method], rows: Frame, reference: Method) -> None:
    """Show all numbers of the figures as a table."""
    st.subheader("The same numbers as a table", anchor=False)
    asked.one(run.run_id, "table", [_SCORES, _DIFFERENCES])
    kind = (
        st.segmented_control(
            "Numbers",
            [_SCORES, _DIFFERENCES],
            default=_SCORES,
            key="table",
            required=True,
            bind="query-params",
            label_visibility="collapsed",
        )
        or _SCORES
    )
    st.caption(
        "95 % intervals in brackets: bootstrap over prompts, seeded; all methods see the same "
        f"draws. Wins: prompts with more mean reward than {plain(reference.label)}, ties half. "
        "Click a row to select its weights on all pages."
    )
    measures = [MEAN_REWARD, *run.objectives]
    columns = [
        text_table.Column("method"),
        text_table.Column("weights"),
        *(text_table.Column(measure.replace("_", " "), "number") for measure in measures),
        text_table.Column("wins", "number"),
        text_table.Column("prompts", "number"),
        text_table.Column("texts", "number", help="Different responses."),
    ]
    weights = {method.key: method.weights for method in shown}

    def pick(key: str) -> None:
        picked = weights[key]
        if picked is not None:
            selection.select_weights(selection.as_text(picked))

    text_table.show(
        columns,
        [
            text_table.Row(
                method.key,
                [
                    *_name(method, is_reference=method.key == reference.key),
                    *_cells(method, rows, measures, is_difference=kind == _DIFFERENCES),
                ],
            )
            for method in shown
        ],
        key="method-table",
        label="Methods with their numbers",
        selected=frames.key_of(shown, selection.selected_weights(run.objectives).weights),
        action="Select the weights of",
        on_pick=pick,
    )
    charts.export_rows(rows, key="method-rows", name=charts.file_name(run, "methods"))


def _name(method: Method, *, is_reference: bool) -> list[text_table.Content]:
    weights = ", ".join(f"{weight:.3g}" for weight in method.weights or ())
    label = f"{method.label} (reference)" if is_reference else method.label
    return [text_table.label(label), text_table.label(weights or MISSING)]


def _cells(
    method: Method, rows: Frame, measures: Sequence[str], *, is_difference: bool
) -> list[text_table.Content]:
    own = {row["measure"]: row for row in rows.to_dict("records") if row["method"] == method.key}
    names = ("value", "low", "high")
    if is_difference:
        names = ("difference", "difference_low", "difference_high")
    cells = []
    for measure in measures:
        value, low, high = (own[measure][name] for name in names)
        text = comparison.interval_text(value, low, high, sign=is_difference)
        cells.append(text_table.number(value, text.replace(" [", "\n[")))
    wins = own[comparison.WINS]
    told = f"{100 * wins['value']:.0f} %\n[{100 * wins['low']:.0f}, {100 * wins['high']:.0f}]"
    n_texts = method.texts.nunique()
    return [
        *cells,
        text_table.number(wins["value"], told),
        text_table.number(wins["n_prompts"], str(wins["n_prompts"])),
        text_table.number(n_texts, str(n_texts)),
    ]


def cost(run: Run, scored: Sequence[Method], tables: frames.Tables) -> None:
    """Show what each method took to find."""
    st.subheader("What each took", anchor=False)
    st.caption(
        "From nothing to the method's weights. Training counts all adapters it uses, one after "
        "the other; data points are prompts. A search in an atlas costs what the atlas cost, once."
    )
    prompts = queries.table(run, "prompts").frame
    table = frames.cost_table(
        scored,
        queries.table(run, "adapters").frame,
        tables.evaluations,
        tables.certificates,
        queries.table(run, "atlases").frame,
        len(prompts[prompts["split"] == "aggregation"]),
    )
    whole = ("training data points", "measured directions", "search data points")
    seconds = {
        name: st.column_config.NumberColumn(format="%.1f")
        for name in ("training seconds", "search seconds")
    }
    st.dataframe(
        table,
        hide_index=True,
        key="method-cost",
        column_config=controls.number_columns(whole=whole) | seconds,
    )
    charts.export_rows(table, key="cost-rows", name=charts.file_name(run, "method-cost"))


def samples(
    run: Run,
    split: Split,
    shown: Sequence[Method],
    reference: Method,
    names: Mapping[int, str],
) -> None:
    """Show what each method answers to one prompt, its words marked against the reference's."""
    st.subheader("Responses side by side", anchor=False)
    indices = sorted({int(index) for method in shown for index in method.scores.index})
    prompt = _prompt(split, indices, names)
    long_text(names.get(prompt, "(this prompt's text is not published yet)"))
    st.caption(
        f"Marked words differ from the response of {plain(reference.label)}; −4 in a frame "  # noqa: RUF001
        "stands where it has four more."
    )
    table = comparison.sample_rows(shown, prompt, run.objectives)
    texts = dict(zip(table["method"], table["text"], strict=True))
    own = texts.get(reference.key, "")
    scores = [MEAN_REWARD, *run.objectives]
    text_table.show(
        [
            text_table.Column("method"),
            text_table.Column("response", "words"),
            *(text_table.Column(name.replace("_", " "), "number") for name in scores),
        ],
        [
            text_table.Row(
                row["method"],
                [
                    text_table.label(row["label"]),
                    text_table.words(differing_words(row["text"], own)),
                    *(text_table.number(row[name], score_text(row[name])) for name in scores),
                ],
            )
            for row in table.to_dict("records")
        ],
        key="samples",
        label="Responses of the methods to one prompt",
        selected=reference.key,
    )
    charts.export_rows(
        table, key="sample-rows", name=charts.file_name(run, f"method-responses-{split}-{prompt}")
    )


def _prompt(split: Split, indices: Sequence[int], names: Mapping[int, str]) -> int:
    choice = selection.selected_prompt()
    chosen = indices[0]
    if choice is not None and choice.split == split and choice.prompt_index in indices:
        chosen = choice.prompt_index
    key = "compared prompt"
    st.session_state[key] = chosen
    st.selectbox(
        f"Prompt, {len(indices)} with scores",
        indices,
        key=key,
        format_func=lambda index: f"{index + 1} · {names.get(index, '')[:_LONGEST_OPTION]}",
        on_change=lambda: selection.select_prompt(PromptChoice(split, st.session_state[key])),
    )
    return chosen
