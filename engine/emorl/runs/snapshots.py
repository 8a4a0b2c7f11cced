"""Reading of published snapshots: what everyone but the running engine sees of a run."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emorl.errors import SchemaVersionError, StoreError
from emorl.runs.folder import RunFolder
from emorl.runs.schema import COLUMNS


def read_snapshot(folder: RunFolder, name: str) -> pa.Table:
    """Return one published table; empty, with its columns, if it is not published yet.

    Raises:
        StoreError: If the file is damaged.
        SchemaVersionError: If its columns are not those of this version.
    """
    path = folder.published / f"{name}.parquet"
    if not path.is_file():
        return COLUMNS[name].empty_table()
    try:
        # Opened once: by its path, columns and rows could be read of two versions of it.
        with path.open("rb") as file:
            table = pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"The snapshot {path} is damaged: {error}. `emorl run {folder.run_id}` publishes it "
            "anew from the database."
        ) from error
    missing = sorted({field.name for field in COLUMNS[name]} - set(table.column_names))
    if missing:
        raise SchemaVersionError(
            f"The snapshot {path} was written by another version of emorl: it lacks the columns "
            f"{', '.join(missing)}. Use that version, or start a run of another name."
        )
    return table


def snapshot_rows(folder: RunFolder, name: str) -> list[dict[str, Any]]:
    """Return one published table as one dictionary per row."""
    rows: list[dict[str, Any]] = read_snapshot(folder, name).to_pylist()
    return rows
