"""Where the texts of a study come from: stored runs, or a file of somebody else's systems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dashboard.study.imported import read_responses
from engine.artifacts import RunFolder, existing_run, list_runs
from engine.atlas.rows import ScoredAtlas, scored_atlases
from engine.config_file import read_config
from engine.directions import check_weights, direction_key
from engine.errors import EmorlError, StudyError
from engine.records import Weights
from engine.snapshots import snapshot_rows

SourceKind = Literal["system", "weights", "file"]
SourceSplit = Literal["inference", "aggregation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One system of a study, or (for a file) all systems that it holds."""

    kind: SourceKind
    run_id: str = ""
    split: SourceSplit = "inference"
    system: str = ""
    """A stored system: ``base``, ``adapter:<objective>``, ``best``."""
    weights: Weights | None = None
    """Of an ensemble; looked up in the run's atlases, or among its evaluations."""
    path: str = ""
    """Of a file, which was copied into the study's folder."""
    data_set: str = ""
    """Of the rows of a file that name none; empty: the name of the file."""

    @property
    def name(self) -> str:
        """What the system is called in plan and results; empty for a file."""
        if self.kind == "weights":
            return "w=" + ",".join(f"{weight:.4g}" for weight in self.weights or ())
        return self.system

    @property
    def origin(self) -> str:
        """Where the texts came from, in words."""
        return f"file {self.path}" if self.path else f"run {self.run_id}, split {self.split}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemText:
    """What one system answered to one prompt."""

    system: str
    prompt_index: int
    text: str
    data_set: str = ""
    prompt: str = ""


def texts_of(artifacts: Path, folder: Path, source: Source) -> list[SystemText]:
    """Return all responses of a source, by prompt.

    Args:
        artifacts: The artifacts folder.
        folder: Of the study; paths of files are below it.
        source: What to read.

    Raises:
        RunNotFoundError: If the run is gone.
        StudyError: If the run has no such responses; the message says how to make them.
        StoreError: If the run's snapshots cannot be read.
    """
    if source.kind == "file":
        rows = read_responses(folder / source.path, data_set=source.data_set)
        return [SystemText(**row) for row in rows]
    run = existing_run(artifacts, source.run_id)
    _check_finished(run)
    prompts = {
        row["prompt_index"]: row["prompt"]
        for row in snapshot_rows(run, "prompts")
        if row["split"] == source.split
    }
    data_set = _data_set(run)
    found = _responses(run, source)
    if not found or any(index not in prompts for index in found):
        raise StudyError(_nothing(source, len(found), len(prompts)))
    return [
        SystemText(
            system=source.name,
            prompt_index=index,
            text=text,
            data_set=data_set,
            prompt=prompts[index],
        )
        for index, text in sorted(found.items())
    ]


def _data_set(run: RunFolder) -> str:
    data = read_config(run.config).data
    return Path(data.path).stem if data.kind in ("jsonl", "csv", "parquet") else data.kind


def _responses(run: RunFolder, source: Source) -> dict[int, str]:
    if source.kind == "system":
        if source.split != "inference":
            raise StudyError(
                f"Stored systems answered the prompts of the inference split; {source.system!r} "
                f"has no responses of split {source.split!r}. Choose weights instead: a single "
                "objective is the weights with one 1."
            )
        return {
            row["prompt_index"]: row["text"]
            for row in snapshot_rows(run, "system_responses")
            if row["system"] == source.system and row["decoding"] == "greedy"
        }
    weights = check_weights(source.weights or (), len(read_config(run.config).objectives))
    return _looked_up(run, source.split, weights) or _evaluated(run, source.split, weights)


def _looked_up(run: RunFolder, split: str, weights: Weights) -> dict[int, str]:
    found = {}
    if not any(weights):
        raise StudyError(
            "With all weights 0 there is no ensemble; got " + ", ".join(map(str, weights)) + ". "
            "Give at least one weight above 0, or choose the system base."
        )
    for scored in _atlases(run, split):
        cell = scored.atlas.cells[int(scored.atlas.lookup([weights])[0])]
        if not cell.is_open:
            found[scored.prompt_index] = cell.text
    return found


def _evaluated(run: RunFolder, split: str, weights: Weights) -> dict[int, str]:
    if split != "aggregation":
        return {}
    key = direction_key(weights)
    return {
        row["prompt_index"]: row["text"]
        for row in snapshot_rows(run, "responses")
        if row["direction_key"] == key
    }


def _atlases(run: RunFolder, split: str) -> list[ScoredAtlas]:
    rows = (
        _of_split(snapshot_rows(run, name), split)
        for name in ("atlases", "atlas_branches", "atlas_cells")
    )
    return scored_atlases(*rows)


def _of_split(rows: Iterable[dict[str, Any]], split: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["split"] == split]


def _nothing(source: Source, n_responses: int, n_prompts: int) -> str:
    todo = (
        f"`emorl atlas {source.run_id} --split {source.split}` maps them."
        if source.kind == "weights"
        else "`emorl run` on the same run completes it."
    )
    return (
        f"A study needs responses of {source.name!r} with their prompts from the {source.split} "
        f"split of run {source.run_id!r}, got {n_responses} responses to {n_prompts} prompts. "
        f"{todo}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOffer:
    """What a finished run has to offer to a study."""

    run_id: str
    objectives: tuple[str, ...]
    systems: tuple[str, ...]
    """Stored systems with greedy responses to the inference split."""
    mapped_splits: tuple[SourceSplit, ...]
    """Splits with atlases: any weights can be looked up there."""


def offers(artifacts: Path) -> list[RunOffer]:
    """Return what finished runs have to offer; a run that cannot be read offers nothing."""
    found = []
    for run in list_runs(artifacts):
        try:
            _check_finished(run)
            found.append(_offer(run))
        except EmorlError:
            continue  # the Overview page says what is wrong with it
    return found


def _offer(run: RunFolder) -> RunOffer:
    mapped = {row["split"] for row in snapshot_rows(run, "atlases")}
    splits: Sequence[SourceSplit] = ("inference", "aggregation")
    return RunOffer(
        run_id=run.run_id,
        objectives=read_config(run.config).objectives,
        systems=tuple(
            dict.fromkeys(
                row["system"]
                for row in snapshot_rows(run, "systems")
                if row["decoding"] == "greedy"
            )
        ),
        mapped_splits=tuple(split for split in splits if split in mapped),
    )


def _check_finished(run: RunFolder) -> None:
    status = run.read_status()
    state = "unknown" if status is None else status.state()
    if state != "finished":
        todo = (
            "Wait until it has finished."
            if state == "running"
            else f"Let it finish with `emorl run {run.run_id}`."
        )
        raise StudyError(
            f"A study needs the final responses of a finished run; run {run.run_id!r} is in "
            f"state {state!r}. {todo}"
        )
