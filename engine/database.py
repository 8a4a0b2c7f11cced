"""One DuckDB file: opening it, writing all or nothing, and its errors in our words."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import duckdb

from engine.errors import DiskError, RunLockedError, StoreError


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
        with _ctrl_c_deferred():
            yield
    except (duckdb.Error, OSError) as error:
        raise DiskError(
            f"Cannot read or write {path}: {error}. What was stored before is kept: free some "
            "room and start the same command again, it goes on from there."
        ) from error


@contextmanager
def _ctrl_c_deferred() -> Iterator[None]:
    # DuckDB runs Python's signal handlers in the middle of a query and turns the exception of
    # one into several of its own. A call of the store takes milliseconds: it ends first.
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[0])


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
