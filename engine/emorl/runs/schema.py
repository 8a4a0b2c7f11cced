"""Tables of ``run.duckdb`` and of its published snapshots.

List columns (``weights``, ``means``, ``scores``, ...) are in the order of the objectives.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

SCHEMA_VERSION = 2
"""Raised whenever a table changes. A file of a later version is refused, one of an earlier version
of ``UPGRADES`` is brought up to date."""

UPGRADES: dict[int, tuple[str, ...]] = {
    1: ("atlases", "atlas_branches", "atlas_cells", "certificates", "front")
}
"""Version -> the tables that came after it."""

_FLOATS = pa.list_(pa.float64())
_INTEGERS = pa.list_(pa.int64())

COLUMNS: dict[str, pa.Schema] = {
    "prompts": pa.schema(
        [
            ("split", pa.string()),
            ("prompt_index", pa.int32()),
            ("prompt", pa.string()),
            ("reference", pa.string()),
        ]
    ),
    "training_steps": pa.schema(
        [
            ("adapter", pa.string()),
            ("step", pa.int32()),
            ("data_points", pa.int64()),
            ("samples", pa.int64()),
            ("tokens", pa.int64()),
            ("seconds", pa.float64()),
            ("loss", pa.float64()),
            ("reward", pa.float64()),
            ("kl", pa.float64()),
            ("gradient_norm", pa.float64()),
        ]
    ),
    "validations": pa.schema(
        [
            ("adapter", pa.string()),
            ("step", pa.int32()),
            ("data_points", pa.int64()),
            ("samples", pa.int64()),
            ("seconds", pa.float64()),
            ("means", _FLOATS),
            ("standard_errors", _FLOATS),
            ("n_distinct", pa.int32()),
            ("n_responses", pa.int32()),
            ("converged", pa.bool_()),
        ]
    ),
    "training_samples": pa.schema(
        [
            ("adapter", pa.string()),
            ("step", pa.int32()),
            ("prompt_index", pa.int32()),
            ("text", pa.string()),
            ("scores", _FLOATS),
        ]
    ),
    "adapters": pa.schema(
        [
            ("adapter", pa.string()),
            ("steps", pa.int32()),
            ("data_points", pa.int64()),
            ("samples", pa.int64()),
            ("tokens", pa.int64()),
            ("seconds", pa.float64()),
            ("converged", pa.bool_()),
            ("n_distinct", pa.int32()),
            ("n_responses", pa.int32()),
        ]
    ),
    "evaluations": pa.schema(
        [
            ("search", pa.string()),
            ("round", pa.int32()),
            ("point", pa.int32()),
            ("weights", _FLOATS),
            ("direction_key", pa.string()),
            ("direction", _FLOATS),
            ("kind", pa.string()),
            ("box_lower", _FLOATS),
            ("box_upper", _FLOATS),
            ("means", _FLOATS),
            ("standard_errors", _FLOATS),
            ("mean_reward", pa.float64()),
            ("seconds", pa.float64()),
        ]
    ),
    "rounds": pa.schema(
        [
            ("round", pa.int32()),
            ("box_lower", _FLOATS),
            ("box_upper", _FLOATS),
            ("chosen_lower", _FLOATS),
            ("chosen_upper", _FLOATS),
            ("best_weights", _FLOATS),
            ("best_mean_reward", pa.float64()),
        ]
    ),
    "responses": pa.schema(
        [
            ("direction_key", pa.string()),
            ("prompt_index", pa.int32()),
            ("text", pa.string()),
            ("n_tokens", pa.int32()),
            ("scores", _FLOATS),
        ]
    ),
    "systems": pa.schema(
        [
            ("system", pa.string()),
            ("decoding", pa.string()),
            ("weights", _FLOATS),
            ("means", _FLOATS),
            ("standard_errors", _FLOATS),
            ("mean_reward", pa.float64()),
            ("n_distinct", pa.int32()),
            ("n_responses", pa.int32()),
        ]
    ),
    "system_responses": pa.schema(
        [
            ("system", pa.string()),
            ("decoding", pa.string()),
            ("sample_index", pa.int32()),
            ("prompt_index", pa.int32()),
            ("text", pa.string()),
            ("n_tokens", pa.int32()),
            ("scores", _FLOATS),
        ]
    ),
    "atlases": pa.schema(
        [
            ("split", pa.string()),
            ("prompt_index", pa.int32()),
            ("n_members", pa.int32()),
            ("n_cells", pa.int32()),
            ("n_branches", pa.int32()),
            ("is_complete", pa.bool_()),
            ("covered", pa.float64()),
            ("dropped", pa.float64()),
            ("node_forwards", pa.int64()),
            ("seconds", pa.float64()),
        ]
    ),
    "atlas_branches": pa.schema(
        [
            ("split", pa.string()),
            ("prompt_index", pa.int32()),
            ("branch", pa.int32()),
            ("prefix", _INTEGERS),
            ("tokens", _INTEGERS),
            ("vectors", _FLOATS),  # row after row, one number per member
            ("children", _INTEGERS),
        ]
    ),
    "atlas_cells": pa.schema(
        [
            ("split", pa.string()),
            ("prompt_index", pa.int32()),
            ("cell", pa.int32()),
            ("text", pa.string()),
            ("tokens", _INTEGERS),
            ("n_tokens", pa.int32()),
            ("vertices", _FLOATS),  # corner after corner, one number per member
            ("area", pa.float64()),
            ("is_open", pa.bool_()),
            ("scores", _FLOATS),
        ]
    ),
    "certificates": pa.schema(
        [
            ("split", pa.string()),
            ("weights", _FLOATS),
            ("radius", pa.float64()),
            ("area", pa.float64()),
            ("corners", _FLOATS),
            ("means", _FLOATS),
            ("mean_reward", pa.float64()),
            ("upper_bound", pa.float64()),
            ("gap", pa.float64()),
            ("regions", pa.int64()),
            ("seconds", pa.float64()),
            ("searched_weights", _FLOATS),  # the hierarchical search's answer
            ("regret", pa.float64()),
        ]
    ),
    "front": pa.schema(
        [
            ("split", pa.string()),
            ("position", pa.int32()),
            ("weights", _FLOATS),
            ("radius", pa.float64()),
            ("area", pa.float64()),
            ("means", _FLOATS),
            ("is_supported", pa.bool_()),
            ("is_complete", pa.bool_()),
        ]
    ),
}
"""Columns of every table, without the UTC time of writing ``stored_at`` that each row also has."""

KEYS: dict[str, tuple[str, ...]] = {
    "prompts": ("split", "prompt_index"),
    "training_steps": ("adapter", "step"),
    "validations": ("adapter", "step"),
    "training_samples": ("adapter", "step", "prompt_index"),
    "adapters": ("adapter",),
    "evaluations": ("search", "round", "point"),
    "rounds": ("round",),
    "responses": ("direction_key", "prompt_index"),
    "systems": ("system", "decoding"),
    "system_responses": ("system", "decoding", "sample_index"),
    "atlases": ("split", "prompt_index"),
    "atlas_branches": ("split", "prompt_index", "branch"),
    "atlas_cells": ("split", "prompt_index", "cell"),
    "certificates": ("split",),
    "front": ("split", "position"),
}
"""Primary key of every table: existing rows are never overwritten."""

_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    _FLOATS: "DOUBLE[]",
    _INTEGERS: "BIGINT[]",
}


def create_table(name: str) -> str:
    """SQL that makes one table."""
    columns = ", ".join(f"{column.name} {_SQL_TYPES[column.type]}" for column in COLUMNS[name])
    key = ", ".join(KEYS[name])
    return (
        f"CREATE TABLE {name} ({columns}, "
        f"stored_at TIMESTAMP DEFAULT (now() AT TIME ZONE 'UTC'), PRIMARY KEY ({key}));"
    )


SCHEMA = "CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR);" + "".join(
    create_table(name) for name in COLUMNS
)
"""SQL that makes an empty run."""

PUBLISHED: dict[str, str] = {
    name: f"SELECT * FROM {name} ORDER BY {', '.join(KEYS[name])}" for name in COLUMNS
}
"""Snapshot name -> the query it holds."""


def wide_view(objectives: Sequence[str]) -> str:
    """SQL of the view with one column per objective, for people who query the file by hand."""

    def quoted(name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    columns = [
        f"{source}[{position}] AS {quoted(pattern.format(name))}"
        for pattern, source in (
            ("w_{}", "weights"),
            ("{}", "means"),
            ("{}_se", "standard_errors"),
        )
        for position, name in enumerate(objectives, start=1)
    ]
    return (
        f"CREATE VIEW evaluations_wide AS SELECT search, round, point, {', '.join(columns)}, "
        "mean_reward, kind, direction_key, seconds, stored_at FROM evaluations "
        "ORDER BY search, round, point;"
    )
