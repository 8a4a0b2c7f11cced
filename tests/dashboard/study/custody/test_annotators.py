"""Names of annotators: one spelling per person, nothing that could be more than a name."""

from __future__ import annotations

import pytest

from emorl.errors import StudyError
from emorl_dashboard.study.custody.annotators import annotator_id, once_each


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada", "ada"),
        ("  Ada ", "ada"),
        ("Ada Lovelace", "ada-lovelace"),
        ("R2-D2", "r2-d2"),
        ("Zoë", "zoë"),
        ("Zoe\u0308", "zoë"),
        ("李雷", "李雷"),
    ],
)
def test_a_name_is_kept_in_one_spelling(typed: str, kept: str) -> None:
    assert annotator_id(typed) == kept
    assert annotator_id(kept) == kept


@pytest.mark.parametrize(
    "typed", ["", "   ", "-ada", "_x", "a" * 41, "<b>", "a/b", "a'b", "a\x00b", "\u202eada", "a:b"]
)
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(StudyError, match="A name has 1 to 40 letters"):
        annotator_id(typed)


@pytest.mark.parametrize("typed", ["all", " ALL ", "\uff21ll"])
def test_the_word_for_everybody_is_nobodys_name(typed: str) -> None:
    with pytest.raises(StudyError, match="Nobody can be called 'all'"):
        annotator_id(typed)


def test_people_named_twice_are_taken_once_in_their_order() -> None:
    assert once_each(["bob", "Ada ", "ada", "BOB"]) == ("bob", "ada")
