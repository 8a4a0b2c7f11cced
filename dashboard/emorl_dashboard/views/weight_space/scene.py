"""What all views of one drawing of the page share."""

from __future__ import annotations

from dataclasses import dataclass

from emorl.records import Weights
from emorl_dashboard.data import reward_field as landscape
from emorl_dashboard.data.queries import Frame, Run
from emorl_dashboard.data.reward_field import Shown
from emorl_dashboard.figures.palette import Ink
from emorl_dashboard.frames import filters as filter_frames
from emorl_dashboard.frames import proof, weight_space
from emorl_dashboard.frames.filters import Filters
from emorl_dashboard.frames.weight_space import Point
from emorl_dashboard.widgets import controls


@dataclass(frozen=True, slots=True)
class Choice:
    """What the controls say."""

    value: str
    filters: Filters
    is_stretched: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """Run, filtered points, selection and looks."""

    run: Run
    points: Frame
    """Evaluations that pass the filters."""
    all_points: Frame
    shown: Shown
    value_range: tuple[float, float]
    selected: Weights | None
    point: Point | None
    """The selected direction with its scores, else the nearest, else the best."""
    is_exact: bool
    """Whether ``point`` is at ``selected`` itself."""
    ink: Ink
    is_phone: bool

    @property
    def value(self) -> str:
        """The score that colours all views."""
        return self.shown.value

    @property
    def at(self) -> Weights:
        """The direction that slices and lines go through."""
        if self.selected is not None and any(self.selected):
            return self.selected
        return self.point.weights if self.point else (1.0,) * len(self.run.objectives)

    def name(self, view: str) -> str:
        """Return the beginning of the names of a view's files."""
        return f"{self.run.run_id}-{view}"


def make_scene(run: Run, frame: Frame, selected: Weights | None, choice: Choice) -> Scene:
    """Apply the filters, and find what is selected."""
    points = filter_frames.shown_points(frame, choice.filters)
    # What is selected may lie outside the filters; the best is the best of what is shown.
    point = weight_space.point_or_best(
        points if selected is None else frame, selected, run.objectives
    )
    is_exact = weight_space.is_at(point, selected)
    if selected is not None and not is_exact:
        field = landscape.reward_field(run)
        known = proof.looked_up(field, selected) if field is not None else None
        if known is not None:
            point, is_exact = known, True
    return Scene(
        run=run,
        points=points,
        all_points=frame,
        shown=Shown(choice.value, choice.filters),
        value_range=weight_space.value_range(
            points if choice.is_stretched else frame, choice.value
        ),
        selected=selected,
        point=point,
        is_exact=is_exact,
        ink=controls.theme_ink(),
        is_phone=controls.is_phone(),
    )


def words(value: str) -> str:
    """Write the name of a score for people."""
    return value.replace("_", " ")
