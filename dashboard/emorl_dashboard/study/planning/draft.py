"""A study while it is planned: settings that can be changed, in ``draft.json``.

Sealing turns a draft into a plan; the draft is then of no more use.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emorl.errors import DiskError, StoreError, StudyError
from emorl.runs.folder import write_atomically
from emorl.weights import direction_key
from emorl_dashboard.study.planning.sources import Source
from emorl_dashboard.study.protocol.blinding import new_seed
from emorl_dashboard.study.protocol.files import stored_text
from emorl_dashboard.study.protocol.guidelines import Guidelines, parse_guidelines
from emorl_dashboard.study.protocol.plan import Mode, plan_path, studies_folder, study_folder

MOST_ANNOTATORS = 200

_RANGES = {
    "n_ratings_per_item": (1, 20),
    "n_annotators": (1, MOST_ANNOTATORS),
    "n_items_per_data_set": (1, 10_000),
    "n_gold": (0, 200),
    "n_repeats": (0, 200),
    "n_practice": (0, 20),
    "lease_minutes": (1, 1440),
    "abandoned_hours": (1, 24 * 90),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDraft:
    """What the owner has chosen so far."""

    study_id: str
    guidelines: Guidelines
    sources: tuple[Source, ...] = ()
    mode: Mode = "rating"
    n_items_per_data_set: int = 64
    """Prompts of each data set; all responses to a prompt are rated."""
    n_ratings_per_item: int = 2
    n_annotators: int = 2
    n_gold: int = 4
    """Damaged copies, whose ratings should be lower than those of their originals."""
    n_repeats: int = 4
    """Items that everyone who rates them sees a second time."""
    n_practice: int = 3
    """Exercises before the first item; they do not count."""
    lease_minutes: int = 30
    abandoned_hours: int = 24
    requires_invite: bool = True
    seed: str = field(default_factory=new_seed)
    created_at: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds")
    )

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise StudyError(
                    f"{name} must be a whole number from {least} to {most}, got {value!r}."
                )
        if self.n_ratings_per_item > self.n_annotators:
            raise StudyError(
                f"{self.n_ratings_per_item} ratings per item need as many annotators, got "
                f"n_annotators {self.n_annotators}: nobody rates an item twice."
            )


def draft_path(artifacts: Path, study_id: str) -> Path:
    """Return where the draft of a study lies, which need not exist."""
    return study_folder(artifacts, study_id) / "draft.json"


def list_drafts(artifacts: Path) -> list[str]:
    """Return the names of all studies that are planned and not sealed, sorted."""
    return sorted(
        path.parent.name
        for path in studies_folder(artifacts).glob("*/draft.json")
        if not path.with_name("plan.json").exists()
    )


def write_draft(artifacts: Path, draft: StudyDraft) -> Path:
    """Keep a draft, in place of an earlier one of its name.

    Raises:
        StudyError: If the study is sealed, the name is no name, or a text cannot be stored.
        DiskError: If the disk refuses.
    """
    check_not_sealed(artifacts, draft.study_id)
    path = draft_path(artifacts, draft.study_id)
    text = json.dumps(asdict(draft), indent=1, ensure_ascii=False)
    stored_text(text)
    try:
        write_atomically(path, text)
    except OSError as error:
        raise DiskError(
            f"Cannot write {path}: {error}. Nothing was changed; mend the cause and try again."
        ) from error
    return path


def check_not_sealed(artifacts: Path, study_id: str) -> None:
    """Refuse to plan what is sealed.

    Raises:
        StudyError: If the study is sealed, or the name is no name.
    """
    if plan_path(artifacts, study_id).exists():
        raise StudyError(
            f"Study {study_id!r} is sealed, and nothing of it changes any more. Give the new "
            "study another name."
        )


def discard_draft(artifacts: Path, study_id: str) -> None:
    """Delete a draft with its imported files; a sealed study cannot be deleted so.

    Raises:
        StudyError: If the study is sealed.
        DiskError: If the disk refuses.
    """
    check_not_sealed(artifacts, study_id)
    folder = study_folder(artifacts, study_id)
    try:
        for path in (folder / "sources").glob("*"):
            path.unlink()
        draft_path(artifacts, study_id).unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"Cannot delete the draft in {folder}: {error}.") from error


def create_draft(artifacts: Path, draft: StudyDraft) -> Path:
    """Keep a draft under a name that is still free.

    Raises:
        StudyError: If there is a draft or study of that name.
        DiskError: If the disk refuses.
    """
    if draft_path(artifacts, draft.study_id).exists():
        raise StudyError(
            f"There is a draft {draft.study_id!r} already. Change it, or take another name."
        )
    return write_draft(artifacts, draft)


def read_draft(artifacts: Path, study_id: str) -> StudyDraft:
    """Read a draft.

    Raises:
        StudyError: If there is none.
        StoreError: If the file is damaged.
    """
    path = draft_path(artifacts, study_id)
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return StudyDraft(
            **table
            | {
                "guidelines": parse_guidelines(table["guidelines"]),
                "sources": tuple(_source(row) for row in table["sources"]),
            }
        )
    except FileNotFoundError:
        known = ", ".join(list_drafts(artifacts)) or "none"
        raise StudyError(
            f"There is no draft {study_id!r}; there are: {known}. `emorl study create` makes one."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"The draft {path} is damaged: {error!r}. Delete it and plan the study anew; no "
            "rating depends on it."
        ) from error


def _source(row: dict[str, Any]) -> Source:
    weights = row["weights"] and tuple(row["weights"])
    labels = tuple((stored, label) for stored, label in row.get("labels", ()))
    return Source(**row | {"weights": weights, "labels": labels})


def with_sources(draft: StudyDraft, *sources: Source) -> StudyDraft:
    """Return the draft with more sources, without those that ``left_aside`` names."""
    return replace(draft, sources=tuple(_told_apart(draft, sources)[0]))


def left_aside(draft: StudyDraft, *sources: Source) -> tuple[str, ...]:
    """Return which sources ``with_sources`` does not add, and why, in words.

    A system that is in the draft already is not taken twice, whatever it is called: its texts
    would stand there twice, and of two names for them one would win by chance.
    """
    return tuple(_told_apart(draft, sources)[1])


def _told_apart(draft: StudyDraft, more: Sequence[Source]) -> tuple[list[Source], list[str]]:
    kept = list(draft.sources)
    aside = []
    for source in more:
        twin = next((one for one in kept if _identity(one) == _identity(source)), None)
        if twin is None:
            kept.append(source)
            continue
        name = source.name or source.file_name
        first = twin.name or twin.file_name
        same = "" if name == first else f" as {first!r}, with the same weights up to scale"
        aside.append(
            f"{name!r} ({source.origin}) is in the study already{same}: it is not added twice."
        )
    return kept, aside


def _identity(source: Source) -> tuple[Source, str]:
    """Return what two sources of the same texts have in common."""
    weights = source.weights or ()
    is_direction = all(0 <= weight < math.inf for weight in weights)
    key = direction_key(weights) if is_direction else str(weights)
    return replace(source, labels=(), weights=None), key
