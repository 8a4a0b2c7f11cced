"""Reading of published snapshots of ratings, which may be replaced at any moment."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emorl.errors import StoreError


def read_published(path: Path, columns: tuple[str, ...] = ()) -> pa.Table | None:
    """Return a published table as it was at one moment; None before the first rating.

    Args:
        path: Of the snapshot.
        columns: Which are wanted; those that an earlier version did not store are left out. All
            if empty.

    Raises:
        StoreError: If the file is damaged.
    """
    try:
        # Opened once: by its path, columns and rows could be read of two versions of it.
        with path.open("rb") as file:
            found = pq.ParquetFile(file)
            names = found.schema_arrow.names
            return found.read(columns=[name for name in columns or names if name in names])
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"Cannot read {path}: {error}. All ratings are in annotations.duckdb; the dashboard "
            "writes this copy anew when it starts, and with the next rating."
        ) from error
