"""One DuckDB file: opening it, writing all or nothing, and its errors in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from emorl.errors import DiskError, RunLockedError, SchemaVersionError, StoreError
from emorl.interruption import deferred
from emorl.runs.schema import SCHEMA, SCHEMA_VERSION, UPGRADES, create_table, wide_view


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open or create the database file.

    Raises:
        RunLockedError: If another process holds it.
        StoreError: If it is no database.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return duckdb.connect(str(path))
    except duckdb.IOException as error:
        if "Could not set lock" in str(error):
            raise RunLockedError(
                f"Another process works on {path}. Wait for it, stop it, or use another run name."
            ) from error
        raise StoreError(
            f"Cannot open {path} as a database: {error}. Move the file away to start anew; "
            "nothing was changed."
        ) from error
    except duckdb.Error as error:
        raise StoreError(
            f"Cannot open {path}, the file is damaged or no database: {error}. Move it away to "
            "start anew; nothing was changed."
        ) from error


@contextmanager
def our_errors(path: Path) -> Iterator[None]:
    """Turn the database's errors into ours, and let Ctrl-C wait until the database is done."""
    try:
        # DuckDB runs Python's signal handlers in the middle of a query and turns the exception
        # of one into several of its own. A call of the store takes milliseconds: it ends first.
        with deferred():
            yield
    except (duckdb.Error, OSError) as error:
        raise DiskError(
            f"Cannot read or write {path}: {error}. What was stored before is kept: free some "
            "room and start the same command again, it goes on from there."
        ) from error


def rollback(connection: duckdb.DuckDBPyConnection) -> None:
    """Undo the transaction, if there is one."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        # After a fatal write error the connection is unusable and there is nothing to undo:
        # the transaction was never committed.
        return


def copy_to_parquet(connection: duckdb.DuckDBPyConnection, sql: str, target: Path) -> None:
    """Write the rows of a query to a file that is complete at every moment."""
    with our_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(".parquet.tmp")
        quoted = str(beside).replace("'", "''")
        connection.execute(f"COPY ({sql}) TO '{quoted}' (FORMAT parquet)")
        os.replace(beside, target)  # noqa: PTH105 - atomic on every platform


def prepare(connection: duckdb.DuckDBPyConnection, path: Path, objectives: Sequence[str]) -> None:
    """Make the tables of a new file; check an old one, and bring it up to date.

    Raises:
        StoreError: If it is another kind of database, or holds other objectives.
        SchemaVersionError: If a later version of this project wrote it.
    """
    with our_errors(path):
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        tables = {name for (name,) in names}
        if not tables:
            _create(connection, objectives)
            return
        if "meta" not in tables:
            raise StoreError(f"{path} is a database, but not one of a run; choose another.")
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    version = meta.get("schema_version")
    if version in {str(known) for known in UPGRADES}:
        with our_errors(path):
            _upgrade(connection, int(version))
    elif version != str(SCHEMA_VERSION):
        raise SchemaVersionError(
            f"{path} has schema version {version}, this version of emorl reads {SCHEMA_VERSION}. "
            "Use the version that wrote it, or a new run name."
        )
    if meta.get("objectives") != ",".join(objectives):
        raise StoreError(
            f"{path} holds the objectives {meta.get('objectives')}, the settings say "
            f"{','.join(objectives)}. Use a new run name."
        )


def _create(connection: duckdb.DuckDBPyConnection, objectives: Sequence[str]) -> None:
    connection.execute("BEGIN")
    connection.execute(SCHEMA)
    connection.execute(wide_view(objectives))
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("schema_version", str(SCHEMA_VERSION)), ("objectives", ",".join(objectives))],
    )
    connection.execute("COMMIT")


def _upgrade(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    connection.execute("BEGIN")
    for name in UPGRADES[version]:
        connection.execute(create_table(name))
    connection.execute(
        "UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(SCHEMA_VERSION)]
    )
    connection.execute("COMMIT")
