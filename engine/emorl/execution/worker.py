"""A worker process: ``python -m emorl.execution.worker``, started by ``processes``.

It reads units from its standard input and writes what they yield to its standard output.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO

from emorl.errors import FailureError, PlugInError
from emorl.execution.executor import Keep
from emorl.execution.processes import UnitEnded, messages, send
from emorl.execution.units import Unit, run_unit


def main() -> None:
    """Run units until the driver is gone."""
    # Ctrl-C reaches all processes of a terminal; the driver decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print must not come between the messages.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    units: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, units), daemon=True).start()
    worker = Keep()
    while True:
        send(answers, UnitEnded(_run(units.get(), worker, answers)))


def _receive(pipe: IO[bytes], units: queue.Queue[bytes]) -> None:
    try:
        for received in messages(pipe):
            units.put(received)
    finally:
        os._exit(0)  # the driver is gone: nobody reads what the running unit would yield


def _run(content: bytes, worker: Keep, answers: IO[bytes]) -> BaseException | None:
    """Run a unit that came pickled; return what it raised."""
    try:
        unit, path = _unit(content)
        worker.inputs = Path(path).read_bytes() if path else None
        for message in run_unit(unit, worker):
            send(answers, message)
    except BrokenPipeError:
        os._exit(0)
    except Exception as error:  # noqa: BLE001 - the driver raises it again
        return _that_travels(error)
    return None


def _unit(content: bytes) -> tuple[Unit, str | None]:
    try:
        unit, path = pickle.loads(content)
    except Exception as error:
        raise PlugInError(
            f"A worker cannot read a unit of work: {type(error).__name__}: {error}. Its settings "
            "must be of a class that every worker can import."
        ) from error
    return unit, path


def _that_travels(error: Exception) -> Exception:
    """Return an error that can be pickled, as errors of libraries cannot always."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever it is, its words travel
        return FailureError(f"{type(error).__name__}: {error}")
    return error


if __name__ == "__main__":
    main()
