"""The ratings of a study cut into cells: one criterion, one or all data sets and systems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emorl_dashboard.study.analysis.bootstrap import N_RESAMPLES, Resamples, draw_resamples

Floats = NDArray[np.float64]

ALL = "all"
"""In a table's column: all data sets, systems or annotators together."""


class Cell(NamedTuple):
    """Where a number belongs in the tables."""

    criterion: str
    data_set: str
    system: str


@dataclass(frozen=True, slots=True)
class RatingTable:
    """Ratings of the responses of one cell."""

    values: Floats
    """``(n_annotators, n_responses)``, NaN = not rated."""
    annotators: tuple[str, ...]
    sources: NDArray[np.intp]
    """Place of each response's source item in ``Resamples.items``, ``(n_responses,)``."""
    n_sources: int
    """Source items of the whole study."""
    scale: tuple[float, ...]
    """All values of the scale, rising."""
    data_sets: NDArray[np.object_]
    """Of each response."""

    def part(self, responses: NDArray[np.bool_]) -> RatingTable:
        """Return the table of some of the responses."""
        return replace(
            self,
            values=self.values[:, responses],
            sources=self.sources[responses],
            data_sets=self.data_sets[responses],
        )

    def both_ways(self) -> RatingTable:
        """Return preferences with each of them a second time, as seen from the other response.

        Which response of a pair is called the first is nobody's doing. Counted both ways, no
        number depends on it: whichever is called the first by chance, name or plan.
        """
        return replace(
            self,
            values=np.hstack([self.values, 0.0 - self.values]),
            sources=np.tile(self.sources, 2),
            data_sets=np.tile(self.data_sets, 2),
        )

    def sums(self, per_response: Floats) -> Floats:
        """Add up numbers of responses over each source item: ``(n_sources, ...)``."""
        total = np.zeros((self.n_sources, *per_response.shape[1:]))
        np.add.at(total, self.sources, per_response)
        return total


def study_ratings(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that count: no gold, repeated or practice items, nothing skipped."""
    return answers[(answers["kind"] == "rating") & answers["value"].notna()]


def resamples_of(
    answers: pd.DataFrame, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> Resamples:
    """Draw the source items of a study's ratings; the order of the rows does not matter."""
    items = (
        answers[["data_set", "source_item"]]
        .drop_duplicates("source_item")
        .sort_values(["data_set", "source_item"])
    )
    return draw_resamples(
        items["source_item"].tolist(),
        items["data_set"].tolist(),
        n_resamples=n_resamples,
        seed=seed,
    )


def rating_table(rows: pd.DataFrame, resamples: Resamples) -> RatingTable:
    """Lay out rows of one criterion as annotators by responses.

    A response that several systems share is one response: its ratings count once.

    Args:
        rows: Of ``study_ratings``, of one criterion.
        resamples: Of the whole study.
    """
    once = once_each(rows)
    wide = once.pivot(index="annotator", columns="item_code", values="value").sort_index()
    of_code = once.drop_duplicates("item_code").set_index("item_code").loc[wide.columns]
    places = resamples.places
    return RatingTable(
        values=wide.to_numpy(dtype=np.float64),
        annotators=tuple(str(name) for name in wide.index),
        sources=np.asarray([places[item] for item in of_code["source_item"]], dtype=np.intp),
        n_sources=len(resamples.items),
        scale=scale_of(rows),
        data_sets=of_code["data_set"].to_numpy(dtype=object),
    )


def scale_of(rows: pd.DataFrame) -> tuple[float, ...]:
    """Return all values of the rows' scale, rising; empty without rows."""
    if rows.empty:
        return ()
    low, high = int(rows["scale_minimum"].min()), int(rows["scale_maximum"].max())
    return tuple(float(value) for value in range(low, high + 1))


def cells(ratings: pd.DataFrame, resamples: Resamples) -> Iterator[tuple[Cell, RatingTable]]:
    """Give every criterion, data set and system, and all data sets and systems together."""
    for criterion in in_order(ratings["criterion"]):
        own = ratings[ratings["criterion"] == criterion]
        # A table for each system: of texts that pairs of systems share, a preference may be for
        # the first of one pair and the second of another.
        tables = [
            (system, rating_table(rows, resamples)) for system, rows in groups(own, "system")
        ]
        for data_set, _ in groups(own, "data_set"):
            for system, table in tables:
                in_set = (table.data_sets == data_set) | (data_set == ALL)
                yield Cell(criterion, data_set, system), table.part(in_set)


def once_each(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the answers, each once though several systems share the text: the first by name."""
    rows = rows.reset_index(drop=True)
    firsts = rows.sort_values("system", kind="stable").drop_duplicates(
        ["item_code", "annotator", "criterion"]
    )
    return rows.loc[firsts.index.sort_values()]


def groups(rows: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    """Return all rows together, then those of each value, sorted; one value alone only once."""
    found = [(ALL, rows)]
    names = sorted(rows[column].unique())
    if len(names) > 1:
        found += [(name, rows[rows[column] == name]) for name in names]
    return found


def in_order(column: pd.Series) -> list[str]:
    """Return the different values in the order in which they appear."""
    return [str(value) for value in column.unique()]
