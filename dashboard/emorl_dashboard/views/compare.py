"""Compare methods: searches, members and any weights side by side, with their uncertainty."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from emorl.errors import WeightsError
from emorl.records import Split, Weights
from emorl_dashboard.data import queries, stored_atlases
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.figures import compare as figures
from emorl_dashboard.frames import compare as frames
from emorl_dashboard.frames.atlas_prompts import prompt_names, read_weights
from emorl_dashboard.frames.compare import Method
from emorl_dashboard.frames.comparison import comparison, verdict
from emorl_dashboard.frames.numbers import counted
from emorl_dashboard.frames.plain import plain, plain_message
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.state.prompts import tell_unknown
from emorl_dashboard.views import compare_details, compare_runs
from emorl_dashboard.widgets import charts, controls

_SPLITS: tuple[Split, ...] = ("inference", "aggregation")
_LONGEST_TEXT = 300
_MOST_OTHERS = 6


def render() -> None:
    """Lay out the page."""
    controls.page("Compare methods", _body)


def _body(run: Run) -> None:
    split = _split(run)
    tables = _tables(run, split)
    others = _others(run)
    known = frames.methods(tables, run.objectives, others)
    scored = [method for method in known if method.is_known]
    if not scored:
        _nothing(run, split)
        return
    shown, reference = _choose(run, scored)
    rows = comparison(shown, reference, run.objectives)
    n_prompts = max(len(method.scores) for method in scored)
    _told(run, split, n_prompts, [one.label for one in known if not one.is_known])
    _figures(run, rows, reference)
    compare_details.numbers(run, shown, rows, reference)
    compare_details.cost(run, scored, tables)
    prompts = queries.table(run, "prompts").frame
    tell_unknown(prompts)
    names = prompt_names(prompts, split)
    compare_details.samples(run, split, shown, reference, names)
    compare_runs.side_by_side(run, split)


def _split(run: Run) -> Split:
    asked.one(run.run_id, "numbers", _SPLITS)
    split: Split | None = st.segmented_control(
        "Prompts",
        _SPLITS,
        default="inference",
        key="numbers",
        required=True,
        bind="query-params",
        help="Inference prompts were seen neither by training nor by any search; aggregation "
        "prompts are those on which the searches chose their weights.",
    )
    return split or "inference"


def _tables(run: Run, split: Split) -> frames.Tables:
    read = {
        name: queries.table(run, name)
        for name in ("evaluations", "responses", "systems", "system_responses", "certificates")
    }
    controls.show_problems(*read.values())
    atlases = stored_atlases.atlases(run, split)
    if atlases.problem:
        st.warning(plain_message(atlases.problem))
    return frames.Tables(
        split, scored=atlases.scored, **{name: table.frame for name, table in read.items()}
    )


def _others(run: Run) -> list[Weights]:
    text = st.text_input(
        "More weights to compare, semicolons between them",
        key="also",
        bind="query-params",
        max_chars=_LONGEST_TEXT,
        placeholder=f"{', '.join(['1'] * len(run.objectives))}; "
        f"{', '.join(['2', *['1'] * (len(run.objectives) - 1)])}",
        help=f"In the order {', '.join(run.objectives)}. With an atlas of the prompts any weights "
        "are looked up at once; without one only those that the search evaluated have numbers.",
    )
    found: list[Weights] = []
    parts = [part for part in re.split(r"[;\n]", text) if part.strip()]
    try:
        found = [read_weights(part, len(run.objectives)) for part in parts[:_MOST_OTHERS]]
    except WeightsError as error:
        st.error(plain(str(error)))
    if len(parts) > _MOST_OTHERS:
        left_out = "; ".join(part.strip() for part in parts[_MOST_OTHERS:])
        st.warning(f"Up to {_MOST_OTHERS} are compared at once. Left out: {plain(left_out)}.")
    selected = selection.selected_weights(run.objectives)
    if selected.problem:
        st.error(plain(selected.problem))
    if selected.weights is not None and any(selected.weights):
        found.append(selected.weights)
    return found


def _nothing(run: Run, split: Split) -> None:
    if split == "inference":
        controls.nothing_yet(
            queries.table(run, "systems"),
            "Nothing is scored on held-out prompts yet: that happens at the end of a run.",
            run.resume_command,
        )
    else:
        controls.nothing_yet(
            queries.table(run, "evaluations"), controls.NO_POINTS, run.resume_command
        )


def _choose(run: Run, scored: Sequence[Method]) -> tuple[list[Method], Method]:
    labels = {method.key: method.label for method in scored}
    keys, shown_as = list(labels), labels.__getitem__
    first = keys.index(frames.reference_key(scored, ""))
    asked.one(run.run_id, "reference", keys, shown_as, first=first)
    asked.several(run.run_id, "without", keys, shown_as)
    left, right = st.columns([1, 2])
    chosen = left.selectbox(
        "Reference",
        keys,
        first,
        key="reference",
        format_func=shown_as,
        bind="query-params",
        help="Differences and win rates are against this method, prompt by prompt.",
    )
    left_out = right.multiselect(
        "Leave out",
        keys,
        key="without",
        format_func=shown_as,
        bind="query-params",
        placeholder="All methods are shown",
    )
    reference = next(method for method in scored if method.key == chosen)
    shown = [method for method in scored if method.key not in left_out or method.key == chosen]
    return shown, reference


def _told(run: Run, split: Split, n_prompts: int, unknown: Sequence[str]) -> None:
    if split == "inference":
        st.caption(
            f"Numbers from {counted(n_prompts, '**held-out** prompt')}: neither training nor "
            "any search saw them. Greedy decoding."
        )
    else:
        st.caption(
            f"Numbers from {counted(n_prompts, '**aggregation** prompt')}, on which the "
            "searches chose their weights: what they found looks better here than on new prompts. "
            "Greedy decoding."
        )
    if unknown:
        st.caption(
            f"Without numbers on these prompts: {plain(', '.join(unknown))}. An atlas of them "
            "gives all of these, and any other weights:"
        )
        st.code(
            run.command(f"atlas {run.run_id} --split {split}"), language="bash", wrap_lines=True
        )


def _figures(run: Run, rows: Frame, reference: Method) -> None:
    said = verdict(rows, reference)
    if said:
        st.markdown(plain(said))
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption("**Scores**, 95 % intervals over prompts. Further right is better.")
        charts.chart(
            figures.method_scores(rows, run.objectives, controls.theme_ink()),
            key="method-scores",
            name=charts.file_name(run, "method-scores"),
            rows=rows.drop(columns=["difference", "difference_low", "difference_high"]),
            alt="Scores of the methods; the table below holds the same numbers.",
        )
    with right:
        st.caption(
            f"**Differences from {plain(reference.label)}**, paired by prompt, 95 % intervals."
        )
        charts.chart(
            figures.method_differences(rows, run.objectives, controls.theme_ink()),
            key="method-differences",
            name=charts.file_name(run, "method-differences"),
            rows=rows.drop(columns=["value", "low", "high"]),
            alt="Differences of the methods from the reference; the table below has the numbers.",
        )
