"""How often the 95 % intervals of the Results page hold the truth, over simulated studies.

``python -m tests.benchmarks.coverage`` simulates studies of the paper's shape (640 responses of 5
systems to 2 data sets, 2 annotators) and counts, for every kind of number, the intervals with the
true value inside. Truths come from a formula (means, differences), from the model itself
(strengths of a pairwise study of 3 systems, 60 prompts and 2 annotators) or from the mean of
large studies, 9,600 prompts together (the rest). Wanted: 93 to 97 %.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping

import pandas as pd

from emorl_dashboard.study.analysis.agreement_table import agreement_table
from emorl_dashboard.study.analysis.bradley_terry import TIE, bradley_terry
from emorl_dashboard.study.analysis.cells import resamples_of, study_ratings
from emorl_dashboard.study.analysis.human_automatic import human_automatic
from emorl_dashboard.study.analysis.systems import comparisons, system_means
from tests.support.simulated_studies import (
    SimulatedStudy,
    Truth,
    simulate_preferences,
    simulate_study,
)

Estimates = Mapping[str, tuple[float, float, float]]

PAPER = Truth(criteria=("empathy",))
LARGE = Truth(criteria=("empathy",), n_prompts=400)
N_LARGE = 12
STRENGTHS = {"base": -0.9, "best": 0.8, "single": 0.1}
TIE_ODDS = -0.4


def estimates(study: SimulatedStudy, *, n_resamples: int, seed: int) -> Estimates:
    """Return value, low and high of every kind of number, by name."""
    ratings = study_ratings(study.answers)
    resamples = resamples_of(ratings, n_resamples=n_resamples, seed=seed)
    found = {}
    # One data set would repeat all cells: systems and data sets are left out here.
    whole = ratings.assign(system="all")
    for row in agreement_table(whole, resamples).to_dict("records"):
        if row["data_set"] == "all":
            found[row["coefficient"]] = (row["value"], row["low"], row["high"])
    for row in system_means(ratings, resamples).to_dict("records"):
        if row["data_set"] == "all":
            found[f"mean of {row['system']}"] = (row["mean"], row["mean_low"], row["mean_high"])
    for row in comparisons(ratings, resamples).to_dict("records"):
        if (row["system_a"], row["system_b"]) in {("base", "best"), ("best", "searched")}:
            pair = f"{row['system_a']} - {row['system_b']}"
            ends = (row["difference_low"], row["difference_high"])
            found[f"difference {pair}"] = (row["difference"], *ends)
            found[f"wins {pair}"] = (row["wins"], row["wins_low"], row["wins_high"])
    for row in human_automatic(ratings, study.automatic, resamples).to_dict("records"):
        if row["data_set"] == "all" and row["comparison"] != "automatic vs the others":
            name = f"{row['statistic']}, {row['comparison']}"
            found[name] = (row["value"], row["low"], row["high"])
    return found


def strengths(seed: int, *, n_resamples: int) -> Estimates:
    """Return value, low and high of the strengths of a simulated pairwise study, by name."""
    pairs = simulate_preferences(
        STRENGTHS, TIE_ODDS, n_prompts=60, annotators=("ada", "ben"), seed=seed
    )
    table = bradley_terry(pairs, resamples_of(pairs, n_resamples=n_resamples, seed=seed))
    return {
        f"strength of {row['system']}": (
            row["strength"],
            row["strength_low"],
            row["strength_high"],
        )
        for row in table.to_dict("records")
    }


def truths() -> dict[str, float]:
    """Return the true values: over large studies, and by formula where there is one."""
    large = [
        estimates(simulate_study(LARGE, seed), n_resamples=2, seed=0)
        for seed in range(1_000_000, 1_000_000 + N_LARGE)
    ]
    found = {name: sum(one[name][0] for one in large) / N_LARGE for name in large[0]}
    for system in PAPER.systems:
        found[f"mean of {system}"] = PAPER.mean(system)
    for a, b in (("base", "best"), ("best", "searched")):
        found[f"difference {a} - {b}"] = PAPER.mean(a) - PAPER.mean(b)
    true_strengths = STRENGTHS | {TIE: TIE_ODDS}
    return found | {f"strength of {name}": value for name, value in true_strengths.items()}


def coverage(n_studies: int, n_resamples: int) -> pd.DataFrame:
    """Return per kind of number: its true value, the share of intervals that hold it."""
    true = truths()
    rows = []
    for seed in range(n_studies):
        found = {
            **estimates(simulate_study(PAPER, seed), n_resamples=n_resamples, seed=seed),
            **strengths(seed, n_resamples=n_resamples),
        }
        rows += [
            {"number": name, "holds": low <= true[name] <= high, "width": high - low}
            for name, (_, low, high) in found.items()
        ]
    table = pd.DataFrame(rows).groupby("number", sort=False).mean()
    table.insert(0, "truth", pd.Series(true))
    table["± 2 se"] = 2 * (table["holds"] * (1 - table["holds"]) / n_studies).map(math.sqrt)
    return table.reset_index()


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    start = time.perf_counter()
    table = coverage(options.studies, options.resamples)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(f"{options.studies} studies, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
