"""Where the texts of a study come from: stored runs, or a file of somebody else's systems."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emorl.atlas.rows import ScoredAtlas, scored_atlases
from emorl.config.files import read_config
from emorl.errors import StudyError
from emorl.records import Weights
from emorl.runs.folder import RunFolder, existing_run
from emorl.runs.snapshots import snapshot_rows
from emorl.weights import check_weights, direction_key
from emorl_dashboard.study.planning.imported import read_responses

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
    labels: tuple[tuple[str, str], ...] = ()
    """Stored name of a system and what the study calls it, where the owner has renamed it."""

    @property
    def stored_name(self) -> str:
        """What the system is called where its texts are stored; empty for a file."""
        if self.kind == "weights":
            return "w=" + ",".join(f"{weight:.4g}" for weight in self.weights or ())
        return self.system

    @property
    def name(self) -> str:
        """What the system is called in plan and results; empty for a file."""
        return self.called(self.stored_name)

    def called(self, stored: str) -> str:
        """Return what the study calls a system of the source."""
        return dict(self.labels).get(stored, stored)

    @property
    def file_name(self) -> str:
        """Return the name under which a file was imported; empty for a run."""
        return re.sub(r"-[0-9a-f]{8}(?=\.\w+$)", "", Path(self.path).name)

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
        return [SystemText(**row | {"system": source.called(row["system"])}) for row in rows]
    run = existing_run(artifacts, source.run_id)
    check_finished(run)
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
    return (
        _looked_up(run, source.split, weights)
        or _evaluated(run, source.split, weights)
        or _generated(run, source.split, weights)
    )


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


def _generated(run: RunFolder, split: str, weights: Weights) -> dict[int, str]:
    """Return the responses of the stored system with these weights, if there is one."""
    key = direction_key(weights)
    names = [
        name for name, own in stored_weights(run).items() if own and direction_key(own) == key
    ]
    if split != "inference" or not names:
        return {}
    return _responses(run, Source(kind="system", run_id=run.run_id, system=names[0]))


def stored_weights(run: RunFolder) -> dict[str, Weights | None]:
    """Return the weights of every stored system with greedy responses; None of the base."""
    return {
        row["system"]: row["weights"] and tuple(row["weights"])
        for row in snapshot_rows(run, "systems")
        if row["decoding"] == "greedy"
    }


def weights_of_source(artifacts: Path, source: Source) -> Weights | None:
    """Return the weights of a source's system; None of the base and of files.

    Raises:
        RunNotFoundError: If the run is gone.
        StoreError: If the run's snapshots cannot be read.
    """
    if source.kind != "system":
        return source.weights
    return stored_weights(existing_run(artifacts, source.run_id)).get(source.system)


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


def check_finished(run: RunFolder) -> None:
    """Refuse a run whose responses may still change.

    Raises:
        StudyError: If it has not finished.
    """
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
