"""The headline intervals hold the truth as often as they say, over simulated studies.

A fast, seeded check of means, paired differences and alpha: with 200 studies the share that holds
the truth has a standard error of 1.5 points. ``python -m tests.benchmarks.coverage`` prints the
whole table: every kind of number of the Results page, 1,000 studies of the paper's shape.
"""

from __future__ import annotations

import math
from collections import defaultdict

import pandas as pd
import pytest

from emorl_dashboard.study.agreement import krippendorff_alpha
from emorl_dashboard.study.analysis.agreement_table import agreement_table
from emorl_dashboard.study.analysis.bootstrap import Resamples
from emorl_dashboard.study.analysis.cells import resamples_of, study_ratings
from emorl_dashboard.study.analysis.systems import comparisons, system_means
from tests.support.simulated_studies import Truth, simulate_study

pytestmark = pytest.mark.slow

N_STUDIES = 200
N_PROMPTS = 64
SYSTEMS = {"base": -0.4, "best": 0.4}
MANY = Truth(systems=SYSTEMS, data_sets=("set",), criteria=("c",), n_prompts=N_STUDIES * N_PROMPTS)


@pytest.fixture(scope="module")
def shares() -> dict[str, float]:
    """Return per kind of number the share of studies whose interval holds the truth."""
    ratings = study_ratings(simulate_study(MANY, seed=5).answers)
    wide = ratings.pivot(index="annotator", columns="item_code", values="value").to_numpy()
    truth = {"alpha": krippendorff_alpha(wide, level="ordinal")}
    truth |= {f"mean of {name}": MANY.mean(name) for name in SYSTEMS}
    truth["difference"] = MANY.mean("base") - MANY.mean("best")
    # One large study falls apart into many: their prompts get the same names, and draws.
    place = ratings["prompt_index"] % N_PROMPTS
    renamed = ratings.assign(source_item="set/" + place.astype(str))
    studies = [part for _, part in renamed.groupby(ratings["prompt_index"] // N_PROMPTS)]
    resamples = resamples_of(studies[0], n_resamples=1000)
    holds: dict[str, list[bool]] = defaultdict(list)
    for study in studies:
        found = {"alpha": _alpha(study, resamples)}
        for row in system_means(study, resamples).to_dict("records"):
            found[f"mean of {row['system']}"] = (row["mean_low"], row["mean_high"])
        (pair,) = comparisons(study, resamples).to_dict("records")
        found["difference"] = (pair["difference_low"], pair["difference_high"])
        for name, (low, high) in found.items():
            holds[name].append(low <= truth[name] <= high)
    assert {len(one) for one in holds.values()} == {N_STUDIES}
    return {name: sum(one) / N_STUDIES for name, one in holds.items()}


def _alpha(ratings: pd.DataFrame, resamples: Resamples) -> tuple[float, float]:
    table = agreement_table(ratings.assign(system="all"), resamples)
    (row,) = table[table["coefficient"] == "alpha (ordinal)"].to_dict("records")
    return row["low"], row["high"]


@pytest.mark.parametrize("number", ["mean of base", "mean of best", "difference", "alpha"])
def test_95_of_100_intervals_hold_the_truth(number: str, shares: dict[str, float]) -> None:
    error = math.sqrt(0.95 * 0.05 / N_STUDIES)
    assert shares[number] == pytest.approx(0.95, abs=2.5 * error)
