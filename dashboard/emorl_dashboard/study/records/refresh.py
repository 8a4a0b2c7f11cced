"""Snapshots that a killed dashboard left behind are brought up to date before they are read.

A dashboard that is killed between a commit and its snapshot leaves ratings that only the database
holds. Whoever reads the snapshots afterwards, a command line or a page, asks here first.
"""

from __future__ import annotations

import logging
from pathlib import Path

from emorl.errors import StoreError, StoreInUseError
from emorl_dashboard.server.read_only import is_read_only
from emorl_dashboard.study.protocol.plan import studies_folder, study_folder
from emorl_dashboard.study.records.publisher import catch_up_here
from emorl_dashboard.study.records.schema import PUBLISHED
from emorl_dashboard.study.records.store import AnnotationStore
from emorl_dashboard.study.records.store_file import is_open_here

log = logging.getLogger(__name__)


def refresh(artifacts: Path, study_id: str) -> None:
    """Publish a study anew if its snapshots are older than the database and no other holds that.

    Where this very dashboard has the database open, it writes now what it would have written
    within seconds. Where another one has, this process only warns that ratings of the last
    moments may be missing. A read-only dashboard
    takes the snapshots as they are: it neither writes nor keeps the database from others. Nothing
    here ever stops the reader: what cannot be brought up to date is named in the log.
    """
    if is_read_only():
        return
    studies = studies_folder(artifacts)
    database = studies / "annotations.duckdb"
    if _is_current_here(database, study_id):
        return
    changed = _modified(database, Path(f"{database}.wal"))
    folder = study_folder(artifacts, study_id) / "published"
    published = [_modified(folder / f"{name}.parquet") for name in PUBLISHED]
    if not database.is_file() or min(published) > changed or is_open_here(database):
        return
    try:
        store = AnnotationStore(studies)
    except StoreInUseError:
        log.warning(
            "A dashboard is at work on the ratings of %s: those of the last moments may be "
            "missing here.",
            study_id,
        )
        return
    except StoreError as error:
        log.warning("The ratings of %s are those of the last snapshot. %s", study_id, error)
        return
    try:
        store.publish(study_id)
    except StoreError as error:
        log.warning("%s", error)
    finally:
        store.close()


def _is_current_here(database: Path, study_id: str) -> bool:
    """Write what this process has still to write; False if it has not opened the database."""
    try:
        return catch_up_here(database, study_id)
    except StoreError as error:
        log.warning("Ratings of %s may be missing here. %s", study_id, error)
        return True


def _modified(*paths: Path) -> int:
    """Return when the latest of some files was changed, in nanoseconds; 0 without any."""
    found = []
    for path in paths:
        try:
            found.append(path.stat().st_mtime_ns)
        except OSError:
            continue
    return max(found, default=0)
