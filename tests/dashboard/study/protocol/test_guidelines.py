"""The shipped texts, and objectives that have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.protocol.guidelines import (
    Criterion,
    Level,
    criteria_of,
    guidelines_for,
    read_guidelines,
)


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


LEVELS = """levels = [
    {value = 0, label = "no", description = "", example = ""},
    {value = 1, label = "yes", description = "", example = ""},
]"""
TONE = f'[[criteria]]\nname = "tone"\nquestion = "Kind?"\n{LEVELS}\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("criteria = []\n", "at least one criterion"),
        (TONE + TONE, "'tone' stands there more than once"),
        ("version = 2\n" + TONE, "version of guidelines must be a text, got 2"),
        ("text = 2\n" + TONE, "text of guidelines must be a text, got 2"),
        (TONE.replace('"tone"', "1"), "name of a criterion must be a text, got 1"),
        (TONE.replace('"tone"', '"all"'), "a name other than 'all'"),
        (TONE.replace('"yes"', '""'), "label of a level must be a text"),
        (TONE.replace("value = 1", "value = 1.0"), "must be a whole number, got 1.0"),
    ],
)
def test_a_file_of_guidelines_that_no_page_could_show_is_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StudyError, match=said):
        read_guidelines(path, guidelines_for(["empathy"]))


def test_a_file_of_guidelines_with_one_question_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('version = "2"\n' + TONE, encoding="utf-8")
    found = read_guidelines(path, guidelines_for(["empathy"]))
    assert (found.version, [one.name for one in found.criteria]) == ("2", ["tone"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "1", 0.5])
def test_a_level_without_a_whole_number_is_refused(value: object) -> None:
    row = {"criterion": "tone", "question": "Kind?", "value": value, "label": "yes"}
    with pytest.raises(StudyError, match="a whole number as value"):
        criteria_of([row])
