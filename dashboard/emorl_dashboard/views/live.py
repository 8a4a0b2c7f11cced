"""Live ensemble: move the weights, read what the ensemble writes, and see why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version

import streamlit as st

from emorl.errors import EmorlError
from emorl.records import DecidedToken, Response, Weights
from emorl_dashboard.components import token_strip, weight_sliders
from emorl_dashboard.data import queries
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.figures.palette import NAMES
from emorl_dashboard.frames import live as frames
from emorl_dashboard.frames import live_export, weight_space
from emorl_dashboard.frames.introduction import own_prompt_note
from emorl_dashboard.frames.numbers import score_text, weights_text
from emorl_dashboard.frames.plain import plain, plain_message, without_folders
from emorl_dashboard.frames.runs import system_label
from emorl_dashboard.live import answers
from emorl_dashboard.live import models as live
from emorl_dashboard.state import prompts, selection
from emorl_dashboard.state.prompts import Asked
from emorl_dashboard.widgets import charts, controls


def render() -> None:
    """Lay out the page."""
    controls.page("Live ensemble", _body)


def _body(run: Run) -> None:
    missing = live.missing_adapters(run)
    if missing and queries.table(run, "atlases").frame.empty:
        controls.next_command(
            f"The ensemble needs every adapter; not trained yet: {', '.join(missing)}.",
            run.resume_command,
        )
        return
    evaluations = queries.table(run, "evaluations")
    texts = queries.table(run, "prompts")
    controls.show_problems(evaluations, texts)
    points = weight_space.evaluation_frame(evaluations.frame, run.objectives)
    best = weight_space.best_point(points, run.objectives)
    weights = _weights(run, best.weights if best else None)
    asked = prompts.pick(texts.frame)
    _say_what_the_policy_knows(run, asked)
    if not asked.text:
        st.caption("Write a prompt to see what the ensemble answers.")
        return
    known = answers.about(run, asked, weights)
    if known.problem:
        (st.info if known.is_refused else st.error)(plain_message(known.problem))
    answers.draw_progress(run, asked, known)
    _sliders(run, asked, known, weights, best.weights if best else None)
    if told := _exactness(known):
        st.caption(told)
    _nearest(run, points, weights)
    if known.problem and not known.is_refused:
        return
    tokens, problem = _reasons(run, asked, known, weights)
    # Models that could not say why are not asked again: the reason is told once.
    members = _members(run, asked, replace(known, problem=known.problem or problem))
    _export(run, asked, known, weights, members, tokens)


def _say_what_the_policy_knows(run: Run, asked: Asked) -> None:
    note = own_prompt_note(run.config.policy.model) if run.config else ""
    if note and asked.choice is None:
        st.caption(note)


def _weights(run: Run, best: Weights | None) -> Weights:
    selected = selection.selected_weights(run.objectives)
    for problem in (selected.problem, selection.reference(run.objectives).problem):
        if problem:
            st.error(plain(problem))
    return selected.weights or best or (1.0,) * len(run.objectives)


def _sliders(
    run: Run, asked: Asked, known: answers.Known, weights: Weights, best: Weights | None
) -> None:
    certificates = queries.table(run, "certificates").frame
    presets = frames.presets(run.objectives, best, certificates)
    data = {
        "objectives": frames.objective_data(run.objectives, NAMES),
        "weights": list(weights),
        "atlas": frames.atlas_data(known.scored) if known.scored else None,
        "answers": frames.answer_data(known.decoded),
        "problem": frames.missing_note(known.problem, is_refused=known.is_refused),
        "canAsk": not known.problem,
        "presets": [{"label": one.label, "weights": list(one.weights)} for one in presets],
        "reference": list(known.reference) if known.reference else None,
        "prompt": asked.text,
        "file": charts.file_name(run, "live"),
        "source": f"EMORL Atlas {version('emorl-atlas')}, run {run.run_id}, greedy decoding",
    }
    weight_sliders.draw(
        data,
        key="live-sliders",
        on_move=lambda told: selection.select_weights(_told(told)),
        on_pin=lambda told: selection.select_reference(_told(told)),
    )


def _exactness(known: answers.Known) -> str:
    return frames.exactness(known.scored, is_decoded=bool(known.decoded))


def _told(value: object) -> str:
    """Write numbers that came from the browser as the URL holds weights; readers check them."""
    return ",".join(str(part) for part in value) if isinstance(value, list) else ""


def _nearest(run: Run, points: Frame, weights: Weights) -> None:
    nearest = weight_space.nearest_point(points, weights, run.objectives)
    if nearest is None:
        return
    point, angle = nearest
    where = (
        "These weights are evaluated"
        if angle < weight_space.SAME_RAY_DEGREES
        else f"Nearest evaluated, {angle:.1f}° away"
    )
    scores = zip(run.objectives, point.scores, point.standard_errors, strict=True)
    told = [f"mean reward {score_text(point.mean_reward)} over the search's prompts"]
    told += [
        f"{controls.objective_mark(place)} {name} {score_text(score, error)}"
        for place, (name, score, error) in enumerate(scores)
    ]
    st.markdown(f"**{where}**: {point.text}  \n" + " · ".join(told))
    controls.link_to("Weight space", "See it on the map →")


def _reasons(
    run: Run, asked: Asked, known: answers.Known, weights: Weights
) -> tuple[list[DecidedToken], str]:
    """Draw the tokens of the response, coloured by who decided them; return them, or why not."""
    if known.problem or not any(weights):
        return [], ""
    st.subheader("Which objective decided each word", anchor=False)
    try:
        with st.spinner("Splitting the logits; the first time the models are loaded."):
            tokens = live.explain(run, asked.text, weights)
    except EmorlError as error:
        problem = without_folders(str(error))
        st.error(plain_message(problem))
        return [], problem
    st.caption(
        f"At the weights {weights_text(weights)}; tokens decided: "
        f"{frames.decided_counts(tokens, run.objectives)}. A token's margin over the runner-up is "
        "a sum of one part per objective: point at a token, or move with the arrow keys."
    )
    token_strip.draw(frames.token_data(tokens, run.objectives, NAMES), key="live-tokens")
    return tokens, ""


def _members(run: Run, asked: Asked, known: answers.Known) -> Mapping[str, Response]:
    """Draw what base and single objectives answer."""
    try:
        with st.spinner("Asking the members; the first time the models are loaded."):
            members = answers.members(run, asked, known)
    except EmorlError as error:
        st.error(plain_message(without_folders(str(error))))
        return {}
    st.subheader("The same prompt, answered by the members alone", anchor=False)
    if not members:
        st.caption("Nothing of them is stored for this prompt.")
    names = list(members)
    for start in range(0, len(names), 2):
        for column, system in zip(st.columns(2), names[start : start + 2], strict=False):
            with column.container(border=True, height="stretch"):
                _response(run, system, members[system])
    return members


def _response(run: Run, system: str, response: Response) -> None:
    st.markdown(f"**{system_label(system)}**")
    st.text(response.text or "(no words)")
    mean = sum(response.scores) / len(response.scores)
    scores = [
        f"{controls.objective_mark(place)}\u00a0{name}\u00a0{score_text(score)}"
        for place, (name, score) in enumerate(zip(run.objectives, response.scores, strict=True))
    ]
    st.markdown(" &nbsp; ".join([f"mean **{score_text(mean)}**", *scores]))


def _export(
    run: Run,
    asked: Asked,
    known: answers.Known,
    weights: Weights,
    members: Mapping[str, Response],
    tokens: list[DecidedToken],
) -> None:
    choice, pinned = asked.choice, known.reference
    record = live_export.view_record(
        run={
            "name": run.run_id,
            "seed": run.config.seed if run.config else None,
            "version": version("emorl-atlas"),
        },
        objectives=run.objectives,
        weights=weights,
        prompt={
            "split": choice.split if choice else None,
            "index": choice.prompt_index if choice else None,
            "text": asked.text,
        },
        response=known.response(weights),
        pinned=(pinned, known.response(pinned)) if pinned else None,
        members=members,
        tokens=tokens,
        note=_exactness(known),
    )
    with st.popover("Export", key="live-export", type="tertiary", width="content"):
        st.download_button(
            "This view as JSON",
            json.dumps(record, ensure_ascii=False, indent=2),
            file_name=f"{charts.file_name(run, 'live')}.json",
            mime="application/json",
            key="live-json",
            on_click="ignore",
            type="tertiary",
        )
        told = _answers(run, known, weights, members)
        rows = live_export.answer_table(told, asked.text, run.objectives)
        name = charts.file_name(run, "live-answers")
        charts.row_downloads(rows, name, "live-answers", "answers")
        if tokens:
            rows = live_export.token_table(tokens, run.objectives)
            name = charts.file_name(run, "live-tokens")
            charts.row_downloads(rows, name, "live-tokens", "tokens with their split")


def _answers(
    run: Run, known: answers.Known, weights: Weights, members: Mapping[str, Response]
) -> Iterator[tuple[str, Weights | None, Response]]:
    """Name every answer that the page holds: now, pinned, asked for before, of the members."""
    for system, vector in (("ensemble", weights), ("pinned", known.reference)):
        response = known.response(vector) if vector else None
        if response is not None:
            yield system, vector, response
    for answer in known.decoded:
        yield "ensemble", answer.weights, answer.response
    for system, response in members.items():
        alone = tuple(float(system == f"adapter:{name}") for name in run.objectives)
        yield system, alone if any(alone) else None, response
