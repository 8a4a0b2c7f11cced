"""Training: what each adapter earns while it learns, what that costs, what it writes."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from emorl_dashboard.components import text_table
from emorl_dashboard.data import queries
from emorl_dashboard.data.queries import Run
from emorl_dashboard.figures.training import Curves, adapter_curves, reward_paths, step_curves
from emorl_dashboard.frames import texts
from emorl_dashboard.frames import training as frames
from emorl_dashboard.frames.numbers import score_text
from emorl_dashboard.frames.plain import plain
from emorl_dashboard.frames.words import Pieces
from emorl_dashboard.state import selection
from emorl_dashboard.state import url as asked
from emorl_dashboard.state.prompts import tell_unknown
from emorl_dashboard.state.selection import PromptChoice
from emorl_dashboard.widgets import charts, controls

_PANELS_PER_ROW = 3
_MOST_RUNS = 8
_LONGEST_OPTION = 90


def render() -> None:
    """Lay out the page."""
    controls.page("Training", _body)


def _body(run: Run) -> None:
    steps = queries.table(run, "training_steps")
    validations = queries.table(run, "validations")
    adapters = queries.table(run, "adapters")
    controls.show_problems(steps, validations, adapters)
    names = frames.adapter_names(run.objectives, steps.frame, validations.frame)
    if not names:
        controls.next_command("No adapter of this run is trained yet.", run.resume_command)
        return
    for sentence in frames.low_variety(adapters.frame):
        st.warning(plain(sentence))
    curves = frames.validation_frame(validations.frame, run.objectives)
    table = frames.adapter_table(steps.frame, curves, adapters.frame, names)
    st.dataframe(
        table,
        hide_index=True,
        key="adapters",
        placeholder="",
        column_config=controls.number_columns(
            "own reward, start", "own reward, now", "± se", whole=("data points", "seconds")
        ),
    )
    charts.export_rows(table, key="adapters-rows", name=charts.file_name(run, "adapters"))
    over, others = _choose_axis(run)
    runs = [run, *others]
    scores = Curves(_validations(runs), run.objectives, over)
    _curves(run, scores, names)
    _steps(run, Curves(_steps_of(runs), run.objectives, over))
    _trade_offs(run, scores, names)
    _samples(run, names)


def _choose_axis(run: Run) -> tuple[str, list[Run]]:
    """Let the user choose what curves are drawn over, and the runs that join the band."""
    alike = [
        other
        for other in queries.runs()
        if other.objectives == run.objectives and other.run_id != run.run_id
    ]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asked.one(run.run_id, "over", list(frames.AXES))
        over = (
            st.segmented_control(
                "Over",
                list(frames.AXES),
                default="data points",
                key="over",
                required=True,
                bind="query-params",
            )
            or "data points"
        )
        if not alike:
            return frames.AXES[over], []
        others = [other.run_id for other in alike]
        asked.several(run.run_id, "seeds", others)
        chosen = st.multiselect(
            "Band with runs of the same objectives",
            others,
            key="seeds",
            bind="query-params",
            max_selections=_MOST_RUNS,
            placeholder="add runs, e.g. other seeds",
        )
    return frames.AXES[over], [other for other in alike if other.run_id in chosen]


def _validations(runs: list[Run]) -> queries.Frame:
    return frames.together(
        {
            run.run_id: frames.validation_frame(
                queries.table(run, "validations").frame, run.objectives
            )
            for run in runs
        }
    )


def _steps_of(runs: list[Run]) -> queries.Frame:
    return frames.together(
        {run.run_id: frames.step_frame(queries.table(run, "training_steps").frame) for run in runs}
    )


def _curves(run: Run, curves: Curves, names: list[str]) -> None:
    st.subheader("Reward of every objective while one is trained", anchor=False)
    bands = (
        "Lines: mean over runs; bands: from the lowest run to the highest."
        if curves.is_many
        else "Bands: ± one standard error over prompts."
    )
    st.caption(
        "One panel per adapter; its own objective is thick. Sampled responses to the aggregation "
        f"prompts. {bands} Flat or falling thin lines are what training for one objective costs "
        "the others."
    )
    controls.legend(run.objectives)
    for column, name in _panels(names):
        column.markdown(f"Trained for **{name}**")
        with column:
            charts.chart(
                adapter_curves(curves, name, controls.theme_ink()),
                key=f"curves-{name}",
                name=charts.file_name(run, f"rewards-{name}"),
                rows=curves.of(name).rows,
                alt=f"Rewards of all objectives while the adapter of {name} is trained",
            )


def _steps(run: Run, curves: Curves) -> None:
    panels = (
        ("reward", "Own reward of every step", "own reward"),
        ("kl", "Distance from the base", "KL, nats per response"),
    )
    for column, (value, heading, axis) in zip(st.columns(2), panels, strict=True):
        column.subheader(heading, anchor=False)
        with column:
            charts.chart(
                step_curves(curves, value, axis, controls.theme_ink()),
                key=f"steps-{value}",
                name=charts.file_name(run, f"steps-{value}"),
                rows=curves.rows,
                alt=f"{heading}, one line per adapter",
            )
    st.caption(
        f"Running mean over {frames.SMOOTHING_STEPS} steps: mean over runs, and band from the "
        "lowest run to the highest."
        if curves.is_many
        else f"Strong lines: running mean over {frames.SMOOTHING_STEPS} steps; faint: each step."
    )


def _trade_offs(run: Run, curves: Curves, names: list[str]) -> None:
    st.subheader("What own reward costs the others", anchor=False)
    st.caption(
        "Each line is a training, from its ring (before) to its large dot (now): to the right is "
        "more of the trained objective, down is less of another."
    )
    controls.legend(run.objectives)
    for column, name in _panels(names):
        with column:
            charts.chart(
                reward_paths(curves, name, controls.theme_ink()),
                key=f"paths-{name}",
                name=charts.file_name(run, f"trade-off-{name}"),
                rows=curves.of(name).rows,
                alt=f"Other rewards against the reward of {name} over its training",
            )
            rows = curves.rows[curves.rows["run"] == run.run_id]
            st.caption(frames.trade_off_sentence(rows, run.objectives, name))


def _samples(run: Run, names: list[str]) -> None:
    samples = queries.table(run, "training_samples")
    prompts = queries.table(run, "prompts")
    controls.show_problems(samples, prompts)
    st.subheader("What it writes", anchor=False)
    asked.one(run.run_id, "adapter", names)
    adapter = (
        st.segmented_control(
            "Adapter",
            names,
            default=names[0],
            key="adapter",
            required=True,
            bind="query-params",
        )
        or names[0]
    )
    kept = frames.sample_steps(samples.frame, adapter)
    if not kept:
        st.caption("No texts are kept yet.")
        return
    step = kept[-1]
    if len(kept) > 1:
        step = st.select_slider(
            "After step", kept, value=kept[-1], key=f"step-{adapter}", bind="query-params"
        )
    table = texts.response_table(
        frames.samples_at(samples.frame, adapter, step),
        prompts.frame,
        run.objectives,
        split="aggregation",
    )
    responses = [str(text) for text in table["response"]]
    _text_table(
        run,
        table,
        "prompt",
        [text_table.words([(str(prompt), "same")]) for prompt in table["prompt"]],
        [[(text, "same")] for text in responses],
    )
    _one_prompt(run, samples.frame, prompts.frame, adapter)


def _one_prompt(run: Run, samples: queries.Frame, prompts: queries.Frame, adapter: str) -> None:
    """Show how the response to one prompt changed from step to step."""
    known = texts.prompt_texts(prompts, "aggregation")
    indices = [index for index in frames.sample_prompts(samples) if index < len(known)]
    if not indices:
        return
    st.markdown("**One prompt through the training**")
    tell_unknown(prompts)
    choice = selection.selected_prompt()
    is_kept = choice and choice.split == "aggregation" and choice.prompt_index in indices
    index = choice.prompt_index if choice and is_kept else indices[0]
    key = "sampled prompt"
    st.session_state[key] = index
    st.selectbox(
        f"Prompt, {len(indices)} with texts kept",
        indices,
        key=key,
        format_func=lambda index: f"{index + 1} · {known[index][:_LONGEST_OPTION]}",
        on_change=lambda: selection.select_prompt(
            PromptChoice("aggregation", st.session_state[key])
        ),
    )
    st.text(known[index])
    st.caption("Marked: words that the response before did not have.")
    table = frames.samples_of_prompt(samples, run.objectives, adapter, index)
    _text_table(
        run,
        table,
        "after step",
        [text_table.number(step, f"{step}") for step in table["after step"]],
        frames.changes([str(text) for text in table["response"]]),
    )


def _text_table(
    run: Run,
    table: queries.Frame,
    first: str,
    first_cells: list[text_table.Content],
    responses: list[Pieces],
) -> None:
    """Show responses in full, with what they are about in the column ``first``."""
    scores = ("mean reward", *run.objectives)
    rows = [
        text_table.Row(
            str(place),
            [
                cell,
                text_table.words(response),
                *(text_table.number(score, score_text(score)) for score in given),
            ],
        )
        for place, (cell, response, *given) in enumerate(
            zip(first_cells, responses, *(table[name] for name in scores), strict=True)
        )
    ]
    key = f"responses-by-{first.replace(' ', '-')}"
    text_table.show(
        [
            text_table.Column(first, "words" if first == "prompt" else "number"),
            text_table.Column("response", "words"),
            *(text_table.Column(name, "number") for name in scores),
        ],
        rows,
        key=key,
        label=f"Responses by {first}, with their scores",
    )
    charts.export_rows(table, key=f"{key}-rows", name=charts.file_name(run, key))


def _panels(names: list[str]) -> Iterator[tuple[st.delta_generator.DeltaGenerator, str]]:
    """Lay panels out, three in a row."""
    n_columns = min(len(names), _PANELS_PER_ROW)
    for start in range(0, len(names), n_columns):
        yield from zip(st.columns(n_columns), names[start : start + n_columns], strict=False)
