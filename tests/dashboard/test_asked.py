"""What the URL asks of controls: told if it does not fit, dropped if a run left it behind."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.dashboard.test_pages import run_page

pytestmark = pytest.mark.slow


def errors(page: AppTest) -> str:
    assert not page.exception
    return " ".join(error.value for error in page.error).replace("\\", "")


def pick(page: AppTest, run: str) -> None:
    page.selectbox(key="run picker").set_value(run).run()
    assert not page.exception
    assert page.query_params["run"] == run


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("page", "control", "text"),
    [
        ("weight_space", "view", "Slices"),
        ("weight_space", "colour", "humour"),
        ("weight_space", "round", "99"),
        ("weight_space", "round", "abc"),
        ("weight_space", "kind", "foo"),
        ("weight_space", "least-mean_reward", "7"),
        ("overview", "compare", "nosuch"),
        ("overview", "decoding", "foo"),
        ("training", "adapter", "<script>"),
        ("training", "over", "foo"),
        ("atlas", "cells", "x" * 5000),
        ("compare", "numbers", "foo"),
        ("compare", "reference", "foo"),
        ("compare", "runs", "nosuch"),
    ],
)
def test_what_an_address_asks_in_vain_is_told_and_not_handed_on(
    page: str, control: str, text: str
) -> None:
    shown = run_page(page, run="finished", **{control: text})
    assert f"asks for the {control} “{text[:60]}”" in errors(shown)
    assert len(errors(shown)) < 500
    assert text not in shown.query_params.get(control, [])


@pytest.mark.usefixtures("served")
def test_what_an_address_asks_in_vain_does_not_hide_what_fits() -> None:
    page = run_page("overview", run="finished", compare=["died", "nosuch"])
    assert "“nosuch”" in errors(page)
    assert page.multiselect(key="compare").value == ["died"]


@pytest.mark.usefixtures("served")
def test_axes_of_another_run_in_an_address_are_told() -> None:
    page = run_page("weight_space", run="finished", view="Trade-off", x="warmth", y="fluency")
    assert "asks for the x “warmth”" in errors(page)
    assert page.selectbox(key="y").value == "fluency"


@pytest.mark.usefixtures("served")
def test_what_the_run_before_left_behind_is_dropped_without_a_word() -> None:
    asked: dict[str, str | list[str]] = {"view": ["Triangle", "Trade-off"], "colour": "fluency"}
    page = run_page("weight_space", run="finished", round="5", x="fluency", **asked)
    assert not errors(page)
    pick(page, "two-objectives")
    assert not errors(page)
    assert page.button_group(key="view").value == ["Trade-off"]
    assert page.selectbox(key="colour").value == "mean_reward"
    assert page.selectbox(key="x").value == "warmth"
    assert {"colour", "x"}.isdisjoint(page.query_params)
    assert page.query_params["view"] == "Trade-off"
    # Nor does it come back with the next step.
    assert not errors(page.run())


@pytest.mark.usefixtures("served")
def test_a_comparison_is_chosen_anew_for_another_run_unless_it_was_chosen_by_hand() -> None:
    page = run_page("overview", run="finished")
    assert page.multiselect(key="compare").value[0] == "finished"
    pick(page, "two-objectives")
    assert page.multiselect(key="compare").value[0] == "two-objectives"
    page.multiselect(key="compare").set_value(["died", "two-objectives"]).run()
    pick(page, "finished")
    assert page.multiselect(key="compare").value == ["died", "two-objectives"]


def choices(run: str, options: list[str], default: list[str], **query: str) -> AppTest:
    """A page with one control of several choices, of runs that offer what they like."""

    def script() -> None:
        import streamlit as st

        from emorl_dashboard.state import url as asked

        run, options, default = st.session_state["offer"]
        asked.several(run, "choice", options, default=default)
        st.multiselect("Choice", options, default, key="choice", bind="query-params")

    page = AppTest.from_function(script)
    page.query_params.update(query)
    return offer(page, run, options, default)


def offer(page: AppTest, run: str, options: list[str], default: list[str]) -> AppTest:
    page.session_state["offer"] = (run, options, default)
    page.run()
    assert not page.exception
    return page


def chosen(page: AppTest) -> list[str]:
    value: list[str] = page.multiselect(key="choice").value
    return value


def test_what_a_run_began_with_is_no_choice_of_the_users() -> None:
    # Every search of one run is chosen at first; of the next run every search is, too.
    page = choices("one", ["grid", "random"], ["grid", "random"])
    offer(page, "two", ["grid", "bayes"], ["grid", "bayes"])
    assert chosen(page) == ["grid", "bayes"]
    # No option in common.
    offer(page, "three", ["a", "b"], ["b"])
    assert chosen(page) == ["b"]
    # More is offered meanwhile: that makes no choice of the user's either.
    offer(page, "three", ["a", "b", "c"], ["b", "c"])
    assert chosen(page) == ["b"]
    offer(page, "one", ["grid", "random"], ["grid", "random"])
    assert chosen(page) == ["grid", "random"]
    assert not page.error


def test_of_a_choice_by_hand_another_run_keeps_what_it_offers_or_begins_anew() -> None:
    page = choices("one", ["a", "b", "c"], ["a"])
    page.multiselect(key="choice").set_value(["b", "c"]).run()
    offer(page, "two", ["b", "d"], ["d"])
    assert chosen(page) == ["b"]
    offer(page, "three", ["e", "f"], ["f"])
    assert chosen(page) == ["f"]
    assert not page.error


def test_a_choice_that_was_emptied_stays_empty() -> None:
    page = choices("one", ["a", "b"], ["a"])
    page.multiselect(key="choice").set_value([]).run()
    assert chosen(page) == []
    assert chosen(choices("one", ["a", "b"], ["a"], choice="")) == []


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("page", "control"),
    [
        ("training", "over"),
        ("training", "adapter"),
        ("overview", "decoding"),
        ("compare", "numbers"),
        ("weight_space", "colour"),
        ("weight_space", "round"),
    ],
)
def test_an_empty_value_in_an_address_is_no_value(page: str, control: str) -> None:
    shown = run_page(page, run="finished", **{control: ""})
    assert not errors(shown)
    assert control not in shown.query_params
    assert len(shown.main) > 5
