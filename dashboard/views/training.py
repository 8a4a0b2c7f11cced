"""Training: what each adapter earns while it learns, and what it writes."""

from __future__ import annotations

import streamlit as st

from dashboard import controls, queries
from dashboard.figures.training import adapter_curves, step_curves
from dashboard.frames import texts
from dashboard.frames import training as frames
from dashboard.queries import Run


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
        st.warning(sentence)
    curves = frames.validation_frame(validations.frame, run.objectives)
    st.dataframe(
        frames.adapter_table(steps.frame, curves, adapters.frame, names),
        hide_index=True,
        key="adapters",
        placeholder="",
        column_config=controls.number_columns(
            "own reward, start", "own reward, now", "± se", whole=("data points", "seconds")
        ),
    )
    _curves(run, curves, names)
    _steps(run, steps)
    _samples(run, names)


def _curves(run: Run, curves: queries.Frame, names: list[str]) -> None:
    st.subheader("Reward of every objective while one is trained", anchor=False)
    st.caption(
        "One panel per adapter; its own objective is thick. Sampled responses to the aggregation "
        "prompts; bands: ± one standard error over prompts. Flat or falling thin lines are what "
        "training for one objective costs the others."
    )
    controls.legend(run.objectives)
    for column, name in zip(st.columns(len(names)), names, strict=True):
        column.markdown(f"Trained for **{name}**")
        column.plotly_chart(
            adapter_curves(curves, run.objectives, name, controls.theme_ink()),
            key=f"curves {name}",
            theme=None,
            config={"displayModeBar": False},
        )


def _steps(run: Run, steps: queries.Table) -> None:
    frame = frames.step_frame(steps.frame)
    panels = (
        ("reward", "Own reward of every step", "own reward"),
        ("kl", "Distance from the base", "KL, nats per response"),
    )
    for column, (value, heading, axis) in zip(st.columns(2), panels, strict=True):
        column.subheader(heading, anchor=False)
        column.plotly_chart(
            step_curves(frame, run.objectives, value, axis, controls.theme_ink()),
            key=f"steps {value}",
            theme=None,
            config={"displayModeBar": False},
        )
    st.caption(
        f"Strong lines: running mean over {frames.SMOOTHING_STEPS} steps; faint: each step."
    )


def _samples(run: Run, names: list[str]) -> None:
    samples = queries.table(run, "training_samples")
    prompts = queries.table(run, "prompts")
    controls.show_problems(samples, prompts)
    st.subheader("What it writes", anchor=False)
    adapter = st.segmented_control(
        "Adapter", names, default=names[0], key="sample adapter", required=True
    )
    kept = frames.sample_steps(samples.frame, adapter)
    if not kept:
        st.caption("No texts are kept yet.")
        return
    step = kept[-1]
    if len(kept) > 1:
        step = st.select_slider("After step", kept, value=kept[-1], key=f"sample step {adapter}")
    st.dataframe(
        texts.response_table(
            frames.samples_at(samples.frame, adapter, step),
            prompts.frame,
            run.objectives,
            split="aggregation",
        ),
        hide_index=True,
        key="samples",
        row_height=80,
        column_config=controls.response_columns(run.objectives),
    )
