"""Ctrl-C is Ctrl-C, whatever a compiled library makes of its exception."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from emorl import __main__ as program
from emorl import interruption
from emorl.errors import InputError
from emorl.runs.folder import RunFolder
from emorl.runs.publishing import Heartbeat
from emorl.runs.store import RunStore

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


def run(command: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the exit code of a command that does this."""

    def call(_options: Namespace) -> int:
        command()
        return 0

    options = Namespace(quiet=True, command=call)
    parser = SimpleNamespace(parse_args=lambda _arguments: options)
    monkeypatch.setattr(program, "build_parser", lambda: parser)
    return program.main([])


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_command_with_130(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: signal.raise_signal(number), monkeypatch) == 130
    assert "goes on from what is stored" in capsys.readouterr().err


@pytest.mark.parametrize("made_of_it", [InputError("what a library made of it"), TypeError("it")])
def test_an_error_that_a_library_made_of_ctrl_c_is_ctrl_c(
    made_of_it: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise made_of_it from None

    assert run(command, monkeypatch) == 130


def test_a_dropped_ctrl_c_is_found_at_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interruption.check()

    assert run(command, monkeypatch) == 130


def test_an_error_of_a_command_that_nobody_stopped_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def command() -> None:
        raise InputError("wrong")

    assert run(lambda: signal.raise_signal(signal.SIGINT), monkeypatch) == 130
    assert run(command, monkeypatch) == 2  # the signal before does not count any more


def test_ctrl_c_stays_ignored_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(lambda: signal.raise_signal(signal.SIGINT), monkeypatch) == 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_deferred_signal_comes_after_the_block(number: signal.Signals) -> None:
    done: list[int] = []

    def work() -> None:
        with interruption.deferred():
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            done.append(1)
        done.append(2)

    with interruption.interruptible(), pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]
    interruption.check()  # what is over is forgotten


def test_a_second_ctrl_c_while_a_run_winds_down_leaves_its_last_word_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    store = RunStore(folder.database, ("letters", "numbers"))
    publish = store.publish

    def impatient(target: Path) -> None:
        status = folder.read_status()
        if status is not None and threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        publish(target)

    monkeypatch.setattr(store, "publish", impatient)

    def command() -> None:
        with Heartbeat(store, folder, {}):
            signal.raise_signal(signal.SIGINT)

    assert run(command, monkeypatch) == 130
    status = folder.read_status()
    assert status is not None
    assert status.phase == "interrupted"


def test_after_the_last_word_signals_are_ignored() -> None:
    script = (
        "import os, signal, sys; from emorl import __main__ as program\n"
        "program.main = lambda: 130\n"
        "sys.exit = lambda code: (os.kill(os.getpid(), signal.SIGINT), print(code))\n"
        "program.program()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "130\n", "")
