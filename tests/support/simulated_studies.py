"""Studies made by a formula, whose truth is known: to test the analysis against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.latent import PLANNED, Variances, expected_rating, to_levels

Floats = NDArray[np.float64]

PAPER_SYSTEMS = {"base": -0.5, "single": -0.1, "uniform": 0.0, "searched": 0.35, "best": 0.4}
"""Mean impressions of five systems, in standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a simulated study is about; its defaults are the paper's shape: 640 generations."""

    systems: Mapping[str, float] = field(default_factory=lambda: dict(PAPER_SYSTEMS))
    """Mean impression of each system."""
    data_sets: Sequence[str] = ("PAIR", "Psych8k")
    n_prompts: int = 64
    """In each data set."""
    annotators: Sequence[str] = ("ada", "ben")
    criteria: Sequence[str] = ("reflection", "empathy", "fluency")
    n_levels: int = 3
    variances: Variances = PLANNED
    severity: float = 0.0
    """How much lower the last annotator rates than the first, the others between."""
    fatigue: float = 0.0
    """By how much impressions fall from the first to the last position."""
    automatic_noise: float = 0.7
    """Standard deviation of an automatic score around the quality that people see."""
    n_gold: int = 0
    """Damaged copies of responses."""
    damage: float = 1.5
    """How much worse a damaged copy is."""
    n_repeats: int = 0
    """Responses shown twice."""

    def mean(self, system: str) -> float:
        """Return the mean rating of a system when all annotators are alike and do not tire."""
        return expected_rating(self.systems[system], self.n_levels)


@dataclass(frozen=True, slots=True)
class SimulatedStudy:
    """Answers as ``study.answers.answer_frame`` gives them, and automatic scores."""

    answers: pd.DataFrame
    automatic: pd.DataFrame
    """Columns source_item, system, criterion, score."""


def simulate_study(truth: Truth, seed: int) -> SimulatedStudy:
    """Simulate all ratings of a study with every annotator rating every response."""
    random = np.random.default_rng(seed)
    originals = _responses(truth)
    responses = pd.concat([originals, *_copies(truth, originals, random)], ignore_index=True)
    parts, scores = [], []
    positions = {
        annotator: random.permutation(len(responses)) + 1 for annotator in truth.annotators
    }
    for criterion in truth.criteria:
        of_originals = _quality(truth, originals, random)
        noise = truth.automatic_noise * random.standard_normal(len(originals))
        scores.append(
            originals[["source_item", "system"]].assign(
                criterion=criterion, score=1 / (1 + np.exp(-(of_originals + noise)))
            )
        )
        quality = _with_copies(truth, originals, responses, of_originals)
        for annotator, position in positions.items():
            impressions = quality + _of_annotator(truth, annotator, position, random)
            parts.append(
                responses.assign(
                    annotator=annotator,
                    criterion=criterion,
                    value=to_levels(impressions, truth.n_levels),
                    position=position,
                    seconds=np.round(random.lognormal(2.5, 0.4, len(responses)), 1),
                    stored_at=_times(position),
                )
            )
    answers = pd.concat(parts, ignore_index=True).assign(
        scale_minimum=0, scale_maximum=truth.n_levels - 1, is_skipped=False
    )
    return SimulatedStudy(answers, pd.concat(scores, ignore_index=True))


def _responses(truth: Truth) -> pd.DataFrame:
    rows = [
        {
            "item_code": f"item{data_set}{prompt:04d}{system}",
            "kind": "rating",
            "copy_of": "",
            "data_set": data_set,
            "prompt_index": prompt,
            "source_item": f"{data_set}/{prompt}",
            "system": system,
        }
        for data_set in truth.data_sets
        for prompt in range(truth.n_prompts)
        for system in truth.systems
    ]
    return pd.DataFrame(rows)


def _copies(
    truth: Truth, originals: pd.DataFrame, random: np.random.Generator
) -> list[pd.DataFrame]:
    """Return damaged and repeated items, each of its own response."""
    chosen = random.choice(len(originals), truth.n_gold + truth.n_repeats, replace=False)
    parts = []
    for kind, places in (("gold", chosen[: truth.n_gold]), ("repeat", chosen[truth.n_gold :])):
        copies = originals.iloc[places]
        parts.append(
            copies.assign(
                kind=kind, copy_of=copies["item_code"], item_code=kind + copies["item_code"]
            )
        )
    return parts


def _with_copies(
    truth: Truth, originals: pd.DataFrame, responses: pd.DataFrame, quality: Floats
) -> Floats:
    """Return the quality of all items: a copy's is its original's, less the damage."""
    of_code = dict(zip(originals["item_code"], quality.tolist(), strict=True))
    code = responses["copy_of"].where(responses["copy_of"] != "", responses["item_code"])
    damaged: Floats = code.map(of_code).to_numpy() - truth.damage * (responses["kind"] == "gold")
    return np.asarray(damaged, dtype=np.float64)


def _quality(truth: Truth, responses: pd.DataFrame, random: np.random.Generator) -> Floats:
    """Draw what all annotators see in each response: its system, its prompt and its luck."""
    codes, names = pd.factorize(responses["source_item"])
    prompts = math.sqrt(truth.variances.prompt) * random.standard_normal(len(names))
    luck = math.sqrt(truth.variances.response) * random.standard_normal(len(responses))
    quality: Floats = responses["system"].map(truth.systems).to_numpy() + prompts[codes] + luck
    return quality


def _of_annotator(
    truth: Truth, annotator: str, position: NDArray[np.int64], random: np.random.Generator
) -> Floats:
    place = list(truth.annotators).index(annotator)
    last = max(1, len(truth.annotators) - 1)
    noise = math.sqrt(truth.variances.rater) * random.standard_normal(len(position))
    tired = truth.fatigue * (position - 1) / max(1, len(position) - 1)
    impression: Floats = noise - truth.severity * place / last - tired
    return impression


def _times(position: NDArray[np.int64]) -> list[datetime]:
    start = datetime(2030, 1, 1, 9)  # UTC, as the store keeps it
    return [start + timedelta(seconds=15 * int(place)) for place in position]


def simulate_preferences(
    strengths: Mapping[str, float],
    tie: float,
    *,
    n_prompts: int,
    annotators: Sequence[str],
    seed: int,
) -> pd.DataFrame:
    """Simulate pairwise answers by Davidson's model, as ``study.answers.pair_frame`` gives them.

    Args:
        strengths: Log strength of each system.
        tie: Log odds of a tie between equals.
        n_prompts: Each annotator compares every pair of systems at each prompt.
        annotators: Their names.
        seed: Of the simulation.
    """
    random, shown = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    rows: list[dict[str, object]] = []
    for prompt in range(n_prompts):
        for place, (a, b) in enumerate(combinations(strengths, 2)):
            utilities = np.array(
                [strengths[a], strengths[b], tie + (strengths[a] + strengths[b]) / 2]
            )
            chances = np.exp(utilities) / np.exp(utilities).sum()
            rows += [
                {
                    "item_code": f"pair{prompt:04d}{place}",
                    "kind": "rating",
                    "copy_of": "",
                    "data_set": "set",
                    "prompt_index": prompt,
                    "source_item": f"set/{prompt}",
                    "system_a": a,
                    "system_b": b,
                    "annotator": annotator,
                    "criterion": "overall",
                    "preference": ("a", "b", "tie")[int(random.choice(3, p=chances))],
                    "shown_first": "ab"[int(shown.integers(2))],
                    "position": len(rows) + 1,
                    "seconds": 10.0,
                    "stored_at": datetime(2030, 1, 1),
                }
                for annotator in annotators
            ]
    return pd.DataFrame(rows)
