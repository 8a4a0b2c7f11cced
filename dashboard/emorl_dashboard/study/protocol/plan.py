"""A study as it was sealed: what is rated, by which questions, by how many, under which codes.

The plan is the study's manifest. It holds the texts themselves, so that a run which is changed or
deleted later changes no study. It is written once; its seal, a hash over everything in it, shows
any later change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from emorl.errors import DiskError, SchemaVersionError, StoreError, StudyError
from emorl_dashboard.study.protocol.files import create_once
from emorl_dashboard.study.protocol.guidelines import Guidelines, parse_guidelines

PLAN_FORMAT = 3
"""Raised whenever the file's layout changes; older formats are read, newer ones refused."""

Mode = Literal["rating", "pairwise"]
"""Rate one response, or say which of two is better (a tie is an answer)."""

ItemKind = Literal["rating", "gold", "repeat", "practice"]
"""Rated for the study; a damaged copy; a second showing; or an exercise that does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanItem:
    """One thing to rate. Systems that gave the same text to a prompt share the item."""

    code: str
    prompt_index: int
    """In its data set."""
    prompt: str
    response: str
    """In a pairwise study: response ``a``. Which of the two stands first on the page depends on
    the annotator."""
    response_sha256: str
    systems: tuple[str, ...]
    """All systems that get the item's ratings (of response ``a``). Never shown to annotators."""
    kind: ItemKind = "rating"
    copy_of: str = ""
    """Code of the original of a gold or repeated item."""
    data_set: str = ""
    other_response: str | None = None
    """Response ``b`` of a pairwise study."""
    other_systems: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    """Places (from 1) of the annotators who rate it; empty: everybody does."""

    @property
    def source_item(self) -> str:
        """What the prompt is called over all systems: its data set and number."""
        return f"{self.data_set}/{self.prompt_index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSystem:
    """A system of the study, and where its texts came from. Never shown to annotators."""

    name: str
    origin: str
    """For example ``run demo, split inference`` or ``file answers.csv``."""
    run_ids: tuple[str, ...] = ()
    """Runs that the texts came from, one or more per data set; of a file: none."""
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """A sealed study."""

    study_id: str
    run_id: str
    """The run of the responses; empty if they came from several, or from files."""
    created_at: str
    """UTC, ISO 8601."""
    seed: str
    guidelines: Guidelines
    items: tuple[PlanItem, ...]
    """By code: their order tells nothing about systems or prompts."""
    mode: Mode = "rating"
    systems: tuple[PlanSystem, ...] = ()
    n_ratings_per_item: int | None = None
    """Annotators who rate one item, never more; None: as many as come."""
    n_annotators: int | None = None
    """Places among which the items are shared out; None: everybody rates everything."""
    requires_invite: bool = False
    """False: whoever types a name may rate; for one person on one machine."""
    lease_seconds: float = 1800.0
    """How long an item that is shown is kept for the annotator who sees it."""
    abandoned_seconds: float = 86_400.0
    """An annotator not seen for so long leaves the rest of the share to others."""
    findings: tuple[str, ...] = ()
    """What the checks before sealing found, and the owner accepted."""

    @cached_property
    def _by_code(self) -> dict[str, PlanItem]:
        return {item.code: item for item in self.items}

    def item(self, code: str) -> PlanItem:
        """Return the item of a code.

        Raises:
            StudyError: If there is none.
        """
        try:
            return self._by_code[code]
        except KeyError:
            raise StudyError(
                f"Study {self.study_id!r} has no item {code!r}. Reload the page."
            ) from None

    def n_places(self, code: str) -> int | None:
        """Return how many annotators may rate an item; None: no limit."""
        item = self.item(code)
        if item.kind == "practice" or self.n_ratings_per_item is None:
            return None
        return len(item.places) or self.n_ratings_per_item

    @cached_property
    def seal(self) -> str:
        """Return the hash that the manifest bears."""
        return _seal(_content(self))

    def n_of_kind(self) -> dict[str, int]:
        """Return the number of items of each kind."""
        return dict(Counter(item.kind for item in self.items))


def studies_folder(artifacts: Path) -> Path:
    """Return the folder of all studies."""
    return artifacts / "studies"


def study_folder(artifacts: Path, study_id: str) -> Path:
    """Return the folder of a study, which need not exist.

    Raises:
        StudyError: If the name is no plain name (it must stay below ``artifacts/studies``).
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", study_id):
        raise StudyError(
            f"{study_id!r} is no name of a study: 1 to 64 letters, digits, '_', '-' and '.', "
            "starting with a letter or digit. `emorl study status` lists the studies."
        )
    return studies_folder(artifacts) / study_id


def plan_path(artifacts: Path, study_id: str) -> Path:
    """Return where the plan of a study lies, which need not exist.

    Raises:
        StudyError: If the name is no plain name.
    """
    return study_folder(artifacts, study_id) / "plan.json"


def list_studies(artifacts: Path) -> list[str]:
    """Return the names of all sealed studies, sorted."""
    return sorted(path.parent.name for path in studies_folder(artifacts).glob("*/plan.json"))


def write_plan(artifacts: Path, plan: StudyPlan) -> Path:
    """Seal a study. The file appears complete or not at all, and is never replaced.

    Raises:
        StudyError: If the study exists.
        DiskError: If the disk refuses the write.
    """
    path = plan_path(artifacts, plan.study_id)
    content = _content(plan)
    text = json.dumps(content | {"seal": _seal(content)}, indent=1, ensure_ascii=False)
    try:
        create_once(path, text)
    except FileExistsError:
        raise StudyError(
            f"Study {plan.study_id!r} exists already, and a sealed plan is never changed. Rate "
            "in it, or give the new study another name."
        ) from None
    except OSError as error:
        raise DiskError(
            f"Cannot write {path}: {error}. Nothing was made; mend the cause and try again."
        ) from error
    return path


def read_plan(artifacts: Path, study_id: str) -> StudyPlan:
    """Read a study and check its seal.

    Raises:
        StudyError: If there is no such study.
        SchemaVersionError: If a later version of this project wrote it.
        StoreError: If the file is damaged or was changed.
    """
    path = plan_path(artifacts, study_id)
    try:
        stamp = path.stat()
    except FileNotFoundError:
        known = ", ".join(list_studies(artifacts)) or "none yet"
        raise StudyError(
            f"There is no sealed study {study_id!r}; there are: {known}. Plan one on the Study "
            "page, or with `emorl study create`."
        ) from None
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error}. Check its permissions.") from error
    return _parsed(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=16)
def _parsed(path: Path, _modified: int, _size: int) -> StudyPlan:
    # Cached: the page asks at every click, and a plan of 640 items is half a megabyte.
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = table.pop("format")
        seal = table.pop("seal")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(_damaged(path, f"it cannot be read ({error!r})")) from error
    if found not in range(1, PLAN_FORMAT + 1):
        raise SchemaVersionError(
            f"{path} has format {found}, this version of emorl reads 1 to {PLAN_FORMAT}. Use the "
            "version that wrote it."
        )
    if seal != _seal(table | {"format": found}):
        raise StoreError(_damaged(path, "its content no longer matches its seal"))
    if table["study_id"] != path.parent.name:
        raise StoreError(_damaged(path, f"it belongs to study {table['study_id']!r}"))
    plan = _plan(table)
    plan.__dict__["seal"] = seal  # of the file as it is, which may have an older format
    return plan


def _plan(table: dict[str, Any]) -> StudyPlan:
    items = tuple(
        PlanItem(
            **item
            | {
                name: tuple(item[name])
                for name in ("systems", "other_systems", "places")
                if name in item
            }
        )
        for item in table["items"]
    )
    systems = (
        tuple(_system(system) for system in table["systems"])
        if "systems" in table
        else _systems_of_format_1(table, items)
    )
    return StudyPlan(
        **table
        | {
            "guidelines": parse_guidelines(table["guidelines"]),
            "items": items,
            "systems": systems,
            "findings": tuple(table.get("findings", ())),
        }
    )


def _system(table: dict[str, Any]) -> PlanSystem:
    rest = {name: value for name, value in table.items() if name != "run_id"}
    # Format 2 knew one run per system, and an empty name where there was none.
    run_ids = table["run_ids"] if "run_ids" in table else filter(None, [table["run_id"]])
    weights = table["weights"] and tuple(table["weights"])
    return PlanSystem(**rest | {"run_ids": tuple(run_ids), "weights": weights})


def _systems_of_format_1(
    table: dict[str, Any], items: tuple[PlanItem, ...]
) -> tuple[PlanSystem, ...]:
    names = sorted({name for item in items for name in item.systems})
    origin = f"run {table['run_id']}, split inference"
    run_ids = (table["run_id"],)
    return tuple(PlanSystem(name=name, origin=origin, run_ids=run_ids) for name in names)


def _damaged(path: Path, what: str) -> str:
    return (
        f"The plan {path} is damaged or was changed after sealing: {what}. Put the original "
        "file back; the ratings given so far are kept."
    )


def _content(plan: StudyPlan) -> dict[str, Any]:
    return asdict(plan) | {"format": PLAN_FORMAT}


def _seal(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
