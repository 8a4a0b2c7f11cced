"""Cards of many runs, each built once per snapshot: a list of a hundred runs stays quick."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from emorl_dashboard.data import queries
from emorl_dashboard.data.queries import Run, Table
from emorl_dashboard.frames import cards, runs, seeds, texts
from emorl_dashboard.frames.cards import RunCard


def card(run: Run) -> RunCard:
    """Return the card of a run whose settings can be read."""
    return _build(run, str(run.folder.root), queries.signature((), run))


@st.cache_resource(max_entries=1024, show_spinner=False)
def _build(_run: Run, root: str, stamp: tuple[object, ...]) -> RunCard:  # noqa: ARG001
    evaluations = queries.part(_run, "evaluations", _EVALUATION_COLUMNS).frame
    best = cards.best_row(evaluations, _run.objectives)
    behind = responses_at(_run, best.direction_key if best else "")
    return RunCard(
        n_points=len(evaluations),
        best=best,
        mean_reward_se=texts.mean_reward_se(behind.frame, _run.objectives),
        history=cards.history(evaluations),
        cost=runs.cost(
            queries.part(_run, "training_steps", _STEP_COLUMNS).frame,
            evaluations,
            queries.part(_run, "prompts", ("split",)).frame,
            queries.part(_run, "responses", ("direction_key", "n_tokens")).frame,
            queries.part(_run, "atlases", ("split", "seconds")).frame,
        ),
    )


_EVALUATION_COLUMNS = (
    *("search", "round", "point", "kind", "direction_key", "seconds"),
    *("weights", "means", "standard_errors", "mean_reward"),
)
_STEP_COLUMNS = ("adapter", "data_points", "samples", "tokens", "seconds")


def responses_at(run: Run, direction_key: str) -> Table:
    """Return the responses of one direction, without reading those of all others."""
    columns = ("prompt_index", "text", "n_tokens", "scores")
    return queries.part(run, "responses", columns, direction_key=direction_key)


def beside(runs: Sequence[Run], run: Run) -> list[Run]:
    """Return a run and those to compare it with at first: finished, its own other seeds first."""

    def differs(other: Run) -> bool:
        own, its = run.config, other.config
        return not own or not its or replace(its, name=own.name, seed=own.seed) != own

    others = [
        other
        for other in runs
        if other.run_id != run.run_id
        and other.state == "finished"
        and other.objectives == run.objectives
    ]
    return [run, *sorted(others, key=differs)]


def entries(chosen: Sequence[Run]) -> list[seeds.Entry]:
    """Return the runs of a comparison; those whose settings cannot be read are left out."""
    return [_entry(run) for run in chosen if run.config is not None]


def _entry(run: Run) -> seeds.Entry:
    systems = queries.table(run, "systems").frame
    responses = queries.table(run, "system_responses").frame
    scored = runs.system_frame(systems, responses, run.objectives, decoding="greedy")
    best = scored[scored["system"] == "best"]
    names = ["mean_reward", *run.objectives]
    columns = [column for name in names for column in (name, f"{name}_se")]
    return seeds.Entry(
        run_id=run.run_id,
        state=run.state,
        seed=run.config.seed if run.config else None,
        objectives=run.objectives,
        card=card(run),
        held_out={} if best.empty else {name: float(best.iloc[0][name]) for name in columns},
    )
