"""Live ensemble: move the weights, read what the ensemble writes, beside its members."""

from __future__ import annotations

import streamlit as st

from dashboard import controls, live, queries, selection
from dashboard.frames import texts
from dashboard.frames import weight_space as frames
from dashboard.frames.numbers import score_text
from dashboard.frames.runs import system_label
from dashboard.queries import Frame, Run
from engine.errors import EmorlError
from engine.records import Response, Weights

OWN_PROMPT = "your own"
_LONGEST_PROMPT = 2000


def render() -> None:
    """Lay out the page."""
    controls.page("Live ensemble", _body)


def _body(run: Run) -> None:
    missing = live.missing_adapters(run)
    if missing:
        controls.next_command(
            f"The ensemble needs every adapter; not trained yet: {', '.join(missing)}.",
            run.resume_command,
        )
        return
    evaluations = queries.table(run, "evaluations")
    prompts = queries.table(run, "prompts")
    controls.show_problems(evaluations, prompts)
    points = frames.evaluation_frame(evaluations.frame, run.objectives)
    best = frames.best_point(points, run.objectives)
    left, right = st.columns([1, 2], gap="medium")
    with left:
        weights = _weights(run, best.weights if best else None)
        _nearest(run, points, weights)
    with right:
        prompt = _prompt(prompts.frame)
        _responses(run, prompt, weights)


def _weights(run: Run, best: Weights | None) -> Weights:
    selected = selection.selected_weights(run.objectives)
    if selected.problem:
        st.error(selected.problem)
    weights = selected.weights or best or (1.0,) * len(run.objectives)
    controls.weight_sliders(run.objectives, weights)
    controls.weight_presets(run.objectives, best)
    return weights


def _nearest(run: Run, points: Frame, weights: Weights) -> None:
    nearest = frames.nearest_point(points, weights, run.objectives)
    if nearest is None:
        return
    point, angle = nearest
    where = (
        "These weights are evaluated"
        if angle < frames.SAME_RAY_DEGREES
        else f"Nearest evaluated, {angle:.1f}°"
    )
    st.markdown(f"**{where}**: {point.text}")
    scores = zip(run.objectives, point.scores, point.standard_errors, strict=True)
    lines = [f"mean reward {score_text(point.mean_reward)}"]
    lines += [
        f"{controls.objective_mark(place)} {name} {score_text(score, error)}"
        for place, (name, score, error) in enumerate(scores)
    ]
    st.markdown("  \n".join(lines))
    st.caption("Only the direction of the weights matters: twice the weights, the same text.")
    controls.link_to("Weight space", "See it on the map →")


def _prompt(prompts: Frame) -> str:
    source = st.segmented_control(
        "Prompt from",
        ["inference", "aggregation", OWN_PROMPT],
        default="inference",
        key="source",
        required=True,
        bind="query-params",
        help="Inference prompts were seen neither by training nor by the search; "
        "aggregation prompts are those that the search scored.",
    )
    if source == OWN_PROMPT:
        text: str = st.text_area(
            "Your own prompt",
            key="text",
            max_chars=_LONGEST_PROMPT,
            bind="query-params",
            placeholder="Since the move I hardly sleep, and nobody notices.",
        )
        return text.strip()
    choices = texts.prompt_texts(prompts, source)
    if not choices:
        st.caption("The run has published no prompts yet.")
        return ""
    number = st.number_input(
        f"Prompt, 1 to {len(choices)}", 1, len(choices), key="prompt", bind="query-params"
    )
    st.text(choices[number - 1])
    return choices[number - 1]


def _responses(run: Run, prompt: str, weights: Weights) -> None:
    if not prompt:
        st.caption("Write a prompt to see what the ensemble answers.")
        return
    try:
        with st.spinner("Generating; the first time the models are loaded."):
            responses = live.compare(run, prompt, weights)
    except EmorlError as error:
        st.error(str(error))
        return
    with st.container(border=True, key="ensemble-response"):
        _response(run, "ensemble", responses["ensemble"])
    st.caption(
        "The same prompt, answered by the members alone; greedy, scored by the same rewards."
    )
    members = [system for system in responses if system != "ensemble"]
    for start in range(0, len(members), 2):
        for column, system in zip(st.columns(2), members[start : start + 2], strict=False):
            with column.container(border=True, height="stretch"):
                _response(run, system, responses[system])


def _response(run: Run, system: str, response: Response) -> None:
    st.markdown(f"**{system_label(system)}**")
    st.text(response.text or "(no words)")
    mean = sum(response.scores) / len(response.scores)
    scores = [
        f"{controls.objective_mark(place)}\u00a0{name}\u00a0{score_text(score)}"
        for place, (name, score) in enumerate(zip(run.objectives, response.scores, strict=True))
    ]
    st.markdown(" &nbsp; ".join([f"mean **{score_text(mean)}**", *scores]))
