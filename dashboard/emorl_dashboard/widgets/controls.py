"""Widgets and messages that several pages share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
from streamlit.navigation.page import Page

from emorl.records import Weights
from emorl_dashboard.components import copy_link
from emorl_dashboard.data import queries
from emorl_dashboard.data.queries import Run, Table
from emorl_dashboard.figures.palette import NAMES, Ink, ink
from emorl_dashboard.frames.numbers import duration_text
from emorl_dashboard.frames.plain import plain, plain_message
from emorl_dashboard.state import selection

POLL_SECONDS = 2.0
"""Pages of a running run look for news this often; the engine publishes at the same pace."""
IDLE_POLL_SECONDS = 10.0
"""The same for other runs: one that stopped may go on, a finished one may be mapped."""

WEIGHT_STEP = 1 / 32
"""Precision of the five-round search in the paper."""

_STOPPED = {
    "died": "died",
    "failed": "failed",
    "interrupted": "was interrupted",
    "paused": "was paused",
}
"""How to say that a run ended early."""

_STATE_COLOURS = {
    "running": "blue",
    "paused": "orange",
    "finished": "green",
    "failed": "red",
    "died": "red",
    "interrupted": "orange",
    "unknown": "gray",
}


def page(title: str, body: Callable[[Run], None], *, tells_end: bool = True) -> None:
    """Draw a page of the selected run: its title, what is wrong with it, then ``body``.

    Args:
        title: Of the page.
        body: Draws the rest.
        tells_end: Whether to say that a run has stopped early; False where ``body`` does.

    The page looks for news, every two seconds while the run goes on or there is none yet, and is
    drawn again when there are any; looking costs a few file times.
    """
    runs = queries.runs()
    run, problem = selection.find_run(runs)
    _head(title, run)
    every = POLL_SECONDS if run is None or run.has_news else IDLE_POLL_SECONDS
    st.fragment(_watch, run_every=every)(queries.signature(runs, run))
    if run is None:
        _no_run(problem)
    elif run.config is None:
        st.error(plain_message(run.problem))
        next_command(
            f"Put the settings file back as it was, {run.folder.config.name} in the folder of the "
            "run. What the run stored is kept; then this goes on with it:",
            run.resume_command,
        )
    else:
        selection.keep_to(run.run_id, run.objectives)
        if run.problem:
            st.warning(plain_message(run.problem))
        if tells_end:
            _end(run)
        body(run)
    with st.container(key="page-ready"):
        st.empty()


def _head(title: str, run: Run | None) -> None:
    if run is None:
        st.title(title, anchor=False)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(title, anchor=False)
        copy_link.draw(run.run_id)


def run_picker() -> None:
    """Let the user pick the run of all pages."""
    runs = queries.runs()
    if not runs:
        st.caption("No runs yet.")
        return
    run, _ = selection.find_run(runs)
    names = [other.run_id for other in runs]
    key = "run picker"
    st.session_state[key] = run.run_id if run else None
    st.selectbox(
        "Run",
        names,
        key=key,
        placeholder="Choose a run",
        on_change=lambda: selection.select_run(st.session_state[key] or ""),
    )
    # Not in the options: the browser names its choice by the option's text, which must not change.
    if run is not None:
        state_badge(run)


def know_pages(pages: Sequence[Page]) -> None:
    """Keep the pages, so that one page can link to another."""
    st.session_state["pages"] = {page.title: page for page in pages}


def link_to(title: str, label: str) -> None:
    """Link to the page of that title, if the app has it; the selection goes along in the URL."""
    names = (*selection.NAMES, selection.OWN_TEXT)
    query = {name: text for name in names if (text := st.query_params.get(name))}
    pages = st.session_state.get("pages", {})
    if title in pages:
        st.page_link(pages[title], label=label, query_params=query)


def state_badge(run: Run) -> None:
    """Show the state of a run as a coloured word."""
    st.badge(run.state, color=_STATE_COLOURS[run.state])  # type: ignore[arg-type]


def next_command(sentence: str, *commands: str) -> None:
    """Say what is missing, and the commands that make it."""
    st.info(sentence)
    for command in commands:
        st.code(command, language="bash", wrap_lines=True)


TEXT_WIDTHS = {"prompt": 240, "response": 360}
"""Columns of texts -> pixels, in a table of responses."""
NO_POINTS = "No weights are evaluated yet: the search starts when all adapters are trained."
UNREADABLE = "There is nothing to show here until the table that the warning names can be read."


def caption_nothing(table: Table, sentence: str) -> None:
    """Say that a table has no rows yet, but of one that cannot be read only that."""
    st.caption(UNREADABLE if table.problem else sentence)


def nothing_yet(table: Table, sentence: str, command: str) -> None:
    """Like ``caption_nothing``, with the command that goes on."""
    if table.problem:
        st.caption(UNREADABLE)
    else:
        next_command(sentence, command)


def show_problems(*tables: Table) -> None:
    """Say in words which files cannot be read; their last good rows are on the page."""
    for problem in dict.fromkeys(table.problem for table in tables if table.problem):
        st.warning(plain_message(problem))


def objective_mark(position: int) -> str:
    """Return a square in the colour of the objective at ``position``, as Markdown."""
    return f":{NAMES[position % len(NAMES)]}[■]"


def legend(objectives: Sequence[str], *others: str) -> None:
    """Name the colours of the figures below."""
    parts = [f"{objective_mark(place)} {name}" for place, name in enumerate(objectives)]
    st.markdown(" &nbsp; ".join([*parts, *others]))


def theme_ink() -> Ink:
    """Return the inks of the theme that the browser shows."""
    return ink(dark=st.context.theme.type == "dark")


def is_phone() -> bool:
    """Tell whether the browser says that it runs on a phone."""
    return "Mobi" in st.context.headers.get("User-Agent", "")


def number_columns(*scores: str, whole: Sequence[str] = ()) -> dict[str, Any]:
    """Format score columns with three decimals and whole numbers with separators."""
    return {name: st.column_config.NumberColumn(format="%.3f") for name in scores} | {
        name: st.column_config.NumberColumn(format="localized", step=1) for name in whole
    }


def response_columns(objectives: Sequence[str]) -> dict[str, Any]:
    """Lay out a table of ``frames.texts.response_table``."""
    columns = {
        name: st.column_config.NumberColumn(format="%.3f", width=92)
        for name in ("mean reward", *objectives)
    }
    return columns | {
        name: st.column_config.TextColumn(width=width) for name, width in TEXT_WIDTHS.items()
    }


def point_columns(objectives: Sequence[str]) -> dict[str, Any]:
    """Lay out a table of ``frames.weight_space.point_table``: narrow, errors beside scores."""
    number, kinds = st.column_config.NumberColumn, {"round": 58, "kind": 84, "search": 100}
    columns = {"mean reward": number(format="%.4f", width=92)}
    for name in objectives:
        columns[f"weight {name}"] = number(f"w {name}", format="%.5g", width=88)
        columns[name] = number(format="%.3f", width=84)
        columns[f"{name} ± se"] = number("± se", format="%.3f", width=58)
    return columns | {name: st.column_config.Column(width=width) for name, width in kinds.items()}


def keep_within(key: str, most: int) -> None:
    """Lower the number that a widget has kept from another run, before the widget is drawn.

    Streamlit refuses to draw a widget whose kept number is above its end.

    Args:
        key: Of the widget.
        most: Its end.
    """
    if key in st.session_state and st.session_state[key] > most:
        st.session_state[key] = most


def weight_sliders(objectives: Sequence[str], weights: Weights) -> None:
    """Show one slider per objective; moving one selects the new weights on all pages."""
    keys = [f"weight of {name}" for name in objectives]
    for key, weight in zip(keys, weights, strict=True):
        st.session_state[key] = float(weight)

    def select() -> None:
        selection.select_weights(
            selection.as_text(tuple(float(st.session_state[key]) for key in keys))
        )

    for position, (key, name) in enumerate(zip(keys, objectives, strict=True)):
        st.slider(
            f"{objective_mark(position)} weight of {name}",
            0.0,
            1.0,
            step=WEIGHT_STEP,
            format="%.5g",
            key=key,
            on_change=select,
        )


def _watch(signature: tuple[object, ...]) -> None:
    runs = queries.runs()
    run, _ = selection.find_run(runs)
    if queries.signature(runs, run) != signature:
        # A run appeared, ended or published: the side bar and the pace of polling change too.
        st.rerun(scope="app")
    if run is not None and run.is_running and run.status is not None:
        ago = duration_text(time.time() - run.status.updated_at)
        st.caption(f":blue-badge[running] {plain(run.status.detail)} · heartbeat {ago} ago")


def _end(run: Run) -> None:
    """Say that the rows of the page are as old as the engine that stopped."""
    told = _STOPPED.get(run.state)
    if told is None:
        return
    written = run.published_at
    age = f"{duration_text(time.time() - written)} old" if written else "not there yet"
    st.warning(
        f"This run {told} before its end; what it stored is shown, and is {age}. It goes on with "
        f"`{run.resume_command}`."
    )


def _no_run(problem: str) -> None:
    if problem:
        st.error(plain_message(problem))
        st.caption("Choose a run in the side bar.")
        return
    next_command(
        "No run has been stored yet. Watch a small one from training to map, on this machine:",
        "make demo",
    )
    st.caption("Or with settings of your own:")
    st.code(
        "emorl preset embedded > my-run.toml\nemorl run my-run.toml",
        language="bash",
        wrap_lines=True,
    )
