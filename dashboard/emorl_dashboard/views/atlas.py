"""Atlas: every response that any weights give to a prompt, and where each of them is."""

from __future__ import annotations

import streamlit as st

from emorl.atlas.rows import ScoredAtlas
from emorl.records import Split, Weights
from emorl_dashboard.components import plane_click
from emorl_dashboard.data import queries, stored_atlases
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.data.stored_atlases import Atlases
from emorl_dashboard.figures import atlas as figures
from emorl_dashboard.frames import atlas as frames
from emorl_dashboard.frames.atlas_place import Place, find_place
from emorl_dashboard.frames.atlas_prompts import Cut, prompt_names
from emorl_dashboard.frames.plain import plain, plain_message
from emorl_dashboard.state import prompts, selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.state.selection import PromptChoice
from emorl_dashboard.views import atlas_own, atlas_prompts, atlas_responses
from emorl_dashboard.widgets import charts, controls

MAP_KEY = "cell-map"
_SPLITS: dict[Split, str] = {
    "aggregation": "aggregation",
    "inference": "inference",
    "own": "mapped by hand",
}
_LONGEST_OPTION = 90
_TRIANGLE = 3


def render() -> None:
    """Lay out the page."""
    controls.page("Atlas", _body)


def _body(run: Run) -> None:
    texts = queries.table(run, "prompts")
    certificates = queries.table(run, "certificates")
    evaluations = queries.table(run, "evaluations")
    controls.show_problems(texts, certificates, evaluations)
    found = {split: stored_atlases.atlases(run, split) for split in _SPLITS}
    for problem in dict.fromkeys(own.problem for own in found.values() if own.problem):
        st.warning(plain_message(problem))
    mapped = {split: own for split, own in found.items() if own.scored}
    best = frames.best_proven(certificates.frame, len(run.objectives))
    weights = _weights(run, frames.best_found(evaluations.frame, len(run.objectives)))
    own = atlas_own.shown(run, mapped, texts.frame)
    if own is not None:
        _one_prompt(run, own, weights, best)
        return
    if not mapped:
        _no_atlas(run)
        return
    choice = _choose_prompt(run, mapped, texts.frame)
    scored = mapped[choice.split].of_prompt(choice.prompt_index) or mapped[choice.split].scored[0]
    names = prompt_names(texts.frame, choice.split)
    atlas_responses.long_text(
        names.get(choice.prompt_index, "(this prompt's text is not published yet)")
    )
    place, axes = _one_prompt(run, scored, weights, best)
    atlas_prompts.same_ensemble(run, mapped[choice.split], names, choice, place.weights)
    cut = Cut(tuple(axes), place.shares)
    atlas_prompts.across_prompts(run, mapped[choice.split], names, choice, cut, best)


def _one_prompt(
    run: Run, scored: ScoredAtlas, weights: Weights, best: frames.Best | None
) -> tuple[Place, list[int]]:
    """Show where the responses to one prompt are, and what is at the selected weights.

    Returns:
        That place, and the positions of the objectives that the map shows.
    """
    place = find_place(scored.atlas, weights)
    table = frames.cell_table(scored, run.objectives)
    st.caption(frames.coverage_text(scored.atlas))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        axes = _map(run, scored, table, place, best)
    with right:
        atlas_responses.selected(run, table, place)
    atlas_responses.room(run, scored, table, place)
    atlas_responses.everything(run, scored, table, place)
    return place, axes


def _no_atlas(run: Run) -> None:
    controls.next_command(
        "No prompt of this run has an atlas yet. A finished run can be mapped at any time: the "
        "prompts that its search scored, those held out, or one of your own.",
        run.command(f"atlas {run.run_id} --split aggregation"),
        run.command(f"atlas {run.run_id} --split inference"),
        run.command(f'atlas {run.run_id} --prompt "I am so tired of my job."'),
    )
    st.caption(
        "An atlas holds for greedy ensembles of hidden states or logits; not for parameter "
        "merging, mixtures of probabilities, sampling or beam search."
    )


def _choose_prompt(run: Run, mapped: dict[Split, Atlases], texts: Frame) -> selection.PromptChoice:
    choice = selection.selected_prompt()
    first_split = next(iter(mapped))
    first = PromptChoice(first_split, mapped[first_split].scored[0].prompt_index)
    if prompts.tell_unknown(texts) or choice is None:
        choice = first
    elif choice.split not in mapped or mapped[choice.split].of_prompt(choice.prompt_index) is None:
        st.info(
            f"Prompt {choice.prompt_index + 1} of the split {choice.split} has no atlas; another "
            "one is shown. This maps it:"
        )
        command = f"atlas {run.run_id} --split {choice.split}"
        st.code(
            run.command(
                command if choice.split in _SPLITS else f'atlas {run.run_id} --prompt "..."'
            ),
            language="bash",
            wrap_lines=True,
        )
        choice = first
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="bottom")
    with left:
        split = _split_picker(mapped, choice)
    with right:
        _prompt_picker(mapped[split], prompt_names(texts, split), choice)
    return choice


def _split_picker(mapped: dict[Split, Atlases], choice: PromptChoice) -> Split:
    key = "atlas split"
    st.session_state[key] = choice.split

    def pick() -> None:
        split: Split = st.session_state[key]
        selection.select_prompt(PromptChoice(split, mapped[split].scored[0].prompt_index))

    st.segmented_control(
        "Prompts",
        list(mapped),
        key=key,
        format_func=lambda split: _SPLITS[split],
        on_change=pick,
        required=True,
        help="The searches chose their weights on aggregation prompts; inference prompts are held "
        "out.",
    )
    return choice.split


def _prompt_picker(own: Atlases, names: dict[int, str], choice: PromptChoice) -> None:
    key = "atlas prompt"
    st.session_state[key] = choice.prompt_index

    def pick() -> None:
        selection.select_prompt(PromptChoice(choice.split, st.session_state[key]))

    st.selectbox(
        f"Prompt, {len(own.scored)} with an atlas",
        [one.prompt_index for one in own.scored],
        key=key,
        format_func=lambda index: f"{index + 1} · {names.get(index, '')[:_LONGEST_OPTION]}",
        on_change=pick,
    )


def _weights(run: Run, best: Weights) -> Weights:
    selected = selection.selected_weights(run.objectives)
    if selected.problem:
        st.error(plain(selected.problem))
    if selected.weights is not None and not any(selected.weights):
        st.info("All weights are 0: no direction, so there is no response. The best are shown.")
        return best
    return selected.weights or best


def _axes(run: Run) -> list[int]:
    names = run.objectives
    if len(names) > _TRIANGLE:
        asked.several(run.run_id, "slice", names, default=names[:_TRIANGLE])
        names = tuple(
            st.multiselect(
                "Objectives of the slice, two or three",
                run.objectives,
                run.objectives[:_TRIANGLE],
                key="slice",
                max_selections=_TRIANGLE,
                bind="query-params",
                help="The other weights keep their shares of the selected weights.",
            )
        )
    return [run.objectives.index(name) for name in names]


def _map(
    run: Run, scored: ScoredAtlas, table: Frame, place: Place, best: frames.Best | None
) -> list[int]:
    first, second = st.columns([1, 1], vertical_alignment="bottom")
    values = [frames.RESPONSE, frames.MEAN_REWARD, *run.objectives]
    asked.one(run.run_id, "cells", values, _words)
    value = first.selectbox(
        "Colour",
        values,
        key="cells",
        format_func=_words,
        bind="query-params",
    )
    stretched = False
    if value != frames.RESPONSE:
        stretched = second.toggle(
            "Stretch the colours over what is shown", key="stretch", bind="query-params"
        )
    axes = _axes(run)
    part = frames.part_of(place.shares, axes) if len(axes) > 1 else None
    if part is None:
        st.info("Choose two or three objectives that have some of the selected weights.")
        return axes
    is_slice = len(axes) < len(run.objectives)
    shapes = frames.shapes(scored.atlas, axes, place.shares)
    shown = {shape.cell for shape in shapes}
    content = figures.CellMap(
        table=table,
        shapes=shapes,
        objectives=run.objectives,
        axes=axes,
        value=value,
        value_range=(
            (0.0, 1.0)
            if value == frames.RESPONSE
            else frames.value_range(table, value, stretched=stretched)
        ),
        selected_cell=place.cell,
        selected=part,
        best=None if is_slice or best is None else best.weights,
        best_region=None if is_slice or best is None else best.corners,
        is_slice=is_slice,
        is_compact=controls.is_phone(),
    )
    _map_caption(run, table, content, len(shown))
    charts.chart(
        figures.cell_map(content, controls.theme_ink()),
        key=MAP_KEY,
        name=charts.file_name(run, f"atlas-{scored.split}-{scored.prompt_index}"),
        rows=frames.cell_rows(table, scored),
        alt="Weight space of one prompt cut into its responses; the list below holds all of them.",
    )

    def pick(x: float, y: float) -> None:
        clicked = figures.place_of(x, y, len(axes))
        if clicked is not None:
            weights = frames.slice_weights(clicked, axes, place.shares)
            selection.select_weights(selection.as_text(weights))

    plane_click.watch(MAP_KEY, key="cell-click", on_pick=pick)
    return axes


def _map_caption(run: Run, table: Frame, content: figures.CellMap, n_shown: int) -> None:
    where = "All weights, cut into the responses they give"
    if content.is_slice:
        held = [name for place, name in enumerate(run.objectives) if place not in content.axes]
        where = (
            f"A slice with {n_shown} of {len(table)} responses, held at their selected shares: "
            f"{', '.join(held)}"
        )
    open_ = (
        ", but for the dotted areas, which the budget left open" if any(table["is_open"]) else ""
    )
    colour = "the largest responses have colours of their own, the others are grey"
    if content.value != frames.RESPONSE:
        colour = "brighter is better"
    star = ""
    if content.best is not None and content.best_region is not None:
        star = (
            " The star and its outline are the proven best over all prompts."
            if len(content.best_region) > 1
            else " The star is the best that is known over all prompts."
        )
    st.caption(
        f"**{where}**; {colour}. Inside an area every weight vector writes the same text"
        f"{open_}. Hover to read it, click to move the weights there.{star}"
    )


def _words(value: str) -> str:
    return value.replace("_", " ")
