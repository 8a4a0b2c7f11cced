"""Tables as plain JSON, as text, and compared number by number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

Records = dict[str, list[dict[str, Any]]]

TOLERANCE = 1e-9
"""Numbers that differ by less are the same; other machines add up in another order."""


def as_records(tables: dict[str, pd.DataFrame]) -> Records:
    """Return tables as JSON holds them: NaN as None, infinity as text, times as ISO 8601."""
    return {
        name: [
            {str(column): _plain(value) for column, value in row.items()}
            for row in table.to_dict("records")
        ]
        for name, table in tables.items()
    }


def differences(one: Records, other: Records) -> list[str]:
    """Say in words where two sets of tables differ; empty when every number is the same."""
    found = [f"table {name} is missing" for name in sorted(one.keys() ^ other.keys())]
    for name in one.keys() & other.keys():
        if len(one[name]) != len(other[name]):
            found.append(f"{name}: {len(one[name])} rows against {len(other[name])}")
            continue
        for number, (left, right) in enumerate(zip(one[name], other[name], strict=True)):
            found += [
                f"{name}, row {number}, {column}: {left.get(column)!r} against "
                f"{right.get(column)!r}"
                for column in sorted(left.keys() | right.keys())
                if not _is_same(left.get(column), right.get(column))
            ]
    return found


def as_text(tables: dict[str, pd.DataFrame]) -> str:
    """Write every table out in full."""
    parts = []
    for name, table in tables.items():
        body = table.to_string(index=False, float_format=lambda value: f"{value:.6f}")
        parts.append(f"== {name} ({len(table)} rows)\n{body}\n")
    return "\n".join(parts)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"  # JSON has no number for it
    if isinstance(value, np.generic):
        return _plain(value.item())
    return value


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(one == other)
