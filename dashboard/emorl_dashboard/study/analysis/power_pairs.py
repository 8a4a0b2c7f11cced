"""How small a preference a planned pairwise study can still find."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from emorl.errors import StudyError
from emorl_dashboard.study.analysis.bootstrap import CONFIDENCE, draw_resamples
from emorl_dashboard.study.analysis.latent import PLANNED

Floats = NDArray[np.float32]

TIE_SHARE = 0.25
"""Assumed share of ties between two systems that are equally good."""

_N_HALVINGS = 12
_LARGEST_SHIFT = 6.0
"""In standard deviations of the difference of two impressions: the better one always wins."""


def minimal_detectable_preference(
    *,
    n_items: int,
    n_annotators_per_item: int,
    tie_share: float = TIE_SHARE,
    power: float = 0.8,
    n_simulations: int = 400,
    n_resamples: int = 1000,
    seed: int = 0,
) -> float:
    """Return how often the better of two systems must be preferred for the study to find it.

    Studies of two systems are simulated with the model of ``analysis.latent``: an annotator
    prefers the response that makes the better impression, and calls a tie where the two hardly
    differ. They are judged as the analysis does: by the 95 % BCa interval, over source items, of
    the difference of their strengths (Davidson's model; of two systems, the logarithm of wins
    over losses). Found is a difference whose interval is above 0. The analysis corrects for no
    number of pairs, nor does this; further systems only add to what is known of two.

    Args:
        n_items: Source items (prompts) at which the two are compared; at least 2.
        n_annotators_per_item: Answers to every pair.
        tie_share: Share of ties between equals.
        power: Wanted chance to find the preference, between 0 and 1.
        n_simulations: Simulated studies per candidate.
        n_resamples: Of the bootstrap in each of them.
        seed: Of the simulation; the same arguments give the same answer.

    Returns:
        The share of the preferences (ties aside) that the better system gets, from 0.5 to 1;
        infinite when not even 1 would do.

    Raises:
        StudyError: If an argument is out of range.
    """
    _check(n_items, n_annotators_per_item, tie_share, power)
    random = np.random.default_rng(seed)
    spread = math.sqrt(2 * (PLANNED.response + PLANNED.rater))
    shape = (n_simulations, n_items, n_annotators_per_item)
    luck = random.standard_normal((n_simulations, n_items, 1), dtype=np.float32)
    noise = random.standard_normal(shape, dtype=np.float32)
    impressions = (
        luck * np.float32(math.sqrt(2 * PLANNED.response))
        + noise * np.float32(math.sqrt(2 * PLANNED.rater))
    ) / np.float32(spread)
    edge = float(ndtri((1 + tie_share) / 2))
    names = [str(place) for place in range(n_items)]
    drawn = draw_resamples(names, [""] * n_items, n_resamples=n_resamples, seed=seed)
    counts = drawn.counts.astype(np.float32)

    def found(shift: float) -> float:
        shifted = impressions + np.float32(shift)
        wins = (shifted > edge).sum(axis=2, dtype=np.float32)
        losses = (shifted < -edge).sum(axis=2, dtype=np.float32)
        return float(_is_ahead(wins, losses, counts).mean())

    if found(_LARGEST_SHIFT) < power:
        return math.inf
    low, high = 0.0, _LARGEST_SHIFT
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    won, lost = float(ndtr(high - edge)), float(ndtr(-high - edge))
    return won / (won + lost)


def _is_ahead(wins: Floats, losses: Floats, counts: Floats) -> NDArray[np.bool_]:
    """Tell in which studies the interval of the difference of strengths is above 0.

    Args:
        wins: Of each study and source item, ``(n_studies, n_items)``.
        losses: The same shape.
        counts: How often each resample has each source item, ``(n_resamples, n_items)``.
    """
    won, lost = wins.sum(axis=1), losses.sum(axis=1)
    drawn_won, drawn_lost = counts @ wins.T, counts @ losses.T
    # wins / losses above the estimate's, without dividing by a number of losses that may be 0.
    leads = drawn_won * lost - drawn_lost * won
    below = (leads < 0).mean(axis=0) + (leads == 0).mean(axis=0) / 2
    edge = 0.5 / len(counts)
    bias = ndtri(np.clip(below, edge, 1 - edge))
    shifted = bias + ndtri((1 - CONFIDENCE) / 2)
    share = ndtr(bias + shifted / (1 - _acceleration(wins, losses) * shifted))
    is_ahead = (won > lost) & ((drawn_won <= drawn_lost).mean(axis=0) < share)
    # Who never loses has no interval; then only the signs of the source items count.
    n_signs = (wins > 0).sum(axis=1)
    is_sure = 2 * 0.5**n_signs < 1 - CONFIDENCE
    ahead: NDArray[np.bool_] = np.where(lost > 0, is_ahead, is_sure)
    return ahead


def _acceleration(wins: Floats, losses: Floats) -> NDArray[np.float64]:
    """Return the acceleration of the jackknife over source items, of each study."""
    # Halves keep the logarithm finite where an item left out was the only one lost.
    won = wins.sum(axis=1, keepdims=True) - wins + np.float32(0.5)
    lost = losses.sum(axis=1, keepdims=True) - losses + np.float32(0.5)
    left_out = np.log(won / lost).astype(np.float64)
    pull = left_out.mean(axis=1, keepdims=True) - left_out
    spread = np.maximum((pull**2).sum(axis=1), 1e-12)
    found: NDArray[np.float64] = (pull**3).sum(axis=1) / (6 * spread**1.5)
    return found


def _check(n_items: int, n_annotators_per_item: int, tie_share: float, power: float) -> None:
    if n_items < 2 or n_annotators_per_item < 1:
        raise StudyError(
            f"A comparison needs at least 2 source items and 1 answer each; got {n_items} and "
            f"{n_annotators_per_item}. Plan a larger study."
        )
    if not (0 < power < 1 and 0 <= tie_share < 1):
        raise StudyError(
            f"Power and the share of ties lie between 0 and 1, got {power} and {tie_share}. "
            f"Usual: 0.8 and {TIE_SHARE}."
        )
