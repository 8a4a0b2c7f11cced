"""Small plans and submissions for the tests of the study."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from emorl.config.files import config_text
from emorl.records import Prompt, Response, SystemScore
from emorl.runs.folder import Status, run_folder
from emorl.runs.store import RunStore
from emorl_dashboard.study.planning.building import blind_items, study_items
from emorl_dashboard.study.planning.creation import seal
from emorl_dashboard.study.planning.draft import StudyDraft, create_draft
from emorl_dashboard.study.planning.sources import Source, SystemText
from emorl_dashboard.study.protocol.guidelines import guidelines_for
from emorl_dashboard.study.protocol.plan import Mode, StudyPlan
from emorl_dashboard.study.protocol.ratings import Submission, rated, skipped
from tests.support.synthetic import RunSpec, config_of

OBJECTIVES = ("reflection", "empathy", "fluency")
GUIDELINES = guidelines_for(OBJECTIVES)
_BEST = {"best": (0.9375, 0.59375, 0.09375)}
SYSTEMS = ("base", "adapter:reflection", "adapter:empathy", "adapter:fluency", "best")


def texts_of(
    n_prompts: int = 4, systems: tuple[str, ...] = ("base",), data_set: str = "talks"
) -> list[SystemText]:
    """Return one response of several words per prompt and system, all of them different."""
    return [
        SystemText(
            system=system,
            data_set=data_set,
            prompt_index=index,
            prompt=f"Prompt number {index}.",
            text=f"Answer number {index} in the words of {place}.",
        )
        for place, system in enumerate(systems)
        for index in range(n_prompts)
    ]


def plan_of(n_items: int = 4, *, seed: str = "seed", study_id: str = "demo") -> StudyPlan:
    """Return a plan without invites: ``n_items`` items that each belong to one system."""
    return StudyPlan(
        study_id=study_id,
        run_id=study_id,
        created_at="2030-01-01T00:00:00+00:00",
        seed=seed,
        guidelines=GUIDELINES,
        items=blind_items(seed, texts_of(n_items)),
    )


def shared_plan(
    n_prompts: int = 4,
    *,
    systems: tuple[str, ...] = ("base", "best"),
    mode: Mode = "rating",
    **changes: Any,
) -> StudyPlan:
    """Return a plan with invites, whose items are shared out among places."""
    draft = draft_of(mode=mode, **changes)
    return StudyPlan(
        study_id=draft.study_id,
        run_id="",
        created_at="2030-01-01T00:00:00+00:00",
        seed=draft.seed,
        guidelines=draft.guidelines,
        items=study_items(draft, texts_of(n_prompts, systems)),
        mode=mode,
        n_ratings_per_item=draft.n_ratings_per_item,
        n_annotators=draft.n_annotators,
        requires_invite=True,
        lease_seconds=60.0 * draft.lease_minutes,
        abandoned_seconds=3600.0 * draft.abandoned_hours,
    )


def draft_of(**changes: Any) -> StudyDraft:
    """Return a draft without copies and exercises, except where ``changes`` says so."""
    plain = StudyDraft(
        study_id="demo",
        guidelines=GUIDELINES,
        n_gold=0,
        n_repeats=0,
        n_practice=0,
        seed="seed",
        created_at="2030-01-01T00:00:00+00:00",
    )
    return replace(plain, **changes)


def system_sources(*systems: str, run_id: str = "demo") -> tuple[Source, ...]:
    """Return stored systems of a run as sources."""
    return tuple(
        Source(kind="system", run_id=run_id, system=system) for system in systems or SYSTEMS
    )


def sealed(artifacts: Path, run_id: str = "demo", **changes: Any) -> StudyPlan:
    """Seal a study of all systems of a run; without invites, except where ``changes`` says so."""
    settings = {"study_id": run_id, "requires_invite": False, "sources": system_sources()}
    create_draft(artifacts, draft_of(**settings | changes))
    return seal(artifacts, changes.get("study_id", run_id))


def rating(
    *values: int,
    request_id: str = "",
    item_code: str = "item",
    annotator: str = "ada",
    study_id: str = "demo",
) -> Submission:
    """Return a submission that rates the three criteria."""
    return Submission(
        request_id=request_id or uuid.uuid4().hex,
        study_id=study_id,
        item_code=item_code,
        annotator=annotator,
        kind="rating",
        answers=tuple(
            rated(criterion, value)
            for criterion, value in zip(GUIDELINES.criteria, values, strict=True)
        ),
        position=1,
        guideline_version=GUIDELINES.version,
        seconds=2.5,
        shown_at=datetime(2030, 1, 1, 12),
    )


def skip(*, item_code: str = "item", annotator: str = "ada", kind: Any = "skip") -> Submission:
    """Return a submission that skips an item."""
    return Submission(
        request_id=uuid.uuid4().hex,
        study_id="demo",
        item_code=item_code,
        annotator=annotator,
        kind=kind,
        answers=tuple(skipped(criterion) for criterion in GUIDELINES.criteria),
        position=1,
        guideline_version=GUIDELINES.version,
        seconds=1.0,
    )


def write_finished_run(
    artifacts: Path,
    texts: dict[str, list[str]],
    *,
    name: str = "demo",
    prompts: list[str] | None = None,
    score: Callable[[str, int], float] | None = None,
    weights: Mapping[str, tuple[float, ...]] = _BEST,
) -> None:
    """Write a finished run whose systems answered as ``texts`` says, one text per prompt.

    ``score`` gives the score of a system's response to a prompt; the scores of the objectives
    follow each other by a thousandth.
    """
    spec = RunSpec(name=name, objectives=OBJECTIVES)
    n_prompts = len(next(iter(texts.values())))
    folder = run_folder(artifacts, name)
    folder.root.mkdir(parents=True)
    folder.config.write_text(config_text(config_of(spec)), encoding="utf-8")
    store = RunStore(folder.database, OBJECTIVES)
    store.add_prompts(
        Prompt(
            split=split,
            index=index,
            prompt=(prompts or [f"Client {i} says this." for i in range(n_prompts)])[index]
            if split == "inference"
            else f"other {split} {index}",
        )
        for split in ("train", "inference")
        for index in range(n_prompts)
    )
    for system, answers in texts.items():
        for decoding in ("greedy", "sampled"):
            suffix = "" if decoding == "greedy" else " (sampled)"
            store.add_system(
                SystemScore(
                    system=system,
                    decoding=decoding,
                    weights=weights.get(system),
                    means=(0.5, 0.5, 0.5),
                    standard_errors=(0.1, 0.1, 0.1),
                    responses=tuple(
                        Response(
                            prompt_index=index,
                            text=text + suffix,
                            n_tokens=5,
                            scores=(0.1234, 0.2345, 0.3456)
                            if score is None
                            else tuple(score(system, index) + n / 1000 for n in range(3)),
                        )
                        for index, text in enumerate(answers)
                    ),
                )
            )
    store.publish(folder.published)
    store.close()
    folder.write_status(Status(run_id=name, phase="finished"))
