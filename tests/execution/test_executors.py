"""Executors and driver: the same rows wherever units run, nothing lost or stored twice."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from emorl.errors import (
    ConfigError,
    DivergedError,
    PlugInError,
    TrainingError,
    WorkerLostError,
)
from emorl.execution.driver import drive
from emorl.execution.executor import Executor
from emorl.execution.processes import ProcessExecutor
from emorl.execution.serial import SerialExecutor
from emorl.execution.units import Output, Unit, content_key, result_digest
from tests.support.counting import Config, MemoryWriter

ROOT = Path(__file__).parents[2]

MAKERS: dict[str, Callable[[], Executor]] = {
    "serial": SerialExecutor,
    "processes": lambda: ProcessExecutor([{}, {}]),
}


@pytest.fixture(params=MAKERS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with MAKERS[request.param]() as made:
        yield made


@pytest.fixture
def processes() -> Iterator[ProcessExecutor]:
    with ProcessExecutor([{}, {}]) as made:
        yield made


def units(n_units: int = 3, **settings: object) -> list[Unit]:
    return [Unit(Config(name=f"u{i}", **settings)) for i in range(n_units)]  # type: ignore[arg-type]


def expected(n: int = 3, numbers: int = 5, size: int = 0) -> list[tuple[object, object, object]]:
    return [(f"u{i}", number, size) for i in range(n) for number in range(numbers)]


def test_every_executor_gives_the_same_rows_once(executor: Executor) -> None:
    writer = MemoryWriter()
    drive(executor, writer, units() + units())
    assert writer.counts() == expected()
    assert writer.n_finished == 3


def test_what_is_done_is_not_done_again(executor: Executor) -> None:
    writer = MemoryWriter()
    drive(executor, writer, units(2))
    seen: list[str] = []
    drive(executor, writer, units(3), watch=lambda unit, _: seen.append(unit.config.name))
    assert seen == ["u2"] * 5
    assert writer.counts() == expected()


def test_units_read_what_is_shared(executor: Executor) -> None:
    writer = MemoryWriter()
    drive(executor, writer, units(2), executor.share(b"x" * 1000))
    assert writer.counts() == expected(2, size=1000)


def test_a_unit_that_fails_says_why_and_what_came_before_is_kept(executor: Executor) -> None:
    writer = MemoryWriter()
    with pytest.raises(TrainingError, match="u0 cannot count to 3"):
        drive(executor, writer, units(1, fails_at=3))
    assert writer.counts() == expected(1, numbers=3)
    drive(executor, writer, units(1))  # other settings: another unit
    assert len(writer.counts()) == 3 + 5


def test_a_watcher_that_raises_stops_the_driver_and_the_next_one_goes_on(
    executor: Executor,
) -> None:
    writer = MemoryWriter()

    def stop(_: object, __: object) -> None:
        if len(writer.rows) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(executor, writer, units(1), watch=stop)
    executor.close()
    with SerialExecutor() as other:
        drive(other, writer, units(1))
    assert writer.counts() == expected(1)


def test_a_killed_worker_costs_its_unit_only_and_goes_on_from_its_checkpoint(
    processes: ProcessExecutor, tmp_path: Path
) -> None:
    writer = MemoryWriter()
    seen: list[int] = []
    broken = Unit(Config(name="u0", kills_at=3, kills=2, folder=str(tmp_path)))
    others = units(3)[1:]
    drive(
        processes,
        writer,
        [broken, *others],
        watch=lambda unit, message: seen.append(message.number) if unit == broken else None,
    )
    assert writer.counts() == expected()
    # Two kills at number 3, each time begun again at the checkpoint of number 2.
    assert seen == [0, 1, 2, 2, 2, 3, 4]


def test_a_unit_that_kills_every_worker_is_given_up_and_the_others_are_done(
    processes: ProcessExecutor, tmp_path: Path
) -> None:
    writer = MemoryWriter()
    poisoned = Unit(Config(name="poisoned", kills_at=0, kills=99, folder=str(tmp_path)))
    with pytest.raises(WorkerLostError, match="1 of 4 units of work lost their worker 4 times"):
        drive(processes, writer, [poisoned, *units(3)])
    assert writer.counts() == expected()


def test_workers_that_are_killed_while_they_are_idle_or_busy_lose_nothing(
    processes: ProcessExecutor,
) -> None:
    writer = MemoryWriter()
    drive(processes, writer, units(2))
    for worker in processes.process_ids:
        os.kill(worker, signal.SIGKILL)
    n_killed = 0

    def kill_some(_: object, __: object) -> None:
        nonlocal n_killed
        if len(writer.rows) % 13 == 0:
            os.kill(processes.process_ids[n_killed % 2], signal.SIGKILL)
            n_killed += 1

    drive(processes, writer, units(6, n=8, is_slow=True)[2:], watch=kill_some, retries=50)
    assert n_killed >= 2
    assert writer.counts() == sorted(expected(2) + expected(6, numbers=8)[16:])


def test_work_that_gives_other_results_than_are_stored_is_not_hidden(executor: Executor) -> None:
    writer = MemoryWriter()
    unit = Unit(Config(name="u0", is_random=True, checkpoint_every=99))

    def stop(_: object, __: object) -> None:
        if len(writer.rows) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(executor, writer, [unit], watch=stop)
    executor.close()
    with SerialExecutor() as other, pytest.raises(DivergedError, match="other results"):
        drive(other, writer, [unit])
    assert len(writer.rows) == 2


def test_a_key_says_what_a_result_depends_on() -> None:
    unit = Unit(Config(name="a"))
    assert unit.key == Unit(Config(name="a"), checkpoint=b"1", first=1).key
    others = [Unit(Config(name="b")), Unit(Config(name="a", n=6)), Unit(Config(name="a"), "x")]
    assert len({unit.key, *(other.key for other in others)}) == 4
    assert pickle.loads(pickle.dumps(replace(unit, first=3))).key == unit.key


def test_timings_and_checkpoints_are_no_results() -> None:
    one = Output({"t": [{"a": 1.5, "seconds": 1.0}]}, {"checkpoints/x": b"1", "adapters/x": b"2"})
    same = Output({"t": [{"a": 1.5, "seconds": 9.0}]}, {"checkpoints/x": b"9", "adapters/x": b"2"})
    assert result_digest(one) == result_digest(same)
    assert result_digest(one) != result_digest(replace(one, files={"adapters/x": b"3"}))
    assert result_digest(one) != result_digest(replace(one, tables={"t": [{"a": 1.0}]}))


def test_keys_are_of_plain_values_only() -> None:
    assert content_key({"a": 1, "b": [1.5, "x"]}) == content_key({"b": [1.5, "x"], "a": 1})
    with pytest.raises(ConfigError, match="must be plain values"):
        content_key({"a": object()})


def test_a_unit_of_an_unknown_kind_is_refused_in_words(executor: Executor) -> None:
    with pytest.raises(ConfigError, match="There is no unit of work of kind 'nothing'"):
        drive(executor, MemoryWriter(), [Unit(replace(Config(name="u0"), kind="nothing"))])


def test_a_unit_that_a_worker_cannot_read_fails_and_nobody_waits_for_ever(
    processes: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("only_the_driver_has_it")
    settings: Any = dataclass(frozen=True)(
        type("Settings", (), {"__annotations__": {"kind": str}, "__module__": module.__name__})
    )
    vars(module)["Settings"] = settings
    monkeypatch.setitem(sys.modules, module.__name__, module)
    writer = MemoryWriter()
    with pytest.raises(PlugInError, match=r"cannot read a unit of work.*only_the_driver_has_it"):
        drive(processes, writer, [Unit(settings(kind="x")), *units(1)])
    # The workers are as good as before.
    drive(processes, writer, units(2))
    assert writer.counts() == expected(2)


def test_workers_end_with_their_driver() -> None:
    code = (
        "import os, sys, signal\n"
        "from emorl.execution.processes import ProcessExecutor\n"
        "from emorl.execution.units import Unit\n"
        "from tests.support.counting import Config\n"
        "executor = ProcessExecutor([{}, {}])\n"
        "for name in 'ab': executor.submit(Unit(Config(name=name, n=10**6, is_slow=True)))\n"
        "events = executor.events(); next(events); next(events)\n"
        "print(*executor.process_ids, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    workers = [int(word) for word in done.stdout.split()]
    assert len(workers) == 2, done.stderr[-2000:]
    assert all(_ends(worker) for worker in workers)


def _ends(process: int) -> bool:
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_an_executor_can_be_used_again_after_a_failure(executor: Executor) -> None:
    writer = MemoryWriter()
    with pytest.raises(TrainingError):
        drive(executor, writer, [*units(1, fails_at=0), *units(3, n=40)[1:]])
    drive(executor, other := MemoryWriter(), units(2))
    assert other.counts() == expected(2)


def test_workers_that_end_before_they_begin_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(1)")
    writer = MemoryWriter()
    # Larger than a pipe: sending it meets the end of the worker.
    monkeypatch.setattr(writer, "checkpoint", lambda _: (b"x" * 10**6, 0))
    broken = ProcessExecutor([{"PYTHONPATH": str(tmp_path)}])
    with broken, pytest.raises(WorkerLostError, match="lost their worker 4 times"):
        drive(broken, writer, units(1))


def test_a_killed_worker_is_noticed_though_a_process_that_it_forked_lives_on(
    processes: ProcessExecutor, tmp_path: Path
) -> None:
    writer = MemoryWriter()
    forking = Unit(Config(name="u0", kills_at=1, kills=1, folder=str(tmp_path), forks=True))
    drive(processes, writer, [forking])
    assert writer.counts() == expected(1)
