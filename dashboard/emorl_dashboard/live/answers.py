"""What is known of a prompt's answers: a stored atlas, one built meanwhile, or decoded ones."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from emorl.atlas.rows import ScoredAtlas
from emorl.errors import EmorlError
from emorl.records import Response, Weights
from emorl_dashboard.data import queries, stored_atlases
from emorl_dashboard.data.queries import Run
from emorl_dashboard.frames import live as frames
from emorl_dashboard.frames.live import Answer
from emorl_dashboard.frames.plain import plain_message, without_folders
from emorl_dashboard.live import background_atlases as mapping
from emorl_dashboard.live import models as live
from emorl_dashboard.state import selection
from emorl_dashboard.state.prompts import Asked

POLL_SECONDS = 0.5
_ANSWERS_KEPT = 50


@dataclass(frozen=True, slots=True)
class Known:
    """What a page can show of one prompt."""

    scored: ScoredAtlas | None
    """Of the prompt; while it is being built, None."""
    is_stored: bool
    """Whether the run keeps that atlas."""
    decoded: tuple[Answer, ...]
    reference: Weights | None
    problem: str = ""
    """Why the models cannot be asked."""
    is_refused: bool = False
    """Whether that was known beforehand: a read-only dashboard, or missing adapters."""

    def response(self, weights: Weights) -> Response | None:
        """Return the ensemble's response at these weights, if it is known."""
        stored = frames.stored_response(self.scored, weights)
        exact = (one.response for one in self.decoded if one.weights == weights)
        return stored or next(exact, None)


def about(run: Run, asked: Asked, weights: Weights) -> Known:
    """Return what is known of a prompt; what no atlas answers is decoded now.

    Only the weights asked about and the pinned ones are decoded, the former first.
    """
    stored = _stored_atlas(run, asked)
    scored = stored or _own_atlas(run, asked)
    reference = selection.reference(run.objectives).weights
    decoded = _decoded(run, asked)
    refusal = problem = live.refusal(run)
    for vector in (weights, reference):
        if vector is None or not any(vector) or problem:
            continue
        if frames.stored_response(scored, vector) is None:
            problem = _decode(run, asked, vector, decoded)
    return Known(
        scored=scored,
        is_stored=stored is not None,
        decoded=tuple(decoded.values()),
        reference=reference,
        problem=problem,
        is_refused=bool(refusal),
    )


def members(run: Run, asked: Asked, known: Known) -> dict[str, Response]:
    """Return what base and single adapters answer: stored, or else decoded where allowed.

    Raises:
        EmorlError: If the models cannot be loaded, or the prompt does not fit.
    """
    choice = asked.choice
    stored = frames.stored_members(
        queries.table(run, "system_responses").frame,
        choice.prompt_index if choice and choice.split == "inference" else None,
        known.scored,
        run.objectives,
    )
    names = ["base", *(f"adapter:{name}" for name in run.objectives)]
    if not known.problem and any(name not in stored for name in names):
        stored = live.alone(run, asked.text) | stored
    return {name: stored[name] for name in names if name in stored}


def draw_progress(run: Run, asked: Asked, known: Known) -> None:
    """Have the atlas of an unmapped prompt built, show how far it is, and draw anew at its end."""
    if known.scored is None and not known.problem:
        _draw_progress(run, asked.text)


def own_atlas(run: Run, prompt: str) -> ScoredAtlas | None:
    """Return the atlas of a prompt that the run has not mapped; else say how it comes to be.

    Args:
        run: Whose ensemble.
        prompt: Of somebody's own.
    """
    progress = mapping.found(run, prompt)
    if progress is not None and progress.is_done:
        if progress.problem:
            st.error(plain_message(progress.problem))
        return progress.scored
    refusal = live.refusal(run)
    if refusal:
        told = f"Your own prompt has no atlas; a prompt of the run is shown. {refusal}"
        st.info(plain_message(told))
        return None
    try:
        with st.spinner("Loading the models."):
            live.loaded(run)
    except EmorlError as error:
        st.error(plain_message(without_folders(str(error))))
        return None
    _draw_progress(run, prompt)
    return None


def _draw_progress(run: Run, prompt: str) -> None:
    st.fragment(_progress, run_every=POLL_SECONDS)(run, prompt)


def _progress(run: Run, prompt: str) -> None:
    now = mapping.follow(run, prompt)
    if now.is_done:
        if now.problem:
            st.warning(plain_message(now.problem))
        else:
            st.rerun(scope="app")
        return
    st.progress(
        now.covered,
        text=f"Mapping this prompt in the background: the answers at {100 * now.covered:.0f} % of "
        f"all weights are known, {now.n_nodes:,} of at most {now.most_nodes:,} prefixes read. "
        "Then the sliders answer while you drag.",
    )


def _stored_atlas(run: Run, asked: Asked) -> ScoredAtlas | None:
    if asked.choice is None:
        return None
    return stored_atlases.atlases(run, asked.choice.split).of_prompt(asked.choice.prompt_index)


def _own_atlas(run: Run, asked: Asked) -> ScoredAtlas | None:
    """Return the atlas that this process has built, once it is as far as it gets."""
    progress = mapping.found(run, asked.text)
    return progress.scored if progress and progress.is_done else None


def _decoded(run: Run, asked: Asked) -> dict[Weights, Answer]:
    """Return this session's answers to the prompt, by weights; the oldest make room."""
    about_prompt = (run.run_id, asked.text)
    if st.session_state.get("answers about") != about_prompt:
        st.session_state["answers about"] = about_prompt
        st.session_state["answers"] = {}
    found: dict[Weights, Answer] = st.session_state["answers"]
    while len(found) > _ANSWERS_KEPT:
        found.pop(next(iter(found)))
    return found


def _decode(run: Run, asked: Asked, weights: Weights, decoded: dict[Weights, Answer]) -> str:
    """Add the answer at these weights; return why there is none."""
    if weights in decoded:
        return ""
    try:
        with st.spinner("Generating; the first time the models are loaded."):
            decoded[weights] = Answer(weights, live.answer(run, asked.text, weights))
    except EmorlError as error:
        return without_folders(str(error))
    return ""
