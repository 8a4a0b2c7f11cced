"""The Results page, run in process: locked and open studies, few ratings, bad URLs."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from emorl_dashboard.study.custody.unblinding import log_path, unblind
from emorl_dashboard.study.protocol.guidelines import guidelines_for
from emorl_dashboard.study.protocol.plan import PlanItem, PlanSystem, StudyPlan, write_plan
from tests.dashboard.study.analysis.studies import plan_for, write_ratings, write_study
from tests.dashboard.test_pages import said
from tests.support.simulated_studies import Truth, simulate_preferences, simulate_study

pytestmark = pytest.mark.slow

TINY = Truth(
    systems={"secret-one": -0.5, "secret-two": 0.5},
    criteria=("empathy",),
    n_prompts=8,
    n_gold=3,
    n_repeats=3,
)


def run_page(study: str = "") -> AppTest:
    def script() -> None:
        from emorl_dashboard.views import results

        results.render()

    page = AppTest.from_function(script, default_timeout=60)
    if study:
        page.query_params["study"] = study
    return page.run()


def shown(page: AppTest) -> str:
    """Everything the page holds: its words, tables and charts."""
    charts = [str(chart.proto) for chart in page.get("plotly_chart")]
    frames = [table.value.to_string() for table in page.dataframe]
    return "\n".join([said(page), *charts, *frames])


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMORL_ARTIFACTS", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("artifacts")
def test_without_a_study_the_page_names_the_next_command() -> None:
    page = run_page()
    assert not page.exception
    assert "emorl study create" in said(page)


def test_an_unblinded_study_shows_systems_with_their_intervals(artifacts: Path) -> None:
    write_study(artifacts, TINY, study_id="done")
    page = run_page()
    assert not page.exception
    told = shown(page)
    for heading in (
        "Coverage and pace",
        "Agreement of annotators",
        "Systems",
        "Items",
        "Guess the system",
    ):
        assert heading in told
    assert "secret-two" in told
    assert "2,000 resamples, seed 0" in told
    assert "Download the study (ZIP)" in str(page.get("download_button"))
    # The texts of the first item are there, as text: their marks are letters.
    assert "<b>with</b> *marks*" in told


def test_before_unblinding_no_system_is_told_and_the_page_says_how_to_go_on(
    artifacts: Path,
) -> None:
    write_study(artifacts, TINY, study_id="blind", is_unblinded=False)
    page = run_page()
    assert not page.exception
    told = shown(page)
    assert "secret" not in told
    assert "System A" in told
    assert "emorl study unblind blind" in told
    for later in ("Differences at the same", "Ratings over", "Download the", "Guess the system"):
        assert later not in told
    assert "empathy" in told  # agreement and coverage are there


def test_a_changed_log_is_said_and_closes_no_results(artifacts: Path) -> None:
    write_study(artifacts, TINY, study_id="done")
    path = log_path(artifacts, "done")
    path.write_text(path.read_text("utf-8").replace("unblinded", "opened"), "utf-8")
    page = run_page()
    assert "changed by hand. Its first 2 entries are not those" in page.warning[0].value
    assert "secret-two" in shown(page)


def test_one_annotator_gets_sentences_and_no_agreement(artifacts: Path) -> None:
    one = Truth(systems=TINY.systems, criteria=("empathy",), n_prompts=8, annotators=("ada",))
    write_study(artifacts, one, study_id="solo")
    page = run_page("solo")
    assert not page.exception
    assert "One annotator alone has rated" in shown(page)


def test_a_study_without_ratings_is_told(artifacts: Path) -> None:
    answers = simulate_study(TINY, 0).answers
    write_plan(artifacts, plan_for(answers, study_id="fresh"))
    page = run_page("fresh")
    assert not page.exception
    assert "Nobody has rated yet" in said(page)


def test_a_pairwise_study_shows_strengths(artifacts: Path) -> None:
    pairs = simulate_preferences(
        {"base": -0.6, "best": 0.6}, -0.5, n_prompts=15, annotators=("ada", "ben"), seed=0
    )
    once = pairs.drop_duplicates("item_code").sort_values("item_code")
    plan = StudyPlan(
        study_id="pairs",
        run_id="",
        created_at="2030-01-01T00:00:00+00:00",
        seed="seed",
        mode="pairwise",
        guidelines=guidelines_for(("overall",)),
        items=tuple(
            PlanItem(
                code=row["item_code"],
                prompt_index=row["prompt_index"],
                prompt="Prompt",
                response="First text",
                response_sha256="",
                systems=(row["system_a"],),
                other_response="Second text",
                other_systems=(row["system_b"],),
                data_set="set",
            )
            for row in once.to_dict("records")
        ),
        systems=tuple(PlanSystem(name=name, origin="file") for name in ("base", "best")),
    )
    write_plan(artifacts, plan)
    values = pairs["preference"].map({"a": -1, "tie": 0, "b": 1})
    current = pairs.assign(value=values, is_skipped=False, scale_minimum=-1, scale_maximum=1)
    write_ratings(artifacts, "pairs", current)
    locked = run_page("pairs")
    assert not locked.exception
    told = shown(locked)
    for word in ("shown first", "shown second", "Which side each annotator prefers"):
        assert word in told
    for word in ("stricter", "rated -1", "uses the scale", "base", "best"):
        assert word not in told
    unblind(artifacts, "pairs", by="owner", reason="test")
    page = run_page("pairs")
    assert not page.exception
    told = shown(page)
    assert "Systems by preference" in told
    assert "Second text" in told


@pytest.mark.parametrize("name", ["absent", "../../etc", "<script>", "x" * 5000])
def test_a_bad_study_in_the_url_is_answered_in_words(name: str, artifacts: Path) -> None:
    write_study(artifacts, TINY, study_id="blind", is_unblinded=False)
    page = run_page(name)
    assert not page.exception
    assert "The URL names no sealed study" in page.error[0].value


def test_damaged_ratings_are_told(artifacts: Path) -> None:
    write_study(artifacts, TINY, study_id="broken")
    path = artifacts / "studies" / "broken" / "published" / "current_ratings.parquet"
    path.write_bytes(b"no parquet")
    page = run_page("broken")
    assert not page.exception
    assert "Cannot read" in said(page)
