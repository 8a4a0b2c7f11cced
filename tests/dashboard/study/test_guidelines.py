"""The shipped texts, and objectives that have none."""

from __future__ import annotations

import pytest

from dashboard.study.guidelines import Criterion, Level, guidelines_for
from engine.errors import StudyError


@pytest.mark.parametrize("name", ["reflection", "empathy", "fluency"])
def test_each_objective_of_the_paper_has_a_scale_from_0_to_2_with_texts_of_its_own(
    name: str,
) -> None:
    (criterion,) = guidelines_for([name]).criteria
    assert [level.value for level in criterion.levels] == [0, 1, 2]
    assert len({level.label for level in criterion.levels}) == 3
    assert all(level.description and level.example for level in criterion.levels)


def test_criteria_come_in_the_order_of_the_objectives() -> None:
    names = [criterion.name for criterion in guidelines_for(["fluency", "empathy"]).criteria]
    assert names == ["fluency", "empathy"]


def test_an_objective_without_texts_gets_generic_ones_that_name_it() -> None:
    (criterion,) = guidelines_for(["politeness"]).criteria
    assert "politeness" in criterion.question
    assert [level.value for level in criterion.levels] == [0, 1, 2]


def test_a_value_means_what_its_level_says() -> None:
    (criterion,) = guidelines_for(["reflection"]).criteria
    assert [criterion.label(value) for value in (0, 1, 2)] == ["None", "Simple", "Complex"]


@pytest.mark.parametrize("values", [[0], [0, 2], [2, 1, 0], [0, 0, 1]])
def test_levels_that_are_no_scale_are_refused(values: list[int]) -> None:
    levels = tuple(Level(value=value, label="x", description="x") for value in values)
    with pytest.raises(StudyError, match="rising by one"):
        Criterion(name="x", question="?", levels=levels)
