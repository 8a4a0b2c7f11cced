"""The run's database: the only SQL of the engine.

One process, the engine, holds ``run.duckdb`` for the whole run; DuckDB's file lock keeps every
other process out, readers included. Others read the Parquet snapshots that ``publish`` writes.
Each ``add_...`` call is one transaction: when it returns, its rows survive a kill. Existing
rows are never overwritten, so that replaying a run changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from emorl.atlas.rows import ScoredAtlas, atlas_rows, scored_atlases
from emorl.errors import ConfigError
from emorl.records import (
    OWN_SEARCH,
    AdapterSummary,
    Evaluation,
    Measurement,
    Prompt,
    Response,
    SearchRound,
    Split,
    SystemScore,
    TrainingSample,
    TrainingStep,
    Validation,
    Weights,
)
from emorl.runs.database import connect, copy_to_parquet, our_errors, prepare, rollback
from emorl.runs.rows import (
    evaluation_row,
    own_responses,
    prompt_row,
    row_of,
    system_responses,
    system_row,
)
from emorl.runs.schema import COLUMNS, PUBLISHED
from emorl.weights import direction_key

Row = Mapping[str, Any]


class RunStore:
    """Everything a run has acknowledged, in one DuckDB file.

    Thread-safe: one lock guards the one connection.
    """

    def __init__(self, path: Path, objectives: Sequence[str]) -> None:
        """Open or create the file.

        Raises:
            RunLockedError: If another process holds it.
            SchemaVersionError: If another version of this project wrote it.
            StoreError: If it is no database, or holds other objectives.
        """
        self.path = path
        self.objectives = tuple(objectives)
        self._lock = threading.RLock()
        self._dirty: set[str] = set(PUBLISHED)
        self._connection = connect(path)
        try:
            prepare(self._connection, path, self.objectives)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Write everything out and let the file go."""
        with self._lock:
            self._connection.close()

    def add_prompts(self, prompts: Iterable[Prompt]) -> None:
        """Store the prompts of all splits."""
        self._insert({"prompts": [prompt_row(prompt) for prompt in prompts]})

    def add_training_step(self, step: TrainingStep) -> None:
        """Store one optimiser step."""
        self._insert({"training_steps": [row_of("training_steps", step)]})

    def add_validation(self, validation: Validation, samples: Sequence[TrainingSample]) -> None:
        """Store a validation and the texts kept of it."""
        self._insert(
            {
                "validations": [row_of("validations", validation)],
                "training_samples": [row_of("training_samples", sample) for sample in samples],
            }
        )

    def add_adapter(self, summary: AdapterSummary) -> None:
        """Store how the training of one adapter ended."""
        self._insert({"adapters": [row_of("adapters", summary)]})

    def add_evaluations(self, evaluations: Sequence[Evaluation]) -> None:
        """Store grid points, and the responses of those that were measured."""
        self._insert(
            {
                "evaluations": [evaluation_row(evaluation) for evaluation in evaluations],
                "responses": [
                    row for evaluation in evaluations for row in own_responses(evaluation)
                ],
            }
        )

    def add_round(self, round_: SearchRound) -> None:
        """Store the end of one round."""
        self._insert({"rounds": [row_of("rounds", round_)]})

    def add_system(self, score: SystemScore) -> None:
        """Store one system's scores and responses on the inference split."""
        self._insert({"systems": [system_row(score)], "system_responses": system_responses(score)})

    def replace_atlas(self, scored: ScoredAtlas) -> None:
        """Store the atlas of one prompt; an earlier one goes."""
        self.replace_atlases([scored])

    def replace_atlases(self, scored: Sequence[ScoredAtlas]) -> None:
        """Store atlases, all or none of them; earlier ones of the same prompts go."""
        tables: dict[str, list[Row]] = {}
        for one in scored:
            for name, rows in atlas_rows(one).items():
                tables.setdefault(name, []).extend(rows)
        keys = [value for one in scored for value in (one.split, one.prompt_index)]
        places = ", ".join(["(?, ?)"] * len(scored))
        if scored:
            where = f"(split, prompt_index) IN ({places})"
            self._insert(tables, replacing=where, values=tuple(keys))

    def replace_certificate(self, split: Split, certificate: Row, front: Sequence[Row]) -> None:
        """Store what is proven about the weights of one split's atlases; an earlier proof goes."""
        self._insert(
            {
                "certificates": [{"split": split} | dict(certificate)],
                "front": [
                    {"split": split, "position": position} | dict(row)
                    for position, row in enumerate(front)
                ],
            },
            replacing="split = ?",
            values=(split,),
        )

    def atlases(self) -> list[ScoredAtlas]:
        """Return the stored atlases, sorted by split and prompt."""
        return scored_atlases(
            self.records("atlases"),
            self.records("atlas_branches"),
            self.records("atlas_cells"),
        )

    def prompts(self) -> set[Prompt]:
        """Return the stored prompts of all splits."""
        rows = self._rows("SELECT split, prompt_index, prompt, reference FROM prompts")
        return {
            Prompt(split=split, index=index, prompt=prompt, reference=reference)
            for split, index, prompt, reference in rows
        }

    def claim_search(self, name: str, settings: str) -> None:
        """Give a name to a search with settings, unless it has it already.

        Raises:
            ConfigError: If a search with other settings has the name.
        """
        key = f"search {name}"
        with self._lock, our_errors(self.path):
            self._connection.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", [key, settings]
            )
            [(stored,)] = self._connection.execute(
                "SELECT value FROM meta WHERE key = ?", [key]
            ).fetchall()
        if stored != settings:
            raise ConfigError(
                f"The run has a search {name!r} with other settings ({stored}). Give the new one "
                "another name (--as NAME)."
            )

    def measurements(self, search: str = OWN_SEARCH) -> dict[tuple[int, int], Measurement]:
        """Return what a search has measured, by (round, point): it goes on from there."""
        return {
            (round_, point): measured
            for (name, round_, point), measured in self._measurements().items()
            if name == search
        }

    def measured(self) -> dict[str, Measurement]:
        """Return what any search has measured, by the key of its direction."""
        found = self._measurements().values()
        return {direction_key(one.direction): one for one in found if any(one.direction)}

    def _measurements(self) -> dict[tuple[str, int, int], Measurement]:
        responses: dict[str, list[Response]] = {}
        for key, index, text, n_tokens, scores in self._rows(
            "SELECT direction_key, prompt_index, text, n_tokens, scores FROM responses "
            "ORDER BY direction_key, prompt_index"
        ):
            responses.setdefault(key, []).append(
                Response(prompt_index=index, text=text, n_tokens=n_tokens, scores=tuple(scores))
            )
        return {
            (search, round_, point): Measurement(
                direction=tuple(direction),
                means=tuple(means),
                standard_errors=tuple(errors),
                responses=tuple(responses.get(key, ())),
                seconds=seconds,
            )
            for search, round_, point, key, direction, means, errors, seconds in self._rows(
                "SELECT search, round, point, direction_key, direction, means, standard_errors, "
                "seconds FROM evaluations WHERE means IS NOT NULL AND kind <> 'shared' "
                "ORDER BY search, round, point"
            )
        }

    def adapters(self) -> dict[str, AdapterSummary]:
        """Return the adapters whose training is complete, by name."""
        return {row["adapter"]: AdapterSummary(**row) for row in self.records("adapters")}

    def best_weights(self) -> Weights | None:
        """Return what the hierarchical search found so far; None before its first round."""
        rows = self._rows("SELECT best_weights FROM rounds ORDER BY round DESC LIMIT 1")
        return tuple(rows[0][0]) if rows else None

    def finished_systems(self) -> set[tuple[str, str]]:
        """Return the (system, decoding) pairs already scored on the inference split."""
        return {(s, d) for s, d in self._rows("SELECT system, decoding FROM systems")}

    def counts(self) -> dict[str, int]:
        """Return the number of rows of every table."""
        return {name: self._rows(f"SELECT count(*) FROM {name}")[0][0] for name in COLUMNS}

    def publish(self, folder: Path) -> list[str]:
        """Write a Parquet snapshot of each table that changed; return the names written.

        Each file is complete at every moment: it is written beside the old one and renamed.

        Raises:
            DiskError: If the disk is full or refuses the write; the old snapshots stay.
        """
        written = []
        with self._lock:
            for name in sorted(self._dirty):
                copy_to_parquet(self._connection, PUBLISHED[name], folder / f"{name}.parquet")
                self._dirty.discard(name)
                written.append(name)
        return written

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._lock, our_errors(self.path):
            return self._connection.execute(sql).fetchall()

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table, in no order."""
        names = COLUMNS[name].names
        rows = self._rows(f"SELECT {', '.join(names)} FROM {name}")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _insert(
        self,
        tables: Mapping[str, Sequence[Row]],
        *,
        replacing: str = "",
        values: tuple[Any, ...] = (),
    ) -> None:
        with self._lock, our_errors(self.path):
            try:
                self._connection.execute("BEGIN")
                for name in tables if replacing else ():
                    self._connection.execute(f"DELETE FROM {name} WHERE {replacing}", values)
                for name, rows in tables.items():
                    if rows:
                        self._insert_rows(name, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                rollback(self._connection)
                raise
            self._dirty.update(name for name, rows in tables.items() if rows or replacing)

    def _insert_rows(self, name: str, rows: Sequence[Row]) -> None:
        incoming = pa.Table.from_pylist(list(rows), schema=COLUMNS[name])
        self._connection.register("incoming", incoming)
        self._connection.execute(
            f"INSERT INTO {name} BY NAME SELECT * FROM incoming ON CONFLICT DO NOTHING"
        )
        # Not when that fails: no other statement may come between a failure and its rollback.
        self._connection.unregister("incoming")
