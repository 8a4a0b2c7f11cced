"""The lower half of the Overview: all runs as cards or as a table, and several side by side."""

from __future__ import annotations

import time

import streamlit as st

from emorl_dashboard.data import queries
from emorl_dashboard.data import run_cards as cards
from emorl_dashboard.data.queries import Run
from emorl_dashboard.figures.systems import run_scores
from emorl_dashboard.frames import cards as card_frames
from emorl_dashboard.frames import seeds
from emorl_dashboard.frames.numbers import counted, duration_text, score_text
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.widgets import charts, controls

_CARDS_PER_PAGE = 12
_CARDS_PER_ROW = 3
_MOST_COMPARED = 12
_COMPARED_FIRST = 4
_SHOWN = "number of cards"


def all_runs(runs: list[Run], selected: Run) -> None:
    """List the runs that match a search, the one written to last first."""
    st.subheader(f"All runs: {len(runs)}", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find", key="find", placeholder="name or objective", bind="query-params", max_chars=64
        )
        states = st.multiselect(
            "State", sorted({run.state for run in runs}), key="states", bind="query-params"
        )
        view = st.segmented_control(
            "As",
            ("cards", "table"),
            default="cards",
            key="list",
            required=True,
            bind="query-params",
        )
    found = [run for run in runs if run.matches(text) and (not states or run.state in states)]
    if not found:
        st.caption("No run matches. Clear the search to see all.")
    elif view == "table":
        _table(found)
    else:
        _cards(found, selected)


def _cards(found: list[Run], selected: Run) -> None:
    n_shown = max(_CARDS_PER_PAGE, st.session_state.get(_SHOWN, 0))
    shown = found[:n_shown]
    for start in range(0, len(shown), _CARDS_PER_ROW):
        columns = st.columns(_CARDS_PER_ROW)
        for column, run in zip(columns, shown[start : start + _CARDS_PER_ROW], strict=False):
            with column.container(border=True, height="stretch", gap="xsmall"):
                _card(run, is_selected=run.run_id == selected.run_id)
    if len(found) > n_shown:
        st.button(
            f"Show more: {len(found) - n_shown} further runs",
            on_click=_show_more,
            args=(n_shown + _CARDS_PER_PAGE,),
        )


def _show_more(n_cards: int) -> None:
    st.session_state[_SHOWN] = n_cards


def _card(run: Run, *, is_selected: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            run.run_id,
            key=f"open {run.run_id}",
            type="tertiary",
            on_click=selection.select_run,
            args=(run.run_id,),
            disabled=is_selected,
            help="The run of this page" if is_selected else "Show this run on all pages",
        )
        controls.state_badge(run)
    if run.config is None:
        st.caption("Its settings cannot be read.")
        return
    st.caption(_seen(run))
    card = cards.card(run)
    if card.best is None:
        unread = queries.table(run, "evaluations").problem
        st.caption("Its points cannot be read." if unread else "No weights have scores yet.")
    else:
        st.metric(
            f"best mean reward of {counted(card.n_points, 'point')}",
            score_text(card.best_reward, card.mean_reward_se),
            chart_data=list(card.history),
            chart_type="line",
        )
    for place, line in enumerate(card_frames.objective_lines(card.best, run.objectives)):
        st.caption(f"{controls.objective_mark(place)} {line}")
    if card.cost.adapters:
        st.caption(card_frames.cost_text("parallel", card.cost.parallel))
        st.caption(card_frames.cost_text("total", card.cost.total))


def _seen(run: Run) -> str:
    seed = "" if run.config is None else f"seed {run.config.seed}"
    if run.status is None:
        return seed
    return f"{seed} · written {duration_text(time.time() - run.status.updated_at)} ago"


def _table(found: list[Run]) -> None:
    rows = seeds.comparison_table(cards.entries(found))
    st.dataframe(
        rows,
        hide_index=True,
        key="all runs",
        placeholder="–",  # noqa: RUF001
        column_config=controls.number_columns(whole=seeds.COST_COLUMNS),
    )
    charts.export_rows(rows, key="all-runs", name="all-runs")


def compare(runs: list[Run], selected: Run) -> None:
    """Put several runs side by side, by default this one and finished ones like it."""
    readable = [run for run in runs if run.config is not None]
    st.subheader("Compare runs", anchor=False)
    if len(readable) < 2:
        controls.next_command(
            "With a second run, of another seed say, this shows how far results differ by chance.",
            selected.seed_command(),
        )
        return
    options = [run.run_id for run in readable]
    first = [run.run_id for run in cards.beside(readable, selected)[:_COMPARED_FIRST]]
    asked.several(selected.run_id, "compare", options, default=first)
    names = st.multiselect(
        "Runs",
        options,
        default=first,
        key="compare",
        bind="query-params",
        max_selections=_MOST_COMPARED,
        help=f"Up to {_MOST_COMPARED}; runs of the same objectives are drawn together.",
    )
    chosen = [run for run in readable if run.run_id in names]
    if not chosen:
        st.caption("Choose runs to compare.")
        return
    asked.one(selected.run_id, "on", list(seeds.SPLITS))
    split = (
        st.segmented_control(
            "Best ensemble, scored on",
            seeds.SPLITS,
            default=seeds.HELD_OUT,
            key="on",
            required=True,
            bind="query-params",
            help="The search chose the best weights by their scores on its own prompts, which "
            "flatters them a little; held-out prompts do not.",
        )
        or seeds.HELD_OUT
    )
    _compared(chosen, selected, split)


def _compared(chosen: list[Run], selected: Run, split: str) -> None:
    entries = cards.entries(chosen)
    frame = seeds.score_frame(entries, selected.objectives, split=split)
    spread = seeds.over_runs(frame, selected.objectives)
    drawn = set(frame["run"])
    left_out = [entry.run_id for entry in entries if entry.run_id not in drawn]
    st.caption(seeds.summary_sentence(frame, spread, left_out=left_out))
    if drawn:
        controls.legend(selected.objectives, "◆ mean reward")
        charts.chart(
            run_scores(frame, spread, selected.objectives, controls.theme_ink()),
            key="compare-runs",
            name="compared-runs-scores",
            rows=frame,
            alt="Scores of the best ensemble of each run with 95 % intervals",
        )
        st.caption(
            "One line per run. Bars of runs: 95 % interval over prompts; of their mean: over runs."
        )
    rows = seeds.comparison_table(entries)
    st.dataframe(
        rows,
        hide_index=True,
        key="compared",
        placeholder="–",  # noqa: RUF001
        column_config=controls.number_columns(whole=seeds.COST_COLUMNS),
    )
    charts.export_rows(rows, key="compared-rows", name="compared-runs-settings-and-cost")
