"""Guess the system: how well texts alone betray which system wrote them.

A classifier that knows nothing but letters guesses the system of every response, having read the
responses to *other* prompts only. What it can tell, an annotator can learn; what it cannot, an
annotator may still notice. It says how far the blinding could hold, not whether it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from emorl_dashboard.study.analysis.bootstrap import (
    N_RESAMPLES,
    Estimate,
    Resamples,
    draw_resamples,
    estimate,
    undefined,
)
from emorl_dashboard.study.analysis.cells import ALL
from emorl_dashboard.study.analysis.coefficients import ratio

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

COLUMNS = (
    "data_set",
    "system",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "chance",
    "p_value",
    "taken_for",
    "n_texts",
    "n_items",
    "note",
)

N_FOLDS = 5
N_PERMUTATIONS = 199
SIGNIFICANCE = 0.05
_MOST_NAMED = 3
_MOSTLY = 0.5
"""Of the way from chance to certainty."""
_LONGEST_GRAM = 4
_MOST_GRAMS = 5000
_SMOOTHING = 0.5
_EQUAL_DIGITS = 9
"""Likelihoods that differ by less are equal: the guess must not hang on the last bit."""


@dataclass(frozen=True, slots=True)
class _Guessed:
    """Guesses for the texts of one data set, and for the same texts under shuffled names."""

    rows: pd.DataFrame
    """Columns source_item, data_set, system, guess."""
    is_right: NDArray[np.bool_]
    """``(1 + n_permutations, n_texts)``: the true names first."""
    truth: Places
    """System of each text in each permutation, ``(1 + n_permutations, n_texts)``."""
    chance: Floats
    """How likely a guess without looking is right, ``(n_texts,)``."""
    names: list[str]


def identification(
    texts: pd.DataFrame,
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    n_permutations: int = N_PERMUTATIONS,
) -> pd.DataFrame:
    """Return how often the system of a text is guessed from its letters, with ``COLUMNS``.

    Each data set has a classifier of its own: multinomial naive Bayes over which character
    n-grams a text has, with all systems alike likely, trained on four fifths of the prompts and
    asked about the others. Rows with the system ``all`` are about all texts, the others about the
    texts of one system; ``taken_for`` is the most frequent wrong guess. Where several systems
    gave a prompt the very same text, each of them is a right guess. ``p_value`` is the share
    of shuffles of systems' names within every prompt that are guessed as well or better.

    Args:
        texts: Columns source_item, data_set, system, text: every response of the study.
        n_resamples: Of the bootstrap over source items, for the intervals.
        seed: Of folds, shuffles and bootstrap.
        n_permutations: Shuffles; 199 can find p-values down to 0.005.
    """
    unique = texts.drop_duplicates().sort_values(["data_set", "source_item", "system", "text"])
    once = unique.drop_duplicates("source_item")
    resamples = draw_resamples(
        once["source_item"].tolist(),
        once["data_set"].tolist(),
        n_resamples=n_resamples,
        seed=seed,
    )
    guessed = []
    rows: list[dict[str, object]] = []
    for data_set, part in unique.groupby("data_set", sort=True):
        note = _too_little(part)
        if note:
            rows.append(_row(str(data_set), ALL, undefined(note), len(part)))
            continue
        found = _guess(part.reset_index(drop=True), seed, n_permutations)
        guessed.append(found)
        rows += _rows(str(data_set), [found], resamples)
    if unique["data_set"].nunique() > 1:
        rows = _rows(ALL, guessed, resamples) + rows
    return pd.DataFrame(rows, columns=list(COLUMNS))


def verdict(table: pd.DataFrame, data_set: str, name: Callable[[str], str]) -> str:
    """Say in words how well systems were guessed, and what that means for the blinding.

    Args:
        table: From ``identification``.
        data_set: Which rows.
        name: What to call a system.
    """
    part = table[table["data_set"] == data_set]
    (whole,) = part[part["system"] == ALL].to_dict("records")
    if not np.isfinite(whole["accuracy"]):
        return str(whole["note"])
    told = (
        f"Guessed right: {whole['accuracy']:.0%} of {whole['n_texts']} texts; chance is "
        f"{whole['chance']:.0%} (p = {whole['p_value']:.3f}). "
    ).replace("%", " %")
    if whole["p_value"] >= SIGNIFICANCE:
        return told + "No sign that letters and wording give the systems away."
    known = part[(part["p_value"] < SIGNIFICANCE) & (part["system"] != ALL)]
    best = known.sort_values("accuracy", ascending=False, kind="stable").head(_MOST_NAMED)
    if not best.empty:
        shares = (
            f"{name(row['system'])} ({100 * row['accuracy']:.0f} %)"
            for row in best.to_dict("records")
        )
        told += f"Told apart best: {', '.join(shares)}. "
    above_chance = (whole["accuracy"] - whole["chance"]) / (1 - whole["chance"])
    extent = "for the most part" if above_chance >= _MOSTLY else "in part"
    return told + (
        f"Texts betray their system {extent}. The ratings are not void, but whoever has learnt "
        "the habits of a system rates it no longer blind."
    )


def _too_little(part: pd.DataFrame) -> str:
    if part["system"].nunique() < 2:
        return "One system alone: there is nothing to guess."
    if part["source_item"].nunique() < N_FOLDS:
        return f"Fewer than {N_FOLDS} prompts: too few to learn from some and guess the others."
    if part.groupby("source_item")["text"].nunique().eq(1).all():
        return "All systems gave the same texts: there is nothing to guess."
    return ""


def _guess(rows: pd.DataFrame, seed: int, n_permutations: int) -> _Guessed:
    names = sorted(rows["system"].unique())
    truth = np.searchsorted(names, rows["system"].to_numpy().astype(str)).astype(np.intp)
    items = np.unique(rows["source_item"].to_numpy().astype(str), return_inverse=True)[1]
    random = np.random.default_rng(seed)
    folds = (random.permutation(items.max() + 1) % N_FOLDS)[items]
    shuffled = np.stack([truth, *(_shuffle(truth, items, random) for _ in range(n_permutations))])
    grams = _grams(rows["text"].tolist())
    guesses = np.empty_like(shuffled)
    for fold in range(N_FOLDS):
        asked = folds == fold
        known, unknown = grams[np.flatnonzero(~asked)], grams[np.flatnonzero(asked)]
        for place, labels in enumerate(shuffled):
            guesses[place, asked] = _classify(known, labels[~asked], unknown, len(names))
    table = rows.drop(columns="text").assign(guess=[names[place] for place in guesses[0]])
    text_of = rows.groupby(["source_item", "text"], sort=False).ngroup().to_numpy().astype(np.intp)
    is_right = np.stack(
        [
            _who_wrote(text_of, labels, len(names))[text_of, guess]
            for labels, guess in zip(shuffled, guesses, strict=True)
        ]
    )
    chance = _who_wrote(text_of, truth, len(names))[text_of].mean(axis=1)
    return _Guessed(table, is_right, shuffled, chance, names)


def _who_wrote(text_of: Places, labels: Places, n_names: int) -> NDArray[np.bool_]:
    """Return which systems gave each text of a prompt, ``(n_distinct_texts, n_names)``."""
    found = np.zeros((text_of.max() + 1, n_names), dtype=bool)
    found[text_of, labels] = True
    return found


def _shuffle(truth: Places, items: Places, random: np.random.Generator) -> Places:
    """Deal out the names anew among the texts of each prompt."""
    order = np.lexsort((random.random(len(truth)), items))
    sorted_ = np.argsort(items, kind="stable")
    dealt = np.empty_like(truth)
    dealt[sorted_] = truth[order]
    return dealt


def _grams(texts: list[str]) -> csr_matrix:
    """Return which character n-grams each text has, those of a single text left out."""
    # Start and end are letters too: how texts begin and end is a habit.
    marked = [f"\x02{' '.join(text.split())}\x03" for text in texts]
    found = [
        sorted({text[at : at + n] for n in range(1, _LONGEST_GRAM + 1) for at in range(len(text))})
        for text in marked
    ]
    counts = Counter(gram for grams in found for gram in grams)
    often = sorted(
        (gram for gram, n in counts.items() if n > 1), key=lambda gram: (-counts[gram], gram)
    )
    column = {gram: place for place, gram in enumerate(often[:_MOST_GRAMS])}
    pairs = [
        (row, column[gram]) for row, own in enumerate(found) for gram in own if gram in column
    ]
    where = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
    shape = (len(texts), max(1, len(column)))
    return csr_matrix((np.ones(len(where)), (where[:, 0], where[:, 1])), shape=shape)


def _classify(known: csr_matrix, labels: Places, unknown: csr_matrix, n_names: int) -> Places:
    has_name = np.eye(n_names)[labels]
    counts = np.asarray(known.T @ has_name) + _SMOOTHING
    likelihoods = np.asarray(unknown @ np.log(counts / counts.sum(axis=0)))
    return np.asarray(np.argmax(np.round(likelihoods, _EQUAL_DIGITS), axis=1), dtype=np.intp)


def _rows(data_set: str, parts: list[_Guessed], resamples: Resamples) -> list[dict[str, object]]:
    """Return the row of all systems, then one per system."""
    if not parts:
        return []
    rows = pd.concat([part.rows for part in parts], ignore_index=True)
    is_right = np.concatenate([part.is_right for part in parts], axis=1)
    chance = np.concatenate([part.chance for part in parts])
    found = [_told(data_set, ALL, rows, is_right, np.ones_like(is_right), chance, resamples)]
    for system in sorted(rows["system"].unique()):
        is_its = np.concatenate([part.truth == _place(part, system) for part in parts], axis=1)
        found.append(_told(data_set, system, rows, is_right, is_its, chance, resamples))
    return found


def _place(part: _Guessed, system: str) -> int:
    return part.names.index(system) if system in part.names else -1


def _told(
    data_set: str,
    system: str,
    rows: pd.DataFrame,
    is_right: NDArray[np.bool_],
    is_its: NDArray[np.bool_],
    chance: Floats,
    resamples: Resamples,
) -> dict[str, object]:
    shares = (is_right & is_its).sum(axis=1) / is_its.sum(axis=1)
    # As good as the true names: to the rounding of a share.
    p_value = float((shares >= shares[0] - 1e-12).mean())
    own = is_its[0]
    right, asked = np.zeros(len(resamples.items)), np.zeros(len(resamples.items))
    places = resamples.places
    at = [places[item] for item in rows.loc[own, "source_item"]]
    np.add.at(right, at, is_right[0, own])
    np.add.at(asked, at, 1.0)
    found = estimate(lambda draws: ratio(draws @ right, draws @ asked), resamples, asked > 0)
    wrong = rows.loc[own & ~is_right[0], "guess"]
    taken_for = "" if system == ALL or wrong.empty else str(wrong.value_counts().index[0])
    n_texts = int(own.sum())
    return _row(data_set, system, found, n_texts) | {
        "chance": float(chance[own].mean()),
        "p_value": p_value,
        "taken_for": taken_for,
        "n_items": int(rows.loc[own, "source_item"].nunique()),
    }


def _row(data_set: str, system: str, found: Estimate, n_texts: int) -> dict[str, object]:
    return found.columns("accuracy") | {
        "data_set": data_set,
        "system": system,
        "chance": float("nan"),
        "p_value": float("nan"),
        "taken_for": "",
        "n_texts": n_texts,
        "n_items": found.n_items,
        "note": found.note,
    }
