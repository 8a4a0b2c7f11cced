"""A bundle that computes every number of a study's results again, without this project."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path

import emorl.errors
import emorl_dashboard.study.analysis as analysis
from emorl_dashboard.study import agreement
from emorl_dashboard.study.analysis.records import as_records
from emorl_dashboard.study.analysis.report import StudyData, Tables
from emorl_dashboard.study.protocol.plan import StudyPlan

_PACKAGES = ("numpy", "pandas", "pyarrow", "scipy", "statsmodels")
_EMPTY = '"""Part of a replication bundle."""\n'


def write_bundle(
    folder: Path, plan: StudyPlan, data: StudyData, tables: Tables, *, n_resamples: int, seed: int
) -> list[Path]:
    """Write data, settings, results, code and script into a folder; return what was written.

    Args:
        folder: Where to write; made if need be.
        plan: Of the study; its prompts are not in the bundle.
        data: What the numbers are computed from, with annotators under pseudonyms.
        tables: From ``study_tables`` of the same data.
        n_resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    frames = {
        "items": data.items,
        "answers": data.answers,
        "automatic": data.automatic,
        "texts": data.texts,
    }
    if data.pairs is not None:
        frames["pairs"] = data.pairs
    written = []
    for name, frame in frames.items():
        path = folder / "data" / f"{name}.parquet"
        frame.to_parquet(path, index=False)
        written.append(path)
    settings = {
        "study_id": plan.study_id,
        "seal": plan.seal,
        "mode": plan.mode,
        "n_resamples": n_resamples,
        "seed": seed,
        "confidence": 0.95,
        "python": platform.python_version(),
        "packages": package_versions(),
    }
    texts = {"settings.json": settings, "results.json": as_records(tables)}
    for name, content in texts.items():
        path = folder / name
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        written.append(path)
    needs = folder / "requirements.txt"
    pins = (f"{name}=={version}\n" for name, version in package_versions().items())
    needs.write_text("".join(pins), encoding="utf-8")
    return [*written, needs, *_write_code(folder)]


def package_versions() -> dict[str, str]:
    """Return the packages that the script of a bundle needs, as they are installed here."""
    return {name: metadata.version(name) for name in _PACKAGES}


def _write_code(folder: Path) -> list[Path]:
    """Copy the very modules that computed the results, and the script that runs them."""
    modules = Path(analysis.__path__[0])
    sources = {
        f"code/emorl_dashboard/study/analysis/{path.name}": path for path in modules.glob("*.py")
    } | {
        "code/emorl_dashboard/study/agreement.py": Path(agreement.__file__),
        "code/emorl/errors.py": Path(emorl.errors.__file__),
        "replicate.py": modules / "replicate.py",
    }
    texts = {name: path.read_text("utf-8") for name, path in sorted(sources.items())}
    for package in ("emorl_dashboard", "emorl_dashboard/study", "emorl"):
        texts[f"code/{package}/__init__.py"] = _EMPTY
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written
