"""A finished study as files for others: ratings, results, a datasheet, a replication bundle.

Annotators get pseudonyms. Every export says what it left out, and how much of it.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.study.analysis.bootstrap import N_RESAMPLES
from dashboard.study.analysis.records import as_records
from dashboard.study.analysis.report import StudyData, Tables, study_tables
from dashboard.study.datasheet import datasheet
from dashboard.study.material import StudyMaterial, read_material
from dashboard.study.plan import StudyPlan, study_folder
from dashboard.study.replication import write_bundle
from engine.errors import DiskError, StudyError

SEED = 0
"""Of the bootstrap, on the page and in every export."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What an export does not hold, in words."""

    lines: tuple[str, ...]


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
    left_out = _left_out(artifacts, material)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = _write_ratings(out, data)
        written += _write_plan(out, material.plan)
        written += _write_tables(out, tables)
        written += _write_texts(out, material, tables, left_out)
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
    names = sorted(data.answers["annotator"].unique())
    codes = {
        name: f"A{place:0{max(2, len(str(len(names))))}d}" for place, name in enumerate(names, 1)
    }

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(annotator=frame["annotator"].map(codes))

    pairs = None if data.pairs is None else renamed(data.pairs)
    return replace(data, answers=renamed(data.answers), pairs=pairs)


def _write_ratings(out: Path, data: StudyData) -> list[Path]:
    frame = data.answers if data.pairs is None else data.pairs
    name = "ratings" if data.pairs is None else "preferences"
    paths = [out / f"{name}.{kind}" for kind in ("parquet", "csv", "json")]
    frame.to_parquet(paths[0], index=False)
    frame.to_csv(paths[1], index=False)
    rows = as_records({name: frame})[name]
    paths[2].write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    return paths


def _write_plan(out: Path, plan: StudyPlan) -> list[Path]:
    items = pd.DataFrame(
        [
            {
                "item_code": item.code,
                "kind": item.kind,
                "copy_of": item.copy_of,
                "data_set": item.data_set,
                "prompt_index": item.prompt_index,
                "systems": list(item.systems),
                "prompt": item.prompt,
                "response": item.response,
                "other_systems": list(item.other_systems),
                "other_response": item.other_response,
            }
            for item in plan.items
        ]
    )
    systems = pd.DataFrame(
        [
            {"system": one.name, "origin": one.origin, "weights": list(one.weights or ())}
            for one in plan.systems
        ]
    )
    paths = [out / "items.parquet", out / "systems.json"]
    items.to_parquet(paths[0], index=False)
    rows = as_records({"systems": systems})["systems"]
    paths[1].write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    return paths


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
    out: Path, material: StudyMaterial, tables: Tables, left_out: LeftOut
) -> list[Path]:
    texts = {
        "README.md": _readme(material.plan, left_out),
        "datasheet.md": datasheet(material, tables, n_resamples=N_RESAMPLES, seed=SEED),
    }
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _readme(plan: StudyPlan, left_out: LeftOut) -> str:
    lines = "\n".join(f"- {line}" for line in left_out.lines)
    kind = "preferences" if plan.mode == "pairwise" else "ratings"
    return f"""# Study {plan.study_id}

Sealed {plan.created_at}; seal (SHA-256 of the plan): `{plan.seal}`.

- `{kind}.parquet`, `.csv`, `.json`: the current answer of every annotator to every item and
  criterion, one row per system of the item; skipped items have no value.
- `items.parquet`: prompts and responses; `systems.json`: where they came from.
- `results/`: every number of the page Results, one CSV per table.
- `datasheet.md`: a Human Evaluation Datasheet (HEDS 3.0); what only the study's owner knows is
  marked *to be filled in*.
- `replication/`: `python replicate.py` there prints every number again and compares it.

## Left out

{lines}
"""


def _left_out(artifacts: Path, material: StudyMaterial) -> LeftOut:
    folder = study_folder(artifacts, material.plan.study_id) / "published"
    n_events = _n_rows(folder / "rating_events.parquet")
    n_earlier = max(0, n_events - len(material.current))
    n_notes = _n_rows(folder / "notes.parquet")
    n_unrated = len(material.data.items) - material.data.answers["item_code"].nunique()
    n_unscored = _n_unscored(material.data)
    lines = [
        f"{n_earlier} earlier answers that annotators changed later: the current ones are here.",
        f"{n_notes} flags and comments: free text may tell who wrote it.",
        "Names of annotators and their invitations: pseudonyms stand in their place, and the key "
        "is not in the export.",
        f"Answers to {n_unrated} of {len(material.data.items)} items: nobody has given any.",
    ]
    if material.plan.mode == "rating":
        lines.append(
            f"Automatic scores of {n_unscored} rated responses and criteria: the runs have none."
        )
    return LeftOut(tuple(lines))


def _n_unscored(data: StudyData) -> int:
    keys = ["source_item", "system", "criterion"]
    rated = data.answers.loc[data.answers["kind"] == "rating", keys].drop_duplicates()
    scored = rated.merge(data.automatic.drop_duplicates(keys), on=keys, how="left")["score"]
    return int(scored.isna().sum())


def _n_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return 0
