"""Published tables are read as they were at one moment, though they may be replaced meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emorl.errors import StoreError
from emorl_dashboard.study.records.published import read_published
from emorl_dashboard.study.reporting.status import snapshot

OLD, NEW = pa.table({"key": ["one"], "seal": ["old"]}), pa.table({"key": ["two"] * 9})


def test_a_table_that_is_replaced_while_it_is_read_is_read_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "studies" / "demo" / "published"
    folder.mkdir(parents=True)
    path, other = folder / "notes.parquet", folder / "new"
    pq.write_table(OLD, path)
    for name in ("ParquetFile", "read_schema"):  # whatever looks at the columns first
        look = getattr(pq, name)

        def replacing(*args: Any, _look: Any = look, **more: Any) -> Any:
            found = _look(*args, **more)
            pq.write_table(NEW, other)
            other.replace(path)
            return found

        monkeypatch.setattr(pq, name, replacing)
    rows = snapshot(tmp_path, "demo", "notes", columns=("key", "seal", "absent"))
    assert rows == [{"key": "one", "seal": "old"}]
    monkeypatch.undo()
    assert snapshot(tmp_path, "demo", "notes", columns=("seal",)) == []
    assert len(snapshot(tmp_path, "demo", "notes")) == 9


def test_a_damaged_table_is_told_and_none_is_none(tmp_path: Path) -> None:
    path = tmp_path / "notes.parquet"
    assert read_published(path) is None
    path.write_bytes(b"no parquet")
    with pytest.raises(StoreError, match="writes this copy anew"):
        read_published(path)
