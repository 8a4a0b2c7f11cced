"""Draft -> checked plan -> sealed study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from emorl.errors import StudyError
from emorl.records import Weights
from emorl_dashboard.study.custody.unblinding import log_sealing
from emorl_dashboard.study.planning.building import chosen_texts, study_items
from emorl_dashboard.study.planning.draft import StudyDraft, check_not_sealed, read_draft
from emorl_dashboard.study.planning.finding import Finding
from emorl_dashboard.study.planning.preflight import findings
from emorl_dashboard.study.planning.sources import Source, SystemText, texts_of, weights_of_source
from emorl_dashboard.study.protocol.guidelines import TOTAL, versioned
from emorl_dashboard.study.protocol.plan import PlanSystem, StudyPlan, study_folder, write_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan that could be sealed now, and what to know before."""

    plan: StudyPlan
    findings: tuple[Finding, ...]

    @property
    def can_be_sealed(self) -> bool:
        """Whether no finding stops it."""
        return all(finding.severity != "stop" for finding in self.findings)


def prepare(artifacts: Path, draft: StudyDraft) -> Prepared:
    """Build the plan of a draft, exactly as sealing would; nothing is written.

    Raises:
        StudyError: If a source has no responses, or two sources differ in a prompt.
        RunNotFoundError: If a run is gone.
        DataError: If an imported file has bad rows.
        StoreError: If a run's snapshots cannot be read.
    """
    folder = study_folder(artifacts, draft.study_id)
    texts: list[SystemText] = []
    systems: dict[str, PlanSystem] = {}
    placed: dict[str, set[Weights | None]] = {}
    for source in draft.sources:
        own = texts_of(artifacts, folder, source)
        texts.extend(own)
        for name in dict.fromkeys(text.system for text in own):
            systems[name] = _joined(systems.get(name), name, source)
            placed.setdefault(name, set()).add(weights_of_source(artifacts, source))
    texts = list(dict.fromkeys(texts))  # two sources may hold one response of one system
    _check_names(texts)
    _check_prompts(texts)
    chosen = chosen_texts(draft.seed, texts, draft.n_items_per_data_set)
    items = study_items(draft, chosen)
    found = tuple(findings(draft, texts, chosen, items))
    runs = {source.run_id for source in draft.sources}
    plan = StudyPlan(
        study_id=draft.study_id,
        run_id=runs.pop() if len(runs) == 1 else "",
        created_at=draft.created_at,
        seed=draft.seed,
        guidelines=versioned(draft.guidelines),
        items=items,
        mode=draft.mode,
        systems=tuple(
            replace(system, weights=_only(placed[name])) for name, system in systems.items()
        ),
        n_ratings_per_item=draft.n_ratings_per_item if draft.requires_invite else None,
        n_annotators=draft.n_annotators if draft.requires_invite else None,
        requires_invite=draft.requires_invite,
        lease_seconds=60.0 * draft.lease_minutes,
        abandoned_seconds=3600.0 * draft.abandoned_hours,
        findings=tuple(finding.message for finding in found),
    )
    return Prepared(plan=plan, findings=found)


def seal(artifacts: Path, study_id: str, *, expected: str = "") -> StudyPlan:
    """Seal a draft: from now on nothing of the study changes.

    Args:
        artifacts: The artifacts folder.
        study_id: Name of the draft.
        expected: ``seal`` of the prepared plan that the owner has read; if the draft or its texts
            have changed since, nothing is sealed. Empty: whatever the draft is now.

    Raises:
        StudyError: If there is no such draft, it is sealed already, a finding stops it, or it is
            not what the owner has read.
        EmorlError: As ``prepare`` does.
        DiskError: If the plan cannot be written.
    """
    check_not_sealed(artifacts, study_id)
    prepared = prepare(artifacts, read_draft(artifacts, study_id))
    if expected and prepared.plan.seal != expected:
        raise StudyError(
            f"The draft of study {study_id!r}, or a text of it, has changed since its checks were "
            "shown. Nothing was sealed: read the checks again, then seal."
        )
    if not prepared.can_be_sealed:
        reasons = " ".join(f.message for f in prepared.findings if f.severity == "stop")
        raise StudyError(f"Study {study_id!r} cannot be sealed. {reasons}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    plan = replace(prepared.plan, created_at=now)
    write_plan(artifacts, plan)
    log_sealing(artifacts, plan)
    return plan


def _joined(known: PlanSystem | None, name: str, source: Source) -> PlanSystem:
    """Add a source to what is known of a system: it may answer another data set in each."""
    if known is None:
        known = PlanSystem(name=name, origin="")
    origins = [*filter(None, known.origin.split("; ")), source.origin]
    run_ids = [*known.run_ids, *filter(None, [source.run_id])]
    return PlanSystem(
        name=name,
        origin="; ".join(dict.fromkeys(origins)),
        run_ids=tuple(dict.fromkeys(run_ids)),
    )


def _only(weights: set[Weights | None]) -> Weights | None:
    """Return the weights that all sources of a system have; None where they differ."""
    known = weights - {None}
    return known.pop() if len(known) == 1 else None


def _check_names(texts: list[SystemText]) -> None:
    if any(TOTAL in (text.system, text.data_set) for text in texts):
        raise StudyError(
            f"A system or data set is called {TOTAL!r}, which the results use for everything "
            "together. Rename the system with `emorl study rename`, the data set in its source."
        )


def _check_prompts(texts: list[SystemText]) -> None:
    prompts: dict[tuple[str, int], str] = {}
    answered: dict[tuple[str, str, int], str] = {}
    for text in texts:
        key = (text.data_set, text.prompt_index)
        if prompts.setdefault(key, text.prompt) != text.prompt:
            raise StudyError(
                f"Two sources have different texts for prompt {key[1]} of data set {key[0]!r}. "
                "Take them from runs on the same data and split, or rename a data set."
            )
        if answered.setdefault((text.system, *key), text.text) != text.text:
            raise StudyError(
                f"Two sources have different responses of {text.system!r} to prompt {key[1]} of "
                f"data set {key[0]!r}. Take one of them out, or rename a system: both on the "
                "Study page, or with `emorl study remove` and `emorl study rename`."
            )
