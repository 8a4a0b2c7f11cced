"""What the Results page reads, kept until a file changes: nothing is computed twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from emorl_dashboard.data.queries import Frame
from emorl_dashboard.study.analysis.bootstrap import N_RESAMPLES
from emorl_dashboard.study.analysis.report import Tables, blind_tables, blinded, study_tables
from emorl_dashboard.study.custody.chain import head_path
from emorl_dashboard.study.custody.unblinding import log_path
from emorl_dashboard.study.protocol.plan import plan_path
from emorl_dashboard.study.records.refresh import refresh
from emorl_dashboard.study.reporting.export import SEED, bundle_bytes
from emorl_dashboard.study.reporting.material import (
    StudyMaterial,
    ratings_path,
    read_material,
    system_weights,
)

Stamps = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Results:
    """A study and every number of its page."""

    material: StudyMaterial
    tables: Tables
    """Only the blind ones, with letters for systems, until the study is unblinded."""
    weights: Frame
    """From ``material.system_weights``; without rows until the study is unblinded."""
    n_resamples: int = N_RESAMPLES
    seed: int = SEED

    @property
    def is_open(self) -> bool:
        """Tell whether systems may be seen."""
        return self.material.unblinded_at is not None


def results_of(artifacts: Path, study_id: str) -> Results:
    """Return the results of a study as of now.

    Raises:
        StudyError: If there is no such study.
        StoreError: If the plan, the ratings or the log are damaged.
    """
    refresh(artifacts, study_id)  # before the stamps: what is kept holds until a file changes
    return _results(str(artifacts), study_id, _stamps(artifacts, study_id))


def export_bytes(artifacts: Path, study_id: str) -> bytes:
    """Return the export of an unblinded study as one ZIP file."""
    return bundle_bytes(artifacts, study_id)


@st.cache_resource(max_entries=8, show_spinner="Computing intervals …")
def _results(artifacts: str, study_id: str, stamps: Stamps) -> Results:  # noqa: ARG001
    material = read_material(Path(artifacts), study_id)
    if material.unblinded_at is None:
        # Not even in memory: the page gets no system's name before unblinding.
        hidden = blinded(material.data, material.plan.seed)
        tables = blind_tables(hidden, n_resamples=N_RESAMPLES, seed=SEED)
        none = system_weights(Path(artifacts), material.plan).iloc[:0]
        return Results(replace(material, data=hidden), tables, none)
    tables = study_tables(material.data, n_resamples=N_RESAMPLES, seed=SEED)
    return Results(material, tables, system_weights(Path(artifacts), material.plan))


def _stamps(artifacts: Path, study_id: str) -> Stamps:
    paths = (
        plan_path(artifacts, study_id),
        ratings_path(artifacts, study_id),
        log_path(artifacts, study_id),
        head_path(log_path(artifacts, study_id)),
    )
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (str(path), 0, 0)
    return (str(path), stat.st_mtime_ns, stat.st_size)
