"""Training curves: rewards and distance from the base, of one run or as a band over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from emorl_dashboard.figures.lines import beside_upright, upright_line
from emorl_dashboard.figures.palette import Ink, faded, objective_colour, style
from emorl_dashboard.frames.training import AXIS_TITLES, band

_HEIGHT = 260


@dataclass(frozen=True, slots=True)
class Curves:
    """What to draw: rows with ``run``, and the column that they are drawn over."""

    rows: pd.DataFrame
    """From ``frames.training.together``."""
    objectives: Sequence[str]
    over: str
    """A key of ``frames.training.AXIS_TITLES``."""

    @property
    def is_many(self) -> bool:
        """True where there are several runs: their band is drawn in place of one run's."""
        return int(self.rows["run"].nunique()) > 1

    def of(self, adapter: str) -> Curves:
        """Return the rows of one adapter."""
        rows = self.rows[self.rows["adapter"] == adapter]
        return Curves(rows, self.objectives, self.over)


def adapter_curves(curves: Curves, adapter: str, colours: Ink) -> go.Figure:
    """Draw every objective's validation mean while one adapter is trained.

    One run has a band of ± one standard error over prompts; several have their mean, and a band
    from the lowest run to the highest. The adapter's own objective is thick.

    Args:
        curves: Rows of ``frames.training.validation_frame``.
        adapter: Whose rows to draw.
        colours: Inks of the theme.
    """
    own = curves.of(adapter)
    figure = go.Figure()
    for position, name in enumerate(curves.objectives):
        colour = objective_colour(position, colours)
        if own.is_many:
            _add_runs(figure, own, name, name, colour, width=3.5 if name == adapter else 1.5)
        else:
            _add_band(
                figure,
                own.rows[own.over],
                own.rows[name] - own.rows[f"{name}_se"],
                own.rows[name] + own.rows[f"{name}_se"],
                (f"{name} ± se", colour),
            )
    if not own.is_many:
        _add_validations(figure, own, adapter, colours)
    return style(
        figure,
        colours,
        yaxis={"range": [-0.02, 1.05], "dtick": 0.25},
        **_over(curves, adapter),
        **_convergence(own, colours),
    )


def step_curves(curves: Curves, value: str, title: str, colours: Ink) -> go.Figure:
    """Draw a number of every step, one colour per adapter.

    One run shows its steps faint and their running mean strong; several show the mean of their
    running means, and a band from the lowest run to the highest.

    Args:
        curves: Rows of ``frames.training.step_frame``.
        value: ``reward`` or ``kl``.
        title: Title of the axis.
        colours: Inks of the theme.
    """
    figure = go.Figure()
    for position, name in enumerate(curves.objectives):
        colour = objective_colour(position, colours)
        own = curves.of(name)
        if own.rows.empty:
            continue
        if own.is_many:
            _add_runs(figure, own, f"{value}_smooth", name, colour, width=2.5)
        else:
            _add_steps(figure, own, (name, value), colour)
    return style(
        figure,
        colours,
        yaxis={"title": {"text": title}, "rangemode": "tozero"},
        margin={"l": 56},
        **_over(curves, value),
    )


def reward_paths(curves: Curves, adapter: str, colours: Ink) -> go.Figure:
    """Draw what an adapter's own reward did to each other reward while it was trained.

    A line per other objective and run, from a ring (before training) to a dot (now); the way to
    the right and down is own reward bought with the other.

    Args:
        curves: Rows of ``frames.training.validation_frame``.
        adapter: Whose own reward is the x axis.
        colours: Inks of the theme.
    """
    own = curves.of(adapter)
    figure = go.Figure()
    for position, name in enumerate(curves.objectives):
        if name == adapter:
            continue
        for run, rows in own.rows.groupby("run", sort=False):
            _add_path(
                figure, rows, (adapter, name), (str(run), objective_colour(position, colours))
            )
    axis: dict[str, Any] = {"range": [-0.05, 1.05], "dtick": 0.25}
    return style(
        figure,
        colours,
        height=_HEIGHT,
        xaxis=axis | {"title": {"text": f"{adapter} (trained for)"}},
        yaxis=axis | {"title": {"text": "other rewards"}},
        showlegend=False,
        uirevision=f"paths {adapter}",
        margin={"l": 56},
    )


def _add_path(
    figure: go.Figure, rows: pd.DataFrame, names: tuple[str, str], look: tuple[str, str]
) -> None:
    (own, other), (run, colour) = names, look
    symbols = ["circle-open" if place == 0 else "circle" for place in range(len(rows))]
    sizes = [10 if place in (0, len(rows) - 1) else 4 for place in range(len(rows))]
    figure.add_scatter(
        x=rows[own],
        y=rows[other],
        mode="lines+markers",
        name=other,
        line={"color": colour, "width": 1.5},
        marker={"symbol": symbols, "size": sizes, "color": colour},
        customdata=[[run, step] for step in rows["step"]],
        hovertemplate=(
            f"<b>{other} %{{y:.3f}}</b><br>{own} %{{x:.3f}}<br>"
            "%{customdata[0]}, step %{customdata[1]}<extra></extra>"
        ),
    )


def _add_validations(figure: go.Figure, own: Curves, adapter: str, colours: Ink) -> None:
    rows = own.rows
    for position, name in enumerate(own.objectives):
        figure.add_scatter(
            x=rows[own.over],
            y=rows[name],
            mode="lines+markers",
            name=name,
            line={
                "color": objective_colour(position, colours),
                "width": 3.5 if name == adapter else 1.5,
            },
            marker={"size": 7 if name == adapter else 4},
            customdata=rows[[f"{name}_se", "step"]],
            hovertemplate=(
                f"<b>{name} %{{y:.3f}} ± %{{customdata[0]:.3f}}</b><br>"
                f"%{{x:,.0f}} {AXIS_TITLES[own.over]}, step %{{customdata[1]}}<extra></extra>"
            ),
        )


def _add_steps(figure: go.Figure, own: Curves, names: tuple[str, str], colour: str) -> None:
    (adapter, value), rows = names, own.rows
    figure.add_scatter(
        x=rows[own.over],
        y=rows[value],
        mode="lines",
        line={"color": faded(colour, 0.3), "width": 1},
        hoverinfo="skip",
        name=f"{adapter}, each step",
    )
    figure.add_scatter(
        x=rows[own.over],
        y=rows[f"{value}_smooth"],
        mode="lines",
        name=adapter,
        line={"color": colour, "width": 2.5},
        customdata=rows[[value, "step"]],
        hovertemplate=(
            f"<b>{adapter} %{{y:.3f}}</b> (running mean)<br>"
            "this step %{customdata[0]:.3f}<br>"
            f"%{{x:,.0f}} {AXIS_TITLES[own.over]}, step %{{customdata[1]}}<extra></extra>"
        ),
    )


def _add_runs(
    figure: go.Figure, own: Curves, value: str, name: str, colour: str, *, width: float
) -> None:
    found = band(own.rows, own.over, value)
    _add_band(figure, found[own.over], found["low"], found["high"], (f"{name} over runs", colour))
    figure.add_scatter(
        x=found[own.over],
        y=found["mean"],
        mode="lines",
        name=name,
        line={"color": colour, "width": width},
        customdata=found[["low", "high"]],
        hovertemplate=(
            f"<b>{name} %{{y:.3f}}</b> (mean over runs)<br>"
            "%{customdata[0]:.3f} to %{customdata[1]:.3f}<br>"
            f"%{{x:,.0f}} {AXIS_TITLES[own.over]}<extra></extra>"
        ),
    )


def _add_band(
    figure: go.Figure, x: pd.Series, low: pd.Series, high: pd.Series, look: tuple[str, str]
) -> None:
    name, colour = look
    figure.add_scatter(
        x=pd.concat([x, x[::-1]]),
        y=pd.concat([high, low[::-1]]),
        fill="toself",
        fillcolor=faded(colour, 0.18),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name=name,
    )


def _convergence(own: Curves, colours: Ink) -> dict[str, Any]:
    converged = own.rows[own.rows["converged"]]
    places = [float(at) for at in sorted(converged.groupby("run")[own.over].min())]
    line = {"color": colours.muted, "width": 1.5, "dash": "dot"}
    return {
        "shapes": [upright_line(at, line) for at in places],
        # One word for the first of several lines.
        "annotations": [beside_upright(at, "converged", colours.muted) for at in places[:1]],
    }


def _over(curves: Curves, revision: str) -> dict[str, Any]:
    return {
        "height": _HEIGHT,
        "xaxis": {"title": {"text": AXIS_TITLES[curves.over]}, "rangemode": "tozero"},
        "showlegend": False,
        "uirevision": f"{revision} {curves.over}",
    }
