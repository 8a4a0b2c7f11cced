"""Small plans and submissions for the tests of the study."""

from __future__ import annotations

import uuid
from pathlib import Path

from dashboard.study.creation import SystemText, blind_items
from dashboard.study.guidelines import guidelines_for
from dashboard.study.plan import StudyPlan
from dashboard.study.ratings import Submission, rated, skipped
from engine.artifacts import Status, run_folder
from engine.config_file import config_text
from engine.records import Prompt, Response, SystemScore
from engine.store import RunStore
from tests.synthetic import RunSpec, config_of

OBJECTIVES = ("reflection", "empathy", "fluency")
GUIDELINES = guidelines_for(OBJECTIVES)
SYSTEMS = ("base", "adapter:reflection", "adapter:empathy", "adapter:fluency", "best")


def plan_of(n_items: int = 4, *, seed: str = "seed", study_id: str = "demo") -> StudyPlan:
    """Return a plan of ``n_items`` items that each belong to one system."""
    prompts = {index: f"Prompt number {index}." for index in range(n_items)}
    texts = [
        SystemText(system="base", prompt_index=index, text=f"Answer number {index}.")
        for index in range(n_items)
    ]
    return StudyPlan(
        study_id=study_id,
        run_id=study_id,
        created_at="2030-01-01T00:00:00+00:00",
        seed=seed,
        guidelines=GUIDELINES,
        items=blind_items(seed, prompts, texts),
    )


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
    )


def skip(*, item_code: str = "item", annotator: str = "ada") -> Submission:
    """Return a submission that skips an item."""
    return Submission(
        request_id=uuid.uuid4().hex,
        study_id="demo",
        item_code=item_code,
        annotator=annotator,
        kind="skip",
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
) -> None:
    """Write a finished run whose systems answered as ``texts`` says, one text per prompt."""
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
                    weights=(0.9375, 0.59375, 0.09375) if system == "best" else None,
                    means=(0.5, 0.5, 0.5),
                    standard_errors=(0.1, 0.1, 0.1),
                    responses=tuple(
                        Response(
                            prompt_index=index,
                            text=text + suffix,
                            n_tokens=5,
                            scores=(0.1234, 0.2345, 0.3456),
                        )
                        for index, text in enumerate(answers)
                    ),
                )
            )
    store.publish(folder.published)
    store.close()
    folder.write_status(Status(run_id=name, phase="finished"))
