"""The selection that all pages share, kept in the URL: run, weights, prompt, pinned weights.

``?run=NAME&w=0.94,0.5,0&prompt=aggregation:3&ref=1,0,0``, and ``text=...`` for a short prompt of
one's own. The URL is read first, so that a link opens what its sender saw; the session keeps the
selection when Streamlit drops the query on a change of page. Each change of the URL is a step of
the browser's history, so what changes together is written at once. URL text is untrusted: what
does not fit comes back as a sentence, never as a traceback.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from emorl.errors import RunNotFoundError, WeightsError
from emorl.records import Split, Weights
from emorl.runs.folder import existing_run
from emorl.weights import check_weights
from emorl_dashboard.data.queries import Run, artifacts_root
from emorl_dashboard.frames.numbers import weights_text
from emorl_dashboard.frames.plain import without_folders

RUN = "run"
WEIGHTS = "w"
PROMPT = "prompt"
REFERENCE = "ref"
"""Weights pinned to compare others with."""
_OF_A_RUN = (WEIGHTS, PROMPT, REFERENCE)
NAMES = (RUN, *_OF_A_RUN)
"""What the URL holds."""
OWN_TEXT = "text"
"""In the URL: a prompt of one's own. It is of no run, so a change of run keeps it."""
LONGEST_PROMPT = 2000
LONGEST_IN_URL = 300
"""Longer own prompts are no part of a link: they would fill the address bar and servers' logs."""
_MAX_URL_TEXT = 400
_LONGEST_ASKED = 60
"""Letters of a URL's text that a message repeats."""
_LEAST_LARGEST = 0.001
"""Weights that are all smaller are scaled: what is shown of them has five decimals."""
_PAGE, _OWNER = "page of the selection", "run of the selection"


@dataclass(frozen=True, slots=True)
class Selected:
    """The selected weights (None: nothing is selected) and what was wrong with the URL's."""

    weights: Weights | None
    problem: str = ""


def read_url(page: str) -> None:
    """Take over what the URL says; call once on every run of a page.

    What the URL lacks is written back when the page has changed, as Streamlit drops the query
    then. On the same page it was undone: the browser went back.
    """
    has_changed = st.session_state.get(_PAGE) != page
    st.session_state[_PAGE] = page
    said = {name: st.query_params.get(name) for name in NAMES}
    if said[RUN] is not None and said[RUN] != st.session_state.get(_key(RUN), said[RUN]):
        for name in _OF_A_RUN:
            st.session_state[_key(name)] = ""
        st.session_state.pop(_OWNER, None)  # what the URL says from here on is of its own run
    for name, text in said.items():
        if text is not None or not has_changed:
            st.session_state[_key(name)] = (text or "")[:_MAX_URL_TEXT]
    own = st.query_params.get(OWN_TEXT) or None  # one that was left out a moment ago reads as ""
    if own is not None:
        st.session_state[_key(OWN_TEXT)] = own[:LONGEST_PROMPT]
    elif not has_changed and _in_url(own_text()):
        st.session_state[_key(OWN_TEXT)] = None
    if has_changed:
        _write({name: st.session_state.get(_key(name), "") for name in NAMES}, own_text())


def leave_pages() -> None:
    """Tell that a page without the selection is open: the next one takes it from the session."""
    st.session_state.pop(_PAGE, None)


def select_run(run_id: str) -> None:
    """Select a run; what was selected of another one is dropped."""
    if st.session_state.get(_key(RUN)) != run_id:
        st.session_state.pop(_OWNER, None)
        _write({RUN: run_id} | dict.fromkeys(_OF_A_RUN, ""), own_text())


def keep_to(run_id: str, objectives: tuple[str, ...]) -> None:
    """Drop what was selected of another run, or of one whose objectives were others.

    Without a run in the URL pages show the one written to last, which can become another.
    """
    owner = (run_id, objectives)
    if st.session_state.get(_OWNER, owner) != owner:
        _write(dict.fromkeys(_OF_A_RUN, ""), own_text())
    st.session_state[_OWNER] = owner


def select_weights(text: str) -> None:
    """Select weights given as the URL holds them; ``selected_weights`` checks them."""
    _write({WEIGHTS: text[:_MAX_URL_TEXT]}, own_text())


def select_reference(text: str) -> None:
    """Pin weights given as the URL holds them; "" unpins."""
    _write({REFERENCE: text[:_MAX_URL_TEXT]}, own_text())


def reference(objectives: tuple[str, ...]) -> Selected:
    """Return the pinned weights; none where they do not fit the run, or are all 0."""
    text = st.session_state.get(_key(REFERENCE), "")
    if not text:
        return Selected(None)
    try:
        weights = _weights(text, len(objectives))
    except WeightsError:
        weights = None
    if weights is None or not any(weights):
        return Selected(
            None,
            f"The address asks to pin the weights “{text[:_LONGEST_ASKED]}”, which do not fit "
            f"this run. It takes {len(objectives)} numbers, not all 0, with commas between them. "
            "Nothing is pinned.",
        )
    return Selected(weights)


def find_run(runs: list[Run]) -> tuple[Run | None, str]:
    """Return the selected run, else the one written to last, and a problem in words.

    An unknown or impossible name gives no run but a message that says which there are.
    """
    wanted = st.session_state.get(_key(RUN), "")
    if not wanted:
        return (runs[0] if runs else None), ""
    for run in runs:
        if run.run_id == wanted:
            return run, ""
    try:
        existing_run(artifacts_root(), wanted)
    except RunNotFoundError as error:
        told = without_folders(str(error))
        return None, told.replace(wanted, _shortened(wanted))
    return None, f"The run {_shortened(wanted)!r} appeared just now; load the page again."


def selected_weights(objectives: tuple[str, ...]) -> Selected:
    """Return the selected weights, checked against the run's objectives."""
    text = st.session_state.get(_key(WEIGHTS), "")
    if not text:
        return Selected(None)
    asked = f"The address asks for the weights “{text[:_LONGEST_ASKED]}”"
    try:
        weights = _weights(text, len(objectives))
    except WeightsError:
        example = ",".join(["1", "0.5", *["0"] * len(objectives)][: len(objectives)])
        return Selected(
            None,
            f"{asked}, which do not fit this run. It takes {len(objectives)} numbers, none below "
            f"0, with commas between them, in the order {', '.join(objectives)}; {example}, say. "
            "No weights are selected.",
        )
    if not any(weights):
        return Selected(
            weights, f"{asked}. Where all weights are 0 there is no ensemble, and no score."
        )
    return Selected(weights)


def _weights(text: str, n_objectives: int) -> Weights:
    """Read weights; only their direction counts, so they are brought to a size that is shown."""
    parts: list[Any] = text.split(",")  # no numbers yet: that is for the check to find
    weights = check_weights(parts, n_objectives)
    largest = max(weights)
    if largest > 1 or 0 < largest < _LEAST_LARGEST:
        return tuple(weight / largest for weight in weights)
    return weights


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """A prompt of the run."""

    split: Split
    prompt_index: int


def select_prompt(choice: PromptChoice) -> None:
    """Select a prompt of the run on all pages; that ends a prompt of one's own."""
    _write({PROMPT: f"{choice.split}:{choice.prompt_index}"}, None)


def asked_prompt() -> str:
    """Return the beginning of what the URL says of the prompt; "" where it says nothing."""
    text: str = st.session_state.get(_key(PROMPT), "")
    return text[:_LONGEST_ASKED]


def selected_prompt() -> PromptChoice | None:
    """Return the selected prompt; None without, or where the URL names none.

    Whether the run has such a prompt is for the page to find out.
    """
    match = re.fullmatch(
        r"(train|aggregation|inference|own):(\d{1,7})",
        st.session_state.get(_key(PROMPT), ""),
    )
    if match is None:
        return None
    return PromptChoice(cast("Split", match[1]), int(match[2]))


def as_text(weights: Weights) -> str:
    """Write weights as ``select_weights`` reads them."""
    return weights_text(weights)


def own_text() -> str | None:
    """Return the prompt of one's own while it is what pages ask; "" when it is to be written."""
    text: str | None = st.session_state.get(_key(OWN_TEXT))
    return text


def select_own(text: str | None) -> None:
    """Ask a prompt of one's own on all pages; None goes back to the run's prompts."""
    _write({}, text)


def _write(texts: Mapping[str, str], own: str | None) -> None:
    """Keep what is selected, and write it to the URL in one step of the browser's history."""
    for name, text in texts.items():
        st.session_state[_key(name)] = text
    st.session_state[_key(OWN_TEXT)] = own
    wanted = dict(texts) | {OWN_TEXT: (own or "") if _in_url(own) else ""}
    changed = {name: text for name, text in wanted.items() if _said(name) != text}
    if changed:
        # An empty list leaves a name out; to delete it would be a change of its own.
        st.query_params.update({name: text or [] for name, text in changed.items()})


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ASKED else f"{text[:_LONGEST_ASKED]}…"


def _said(name: str) -> str:
    return st.query_params.get(name, "")


def _in_url(own: str | None) -> bool:
    return own is not None and 0 < len(own) <= LONGEST_IN_URL


def _key(name: str) -> str:
    return f"selected {name}"
