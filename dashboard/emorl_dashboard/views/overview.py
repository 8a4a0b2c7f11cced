"""Overview: how the run stands, what it found, what it cost."""

from __future__ import annotations

import time

import streamlit as st

from emorl_dashboard.data import queries
from emorl_dashboard.data import run_cards as cards
from emorl_dashboard.data.queries import Run
from emorl_dashboard.figures.systems import system_scores
from emorl_dashboard.frames import runs as run_frames
from emorl_dashboard.frames import texts, weight_space
from emorl_dashboard.frames.counts import count_note, not_a_number_note
from emorl_dashboard.frames.introduction import introduction
from emorl_dashboard.frames.numbers import counted, duration_text, score_text, weight_text
from emorl_dashboard.frames.plain import plain, plain_message, without_folders
from emorl_dashboard.state import url as asked
from emorl_dashboard.views import overview_runs
from emorl_dashboard.widgets import charts, controls


def render() -> None:
    """Lay out the page."""
    controls.page("Overview", _body, tells_end=False)


def _body(run: Run) -> None:
    _name(run)
    _introduction(run)
    _state(run)
    _at_a_glance(run)
    _proof(run)
    _systems(run)
    _cost(run)
    runs = queries.runs()
    overview_runs.all_runs(runs, run)
    overview_runs.compare(runs, run)


def _name(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(run.run_id, anchor=False, width="content")
        controls.state_badge(run)


def _state(run: Run) -> None:
    status = run.status
    if status is None:
        controls.next_command("The engine has not reported on this run.", run.resume_command)
        return
    ago = duration_text(time.time() - status.updated_at)
    took = duration_text(status.worked_seconds())
    facts = [plain(status.detail), f"worked for {took}", f"last heartbeat {ago} ago"]
    st.caption(" · ".join(fact for fact in facts if fact))
    if run.config is not None:
        counts = run_frames.prompt_counts(queries.table(run, "prompts").frame)
        policy = plain(without_folders(run.config.policy.model))
        st.caption(f"Policy {policy} · {counts}")
    if status.message:
        (st.error if run.state == "failed" else st.info)(plain_message(status.message))
    if run.state in ("died", "failed", "interrupted", "paused"):
        controls.next_command(
            "The engine stopped before the run was finished. What it stored is kept; this goes on "
            "from there:",
            run.resume_command,
        )
    for warning in status.warnings:
        st.warning(plain_message(warning))
    if run.is_running:
        for name, label in (
            ("training_steps", "training steps"),
            ("atlases", "prompts mapped"),
            ("evaluations", "points of the search"),
        ):
            done, most = status.counts.get(name, 0), status.expected.get(name, 0)
            if most:
                st.progress(min(1.0, done / most), f"{label}: {done:,} of at most {most:,}")


def _introduction(run: Run) -> None:
    if run.config is not None:
        marks = [controls.objective_mark(place) for place in range(len(run.objectives))]
        st.markdown(introduction(run.objectives, run.config.rewards, marks))
        controls.link_to("Live ensemble", "Move the weights and read along →")


def _proof(run: Run) -> None:
    certificates, atlases = queries.table(run, "certificates"), queries.table(run, "atlases")
    controls.show_problems(certificates, atlases)
    told = run_frames.proof_text(certificates.frame, atlases.frame)
    if told:
        st.caption(told)


def _at_a_glance(run: Run) -> None:
    evaluations = queries.table(run, "evaluations")
    controls.show_problems(evaluations)
    points = weight_space.evaluation_frame(evaluations.frame, run.objectives)
    best = weight_space.best_point(points, run.objectives)
    not_numbers = not_a_number_note(points)
    if not_numbers:
        st.warning(not_numbers)
    if best is None:
        if not not_numbers:
            controls.caption_nothing(evaluations, controls.NO_POINTS)
        return
    responses = cards.responses_at(run, best.direction_key).frame
    n_prompts = len(responses)
    low, high = run_frames.span(evaluations.frame) or (best.mean_reward, best.mean_reward)
    heading = "Best weights" if run.state == "finished" else "Best weights so far"
    st.markdown(
        f"**{heading}**, of {counted(len(points), 'point')}, "
        f"scored on {counted(n_prompts, 'prompt')} of the aggregation split"
    )
    columns = st.columns(len(run.objectives) + 1)
    error = texts.mean_reward_se(responses, run.objectives)
    columns[0].metric(
        "mean reward",
        score_text(best.mean_reward, error),
        border=True,
    )
    columns[0].caption(f"{low:.3f} to {high:.3f} over all, span {high - low:.3f}")
    for position, (column, name) in enumerate(zip(columns[1:], run.objectives, strict=True)):
        column.metric(
            f"{controls.objective_mark(position)} weight of {name}",
            weight_text(best.weights[position]),
            border=True,
        )
        score = score_text(best.scores[position], best.standard_errors[position])
        column.caption(f"{name} scores {score}")
    note = count_note(points)
    if note:
        st.caption(note)
    controls.link_to("Weight space", "See all of them on the map →")


def _systems(run: Run) -> None:
    systems = queries.table(run, "systems")
    responses = queries.table(run, "system_responses")
    controls.show_problems(systems, responses)
    st.subheader("Base, single objectives and best ensemble", anchor=False)
    if systems.frame.empty:
        controls.caption_nothing(
            systems, "Scored on the held-out prompts when the search is done."
        )
        return
    ways = run_frames.decodings(systems.frame)
    asked.one(run.run_id, "decoding", ways, plain)
    decoding = (
        st.segmented_control(
            "Decoding",
            ways,
            default=ways[0],
            format_func=plain,
            key="decoding",
            required=True,
            bind="query-params",
            help="Greedy takes the likeliest token; sampled draws three a prompt, temperature 1.",
        )
        or ways[0]
    )
    frame = run_frames.system_frame(
        systems.frame, responses.frame, run.objectives, decoding=decoding
    )
    st.caption(
        f"{plain(decoding).capitalize()} responses to "
        f"{counted(frame['n_prompts'].max(), 'prompt')} of the inference split, which "
        "neither training nor search has seen. Bars: ± one standard error over prompts."
    )
    if frame["mean_reward"].isna().all():
        st.warning(
            "None of these scores is a number, so there is nothing to draw: an objective gave "
            "none for the responses. Mend it in the settings of the run, and start the run again "
            "under another name."
        )
    else:
        controls.legend(run.objectives, "◆ mean reward")
        charts.chart(
            system_scores(frame, run.objectives, controls.theme_ink()),
            key="systems",
            name=charts.file_name(run, "systems"),
            rows=frame,
            alt="Scores of base, single adapters and best ensemble with standard errors",
        )
    st.dataframe(
        run_frames.system_table(frame, run.objectives), hide_index=True, key="systems table"
    )


def _cost(run: Run) -> None:
    steps = queries.table(run, "training_steps")
    prompts = queries.table(run, "prompts")
    controls.show_problems(steps, prompts)
    st.subheader("What it cost", anchor=False)
    if steps.frame.empty:
        st.caption("Nothing yet: training has not begun.")
        return
    spent = cards.card(run).cost
    st.caption(
        f"A data point is a prompt read by training, or by one evaluation: the search measured "
        f"{spent.n_measured} directions × {spent.n_prompts} prompts = "  # noqa: RUF001
        f"{spent.search.data_points:,}. Validation is not counted."
    )
    table = run_frames.cost_table(spent)
    st.dataframe(
        table,
        hide_index=True,
        key="cost table",
        column_config=controls.number_columns(whole=run_frames.COST_COLUMNS),
    )
    charts.export_rows(table, key="cost-rows", name=charts.file_name(run, "cost"))
