"""What finished runs have for a study: systems, ensembles, and what each search found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from emorl.config.files import read_config
from emorl.errors import EmorlError
from emorl.records import Weights
from emorl.runs.folder import RunFolder, list_runs
from emorl.runs.snapshots import read_snapshot, snapshot_rows
from emorl.weights import direction_key
from emorl_dashboard.frames.compare import CERTIFIED, found_by_search
from emorl_dashboard.study.planning.sources import SourceSplit, check_finished, stored_weights

_READ = ("atlases", "systems", "evaluations", "certificates")
"""Snapshots that an offer is read from."""

Stamps = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOffer:
    """The weights that a search found, as a system under the method's name."""

    name: str
    weights: Weights
    splits: tuple[SourceSplit, ...]
    """Those with stored responses at these weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOffer:
    """What a finished run has to offer to a study."""

    run_id: str
    objectives: tuple[str, ...]
    systems: tuple[str, ...]
    """Stored systems with greedy responses to the inference split."""
    mapped_splits: tuple[SourceSplit, ...]
    """Splits with atlases: any weights can be looked up there."""
    methods: tuple[MethodOffer, ...] = ()
    """What each search of the run found."""


def offers(artifacts: Path) -> list[RunOffer]:
    """Return what finished runs have to offer; a run that cannot be read offers nothing."""
    found = []
    for run in list_runs(artifacts):
        try:
            check_finished(run)
            found.append(_offer(run.root, _stamps(run)))
        except EmorlError:
            continue  # the Overview page says what is wrong with it
    return found


def _stamps(run: RunFolder) -> Stamps:
    """Return when the files that an offer is read from were written; a new one is read anew."""
    paths = (run.config, *(run.published / f"{name}.parquet" for name in _READ))
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=512)
def _offer(root: Path, _: Stamps) -> RunOffer:
    # Cached: the page asks at every click, and reads five files of every run for it.
    run = RunFolder(root)
    atlases = {row["split"] for row in snapshot_rows(run, "atlases")}
    splits: Sequence[SourceSplit] = ("inference", "aggregation")
    mapped = tuple(split for split in splits if split in atlases)
    systems = stored_weights(run)
    return RunOffer(
        run_id=run.run_id,
        objectives=read_config(run.config).objectives,
        systems=tuple(systems),
        mapped_splits=mapped,
        methods=tuple(_methods(run, mapped, systems)),
    )


def _methods(
    run: RunFolder, mapped: Sequence[SourceSplit], systems: Mapping[str, Weights | None]
) -> Iterable[MethodOffer]:
    evaluations = read_snapshot(run, "evaluations").to_pandas()
    found = {name: tuple(weights) for name, weights in found_by_search(evaluations).items()}
    for row in snapshot_rows(run, "certificates"):
        found[CERTIFIED] = tuple(row["weights"])
    generated = {direction_key(own) for own in systems.values() if own}
    for name, weights in found.items():
        splits: list[SourceSplit] = []
        if "inference" in mapped or direction_key(weights) in generated:
            splits.append("inference")
        # A search reads the prompts of this split: by evaluating, or in its atlases.
        splits.append("aggregation")
        yield MethodOffer(name=f"{name} search", weights=weights, splits=tuple(splits))
