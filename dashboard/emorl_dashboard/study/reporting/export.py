"""A finished study as files for others: ratings, results, a datasheet, a replication bundle.

Annotators get pseudonyms. Every export says what it left out, and how much of it.
"""

from __future__ import annotations

import io
import json
import platform
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from emorl.errors import DiskError, StudyError
from emorl_dashboard.study.analysis.bootstrap import N_RESAMPLES
from emorl_dashboard.study.analysis.records import as_records
from emorl_dashboard.study.analysis.report import StudyData, Tables, study_tables
from emorl_dashboard.study.protocol.plan import StudyPlan
from emorl_dashboard.study.reporting.datasheet import datasheet
from emorl_dashboard.study.reporting.datasheet_criteria import line
from emorl_dashboard.study.reporting.left_out import Exported, left_out
from emorl_dashboard.study.reporting.material import StudyMaterial, read_material
from emorl_dashboard.study.reporting.replication import package_versions, write_bundle

SEED = 0
"""Of the bootstrap, on the page and in every export."""


_MORE = (
    "scale_minimum",
    "scale_maximum",
    "label",
    "guideline_version",
    "shown_at",
    "shown_first",
    "seal",
    "log_entry",
)
"""Of a stored answer, beside what the analysis reads. By name: a column that comes to be stored
later could tell who an annotator is, and is left out until somebody has looked at it."""

_APART = ("seed", "items", "systems", "guidelines")
"""Settings of the plan that ``study.json`` does not hold."""


def export_study(artifacts: Path, study_id: str, out: Path) -> list[Path]:
    """Write everything about an unblinded study into a folder; return the files written.

    Args:
        artifacts: The artifacts folder.
        study_id: Name of the study.
        out: A folder; made if need be. Files of the same names are replaced.

    Raises:
        StudyError: If there is no such study, or it is not unblinded.
        StoreError: If plan, ratings or log are damaged.
        DiskError: If the disk refuses.
    """
    material = read_material(artifacts, study_id)
    if material.unblinded_at is None:
        raise StudyError(
            f"Study {study_id!r} is still blind, and an export names the systems. Unblind it "
            f"first, which is logged: `emorl study unblind {study_id}`, or on the Study page."
        )
    data = under_pseudonyms(material.data)
    tables = study_tables(data, n_resamples=N_RESAMPLES, seed=SEED)
    ratings = _ratings(material)
    plan, exported = _plan_files(material.plan)
    lacking = left_out(artifacts, material, {**exported, "ratings": tuple(map(str, ratings))})
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = _write_ratings(out, ratings, material.plan)
        written += _write_plan(out, plan)
        written += _write_tables(out, tables)
        written += _write_texts(out, material, tables, lacking)
        written += write_bundle(
            out / "replication",
            material.plan,
            data,
            tables,
            n_resamples=N_RESAMPLES,
            seed=SEED,
        )
    except OSError as error:
        raise DiskError(
            f"Cannot write the export to {out}: {error}. Free some room or choose another "
            "folder; the study itself is untouched."
        ) from error
    return written


def bundle_bytes(artifacts: Path, study_id: str) -> bytes:
    """Return the export as one ZIP file, in a folder with the study's name.

    Raises:
        StudyError: If there is no such study, or it is not unblinded.
        StoreError: If plan, ratings or log are damaged.
        DiskError: If the disk refuses.
    """
    buffer = io.BytesIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for path in export_study(artifacts, study_id, Path(folder)):
            archive.write(path, f"{study_id}/{path.relative_to(folder).as_posix()}")
    return buffer.getvalue()


def under_pseudonyms(data: StudyData) -> StudyData:
    """Return the data with ``A01``, ``A02``, ... for annotators, in the order of their names."""
    codes = _pseudonyms(data)
    pairs = None if data.pairs is None else _renamed(data.pairs, codes)
    return replace(data, answers=_renamed(data.answers, codes), pairs=pairs)


def _pseudonyms(data: StudyData) -> dict[str, str]:
    names = sorted(data.answers["annotator"].unique())
    return {
        name: f"A{place:0{max(2, len(str(len(names))))}d}" for place, name in enumerate(names, 1)
    }


def _renamed(frame: pd.DataFrame, codes: dict[str, str]) -> pd.DataFrame:
    return frame.assign(annotator=frame["annotator"].map(codes))


def _ratings(material: StudyMaterial) -> pd.DataFrame:
    """Return the answers that the analysis reads, with all else that is stored of each."""
    data, current = material.data, material.current
    frame = data.answers if data.pairs is None else data.pairs
    keys = ["item_code", "annotator", "criterion"]
    more = [name for name in _MORE if name in current and name not in frame]
    told = frame.merge(current[[*keys, *more]], on=keys, how="left", validate="many_to_one")
    return _renamed(told, _pseudonyms(data))


def _write_ratings(out: Path, frame: pd.DataFrame, plan: StudyPlan) -> list[Path]:
    name = "preferences" if plan.mode == "pairwise" else "ratings"
    paths = [out / f"{name}.{kind}" for kind in ("parquet", "csv", "json")]
    frame.to_parquet(paths[0], index=False)
    frame.to_csv(paths[1], index=False)
    rows = as_records({name: frame})[name]
    paths[2].write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    return paths


def _plan_files(plan: StudyPlan) -> tuple[dict[str, Any], Exported]:
    """Return the content of the plan's files by name, and which settings they hold."""
    table = asdict(plan)
    guidelines = table["guidelines"]
    settings = {name: value for name, value in table.items() if name not in _APART}
    exported = {
        "StudyPlan": {*settings, "items", "systems", "guidelines"},
        "PlanItem": {name for item in table["items"] for name in item},
        "PlanSystem": {name for system in table["systems"] for name in system},
        "Guidelines": set(guidelines),
    }
    items = [{"item_code": item.pop("code"), **item} for item in table["items"]]
    systems = [{"system": system.pop("name"), **system} for system in table["systems"]]
    # By version: every rating names the version that its annotator read.
    texts = {guidelines.pop("version"): guidelines}
    return {
        "study.json": settings | {"seal": plan.seal},
        "systems.json": systems,
        "guidelines.json": texts,
        "items.parquet": pd.DataFrame(items),
    }, exported


def _write_plan(out: Path, files: dict[str, Any]) -> list[Path]:
    for name, content in files.items():
        if isinstance(content, pd.DataFrame):
            content.to_parquet(out / name, index=False)
        else:
            text = json.dumps(content, indent=1, ensure_ascii=False)
            (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in files]


def _write_tables(out: Path, tables: Tables) -> list[Path]:
    folder = out / "results"
    folder.mkdir(exist_ok=True)
    paths = []
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        table.to_csv(path, index=False)
        paths.append(path)
    return paths


def _write_texts(
    out: Path, material: StudyMaterial, tables: Tables, lacking: tuple[str, ...]
) -> list[Path]:
    texts = {
        "README.md": _readme(material.plan, lacking, material.remarks),
        "datasheet.md": datasheet(material, tables, n_resamples=N_RESAMPLES, seed=SEED),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _readme(plan: StudyPlan, lacking: tuple[str, ...], remarks: tuple[str, ...]) -> str:
    vouched = " ".join(map(line, remarks)) or "Plan, log and ratings vouch for each other."
    lines = "\n".join(f"- {line}" for line in lacking)
    kind = "preferences" if plan.mode == "pairwise" else "ratings"
    needs = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    return f"""# Study {plan.study_id}

Sealed {plan.created_at}; seal (SHA-256 of the plan): `{plan.seal}`. {vouched}

- `{kind}.parquet`, `.csv`, `.json`: the current answer of every annotator to every item and
  criterion, one row per system of the item; skipped items have no value.
- `guidelines.json`: what annotators read, by the `guideline_version` of their answers.
- `items.parquet`: prompts and responses; `systems.json`: where they came from; `study.json`: how
  the study was planned.
- `results/`: every number of the page Results, one CSV per table.
- `datasheet.md`: a Human Evaluation Datasheet (HEDS 3.0); what only the study's owner knows is
  marked *to be filled in*.
- `replication/`: `python replicate.py` there prints every number again and compares it. It ran
  with Python {platform.python_version()} and {needs}:
  `python -m pip install -r requirements.txt`.

## Left out

{lines}
"""
