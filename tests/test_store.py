from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emorl.atlas.cells import Branch, Cell, PromptAtlas
from emorl.atlas.rows import ScoredAtlas
from emorl.errors import DiskError, RunLockedError, SchemaVersionError, StoreError
from emorl.records import (
    AdapterSummary,
    Evaluation,
    EvaluationKind,
    Measurement,
    Prompt,
    Response,
    SearchRound,
    SystemScore,
    TrainingSample,
    TrainingStep,
    Validation,
    Weights,
)
from emorl.runs.schema import COLUMNS, UPGRADES
from emorl.runs.store import RunStore

OBJECTIVES = ("calm", "bright")


def response(prompt: int, text: str = "I hear you.") -> Response:
    return Response(prompt_index=prompt, text=text, n_tokens=4, scores=(0.25, 0.5))


MEASURED = Measurement(
    direction=(0.5, 0.5),
    means=(0.25, 0.5),
    standard_errors=(0.01, 0.02),
    responses=(response(0), response(1, "Naïve <b>ünïcode</b> 🙂")),
    seconds=1.5,
)


def evaluation(
    point: int, kind: EvaluationKind, weights: Weights, measured: Measurement | None = MEASURED
) -> Evaluation:
    return Evaluation(
        round=1,
        point=point,
        weights=weights,
        kind=kind,
        box_lower=(0.0, 0.0),
        box_upper=(1.0, 1.0),
        measurement=measured,
    )


EVALUATIONS = [
    evaluation(0, "zero", (0.0, 0.0), None),
    evaluation(1, "measured", (0.5, 0.5)),
    evaluation(2, "shared", (1.0, 1.0)),
]
STEP = TrainingStep(
    adapter="calm",
    step=1,
    data_points=16,
    samples=48,
    tokens=700,
    seconds=0.5,
    loss=-0.1,
    reward=0.4,
    kl=0.02,
    gradient_norm=1.0,
)

ATLAS = PromptAtlas(
    branches=(Branch((7,), (8, 9), np.array([[1.0, 0.0], [0.0, 1.0]]), (-1, -2)),),
    cells=(
        Cell((7, 8), "Calm.", np.array([[1.0, 0.0], [0.5, 0.5]]), 0.5),
        Cell((7, 9), "Bright", np.array([[0.5, 0.5], [0.0, 1.0]]), 0.5, is_open=True),
    ),
    n_members=2,
    covered=0.5,
    dropped=0.0,
    node_forwards=3,
)
SCORED_ATLAS = ScoredAtlas(
    "aggregation", 0, ATLAS, np.array([[0.25, 0.5], [np.nan, np.nan]]), seconds=0.5
)
FRONT_ROW = {
    "weights": (0.75, 0.25),
    "radius": 0.25,
    "area": 0.5,
    "means": (0.25, 0.5),
    "is_supported": True,
    "is_complete": True,
}
CERTIFICATE = {
    "weights": (0.75, 0.25),
    "radius": 0.25,
    "area": 0.5,
    "corners": [1.0, 0.0, 0.5, 0.5],
    "means": (0.25, 0.5),
    "mean_reward": 0.375,
    "upper_bound": 0.375,
    "gap": 0.0,
    "regions": 2,
    "seconds": 0.1,
    "searched_weights": (1.0, 0.5),
    "regret": 0.0,
}


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run.duckdb", OBJECTIVES)


def test_every_kind_of_record_comes_back_from_its_snapshot(
    store: RunStore, tmp_path: Path
) -> None:
    store.add_prompts([Prompt(split="train", index=0, prompt="Hello", reference="Hi")])
    store.add_training_step(STEP)
    store.add_validation(
        Validation(
            adapter="calm",
            step=0,
            data_points=0,
            samples=0,
            seconds=0.0,
            means=(0.1, 0.2),
            standard_errors=(0.01, 0.01),
            n_distinct=3,
            n_responses=4,
            converged=False,
        ),
        [TrainingSample(adapter="calm", step=0, prompt_index=0, text="ok", scores=(0.1, 0.2))],
    )
    summary = AdapterSummary(
        adapter="calm",
        steps=1,
        data_points=16,
        samples=48,
        tokens=700,
        seconds=0.5,
        converged=False,
        n_distinct=9,
        n_responses=10,
    )
    store.add_adapter(summary)
    store.add_evaluations(EVALUATIONS)
    store.add_round(
        SearchRound(
            round=1,
            box_lower=(0.0, 0.0),
            box_upper=(1.0, 1.0),
            chosen_lower=(0.5, 0.5),
            chosen_upper=(1.0, 1.0),
            best_weights=(0.5, 0.5),
            best_mean_reward=0.375,
        )
    )
    store.add_system(
        SystemScore(
            system="base",
            decoding="greedy",
            weights=None,
            means=(0.25, 0.5),
            standard_errors=(0.01, 0.01),
            responses=(response(0),),
        )
    )
    store.replace_atlas(SCORED_ATLAS)
    store.replace_certificate("aggregation", CERTIFICATE, [FRONT_ROW])
    assert set(store.publish(tmp_path / "published")) == set(COLUMNS)
    rows = {
        name: pq.read_table(tmp_path / "published" / f"{name}.parquet").to_pylist()
        for name in COLUMNS
    }
    assert {name: len(found) for name, found in rows.items()} == store.counts()
    assert all(rows.values())
    assert rows["evaluations"][1]["means"] == [0.25, 0.5]
    assert rows["evaluations"][0]["means"] is None
    assert rows["responses"][1]["text"] == "Naïve <b>ünïcode</b> 🙂"
    assert rows["training_steps"][0]["tokens"] == 700
    assert rows["systems"][0]["mean_reward"] == 0.375
    assert store.adapters() == {"calm": summary}
    assert store.finished_systems() == {("base", "greedy")}


def test_responses_of_one_ray_are_stored_once(store: RunStore) -> None:
    store.add_evaluations(EVALUATIONS)
    assert store.counts()["evaluations"] == 3
    assert store.counts()["responses"] == 2


def test_measurements_come_back_by_round_and_point(store: RunStore) -> None:
    store.add_evaluations(EVALUATIONS)
    assert store.measurements() == {(1, 1): MEASURED}


def test_an_atlas_comes_back_as_it_was(store: RunStore) -> None:
    store.replace_atlas(SCORED_ATLAS)
    (found,) = store.atlases()
    assert (found.split, found.prompt_index, found.seconds) == ("aggregation", 0, 0.5)
    np.testing.assert_array_equal(found.scores, SCORED_ATLAS.scores)
    for one, other in zip(found.atlas.cells, ATLAS.cells, strict=True):
        assert (one.tokens, one.text, one.area, one.is_open) == (
            other.tokens,
            other.text,
            other.area,
            other.is_open,
        )
        np.testing.assert_array_equal(one.vertices, other.vertices)
    np.testing.assert_array_equal(found.atlas.branches[0].vectors, ATLAS.branches[0].vectors)
    weights = np.array([[3.0, 1.0], [1.0, 3.0]])
    assert found.atlas.lookup(weights).tolist() == ATLAS.lookup(weights).tolist() == [0, 1]


def test_a_later_atlas_of_a_prompt_takes_the_place_of_the_earlier(store: RunStore) -> None:
    store.replace_atlas(SCORED_ATLAS)
    store.replace_atlas(replace(SCORED_ATLAS, prompt_index=1))
    whole = PromptAtlas((), (Cell((7,), "One.", np.eye(2), 1.0),), 2, 1.0, 0.0, 9)
    store.replace_atlas(ScoredAtlas("aggregation", 0, whole, np.array([[0.1, 0.2]]), 1.0))
    first, second = store.atlases()
    assert (len(first.atlas.cells), first.atlas.node_forwards) == (1, 9)
    assert len(second.atlas.cells) == 2
    assert store.counts()["atlas_branches"] == 1


def test_atlases_are_stored_together_or_not_at_all(store: RunStore) -> None:
    other = replace(SCORED_ATLAS, split="own", prompt_index=1)
    store.replace_atlases([SCORED_ATLAS, other])
    text: Any = "first"
    spoiled = replace(SCORED_ATLAS, prompt_index=text)
    with pytest.raises(pa.ArrowInvalid, match="first"):
        store.replace_atlases([replace(SCORED_ATLAS, seconds=9.0), spoiled])
    store.replace_atlases([])
    assert [(one.split, one.seconds) for one in store.atlases()] == [
        ("aggregation", 0.5),
        ("own", 0.5),
    ]


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    old = RunStore(path, OBJECTIVES)
    old.add_training_step(STEP)
    old.close()
    with duckdb.connect(str(path)) as connection:
        for name in UPGRADES[1]:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    store = RunStore(path, OBJECTIVES)
    store.replace_atlas(SCORED_ATLAS)
    assert store.counts()["training_steps"] == store.counts()["atlases"] == 1
    store.close()
    RunStore(path, OBJECTIVES).close()


def test_storing_a_row_again_changes_nothing(store: RunStore) -> None:
    store.add_evaluations(EVALUATIONS)
    other = evaluation(1, "measured", (0.5, 0.5), None)
    store.add_evaluations([other])
    assert store.measurements() == {(1, 1): MEASURED}


def test_the_wide_view_has_a_column_per_objective(store: RunStore, tmp_path: Path) -> None:
    store.add_evaluations(EVALUATIONS)
    store.close()
    with duckdb.connect(str(tmp_path / "run.duckdb"), read_only=True) as connection:
        frame = connection.execute(
            "SELECT round, w_calm, w_bright, calm, bright, calm_se, bright_se, mean_reward "
            "FROM evaluations_wide WHERE kind = 'measured'"
        ).fetchall()
    assert frame == [(1, 0.5, 0.5, 0.25, 0.5, 0.01, 0.02, 0.375)]


def test_only_what_changed_is_published_again(store: RunStore, tmp_path: Path) -> None:
    store.publish(tmp_path)
    assert store.publish(tmp_path) == []
    store.add_training_step(STEP)
    assert store.publish(tmp_path) == ["training_steps"]


def test_threads_do_not_disturb_each_other(store: RunStore, tmp_path: Path) -> None:
    def write(adapter: str) -> None:
        for step in range(1, 21):
            store.add_training_step(
                TrainingStep(
                    adapter=adapter,
                    step=step,
                    data_points=step,
                    samples=0,
                    tokens=0,
                    seconds=0.0,
                    loss=0.0,
                    reward=0.0,
                    kl=0.0,
                    gradient_norm=0.0,
                )
            )
            store.publish(tmp_path / "published")

    threads = [threading.Thread(target=write, args=(name,)) for name in OBJECTIVES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts()["training_steps"] == 40


def test_a_second_process_is_refused(store: RunStore) -> None:
    code = (
        "import sys; from pathlib import Path; from emorl.runs.store import RunStore\n"
        "from emorl.errors import RunLockedError\n"
        "try: RunStore(Path(sys.argv[1]), ('calm', 'bright'))\n"
        "except RunLockedError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(store.path)], capture_output=True, text=True, check=True
    )
    assert "Another process works on" in result.stdout
    assert issubclass(RunLockedError, StoreError)


def test_another_schema_version_is_refused(store: RunStore) -> None:
    store.close()
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(SchemaVersionError, match=r"schema version 99.*reads 2"):
        RunStore(store.path, OBJECTIVES)


def test_other_objectives_are_refused(store: RunStore) -> None:
    store.close()
    with pytest.raises(StoreError, match="holds the objectives calm,bright"):
        RunStore(store.path, ("calm", "dark"))


def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="Cannot open"):
        RunStore(path, OBJECTIVES)
    assert path.read_bytes() == b"no database" * 1000


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    with pytest.raises(StoreError, match="not one of a run"):
        RunStore(path, OBJECTIVES)


def test_a_full_disk_loses_nothing_acknowledged(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: the write fails in the same way.
    code = """
import resource, signal, sys
from pathlib import Path
from emorl.errors import DiskError
from emorl.runs.store import RunStore
from tests.test_store import EVALUATIONS, MEASURED, evaluation, response
from dataclasses import replace
store = RunStore(Path(sys.argv[1]), ("calm", "bright"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
import random
rng = random.Random(0)
acknowledged = 0
try:
    for point in range(1, 5000):
        text = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=20_000))
        measured = replace(MEASURED, responses=(response(0, text),))
        store.add_evaluations([evaluation(point, "measured", (1.0, 1 / point), measured)])
        acknowledged = point
except DiskError as error:
    print(acknowledged, "goes on from there" in str(error))
"""
    path = tmp_path / "run.duckdb"
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    acknowledged, says_how_to_go_on = result.stdout.split()
    assert says_how_to_go_on == "True"
    assert int(acknowledged) > 0
    found = RunStore(path, OBJECTIVES).measurements()
    assert set(found) >= {(1, point) for point in range(1, int(acknowledged) + 1)}
    assert issubclass(DiskError, StoreError)


def test_ctrl_c_at_any_moment_is_ctrl_c_and_leaves_a_usable_store(store: RunStore) -> None:
    store.add_training_step(STEP)  # the first call imports modules, where Ctrl-C is not ours
    acknowledged = interrupts = 1
    rng = random.Random(0)
    while interrupts <= 40:
        interrupter = threading.Timer(
            rng.uniform(0.0, 0.01), signal.raise_signal, (signal.SIGINT,)
        )
        try:
            interrupter.start()
            while True:
                store.add_training_step(replace(STEP, step=acknowledged + 1))
                acknowledged += 1
        except KeyboardInterrupt:
            interrupts += 1
        # A step that was written when Ctrl-C came is there, though nobody could count it.
        stored = store.counts()["training_steps"]
        assert 0 <= stored - acknowledged <= 1
        acknowledged = stored
    assert acknowledged > interrupts
