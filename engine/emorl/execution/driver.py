"""The driver: lets an executor run units, and acknowledges what they yield.

One writer stores; a message is acknowledged once its rows and its line of the ledger are
committed in one transaction. What is in the ledger already is not stored again: after a worker or
the driver was lost, a unit repeats some messages, which must be the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from emorl.errors import DivergedError, WorkerLostError
from emorl.execution.executor import Ended, Executor, Handle
from emorl.execution.units import Message, Unit

_LOG = logging.getLogger(__name__)

RETRIES = 3
"""How often a unit is begun again after its worker was lost."""


class Writer(Protocol):
    """Where units' results are kept; one per run, used by one thread."""

    def ledger(self, unit: str) -> Mapping[int, str]:
        """Return the digests of the messages of a unit that are stored, by number."""

    def is_done(self, unit: str) -> bool:
        """Tell whether all of a unit is stored."""

    def checkpoint(self, unit: str) -> tuple[bytes | None, int]:
        """Return the newest checkpoint that the ledger backs, and the first message after it."""

    def write(self, message: Message) -> None:
        """Store a message and its line of the ledger, both or neither; its files come first."""

    def finish(self, unit: str) -> None:
        """Store that a unit is done; its checkpoints are not needed any more."""


Watcher = Callable[[Unit, Message], None]
"""Called after a message is stored; what it raises stops the driver, and nothing is lost."""


def drive(
    executor: Executor,
    writer: Writer,
    units: Sequence[Unit],
    inputs: Handle | None = None,
    *,
    watch: Watcher | None = None,
    retries: int = RETRIES,
) -> None:
    """Let units run that are not done yet, and store what they yield.

    Args:
        executor: Where they run.
        writer: Where their results go.
        units: What to do, in the order of its start; a unit that is there twice runs once.
        inputs: What all of them read.
        watch: Receives each message once it is stored.
        retries: How often a unit is begun again, from its newest checkpoint, after its worker
            was lost.

    Raises:
        EmorlError: What a unit raised first; units that were running are given up, what they
            had yielded is stored.
        WorkerLostError: If the worker was lost at each try of a unit, once all others are done.
        DivergedError: If a unit that was begun again yields other results than are stored.
    """
    open_units = {unit.key: unit for unit in units if not writer.is_done(unit.key)}
    ledgers = {key: dict(writer.ledger(key)) for key in open_units}
    tries = dict.fromkeys(open_units, 0)
    for unit in open_units.values():
        executor.submit(_resumed(unit, writer), inputs)
    lost: list[str] = []
    try:
        for event in executor.events():
            if isinstance(event, Message):
                _acknowledge(event, ledgers[event.unit], writer)
                if watch is not None:
                    watch(open_units[event.unit], event)
            elif event.is_lost:
                _begin_again(event, executor, writer, inputs, tries, retries, lost)
            else:
                _finish(event, writer)
    except BaseException:
        executor.clear()
        raise
    if lost:
        raise WorkerLostError(
            f"{len(lost)} of {len(open_units)} units of work lost their worker "
            f"{retries + 1} times and were given up: {', '.join(lost)}. All others are stored. A "
            "worker that ends so has often run out of memory: give the units fewer workers or "
            "more memory, and start the same command again; it goes on from there."
        )


def _resumed(unit: Unit, writer: Writer) -> Unit:
    checkpoint, first = writer.checkpoint(unit.key)
    return replace(unit, checkpoint=checkpoint, first=first)


def _acknowledge(message: Message, ledger: dict[int, str], writer: Writer) -> None:
    stored = ledger.get(message.number)
    if stored is None:
        writer.write(message)
        ledger[message.number] = message.digest
    elif stored != message.digest:
        raise DivergedError(
            f"Work that was begun again gave other results than before (unit {message.unit}, "
            f"message {message.number}). What was stored is kept. Another processor or another "
            "version of a library rounds differently: go on with the machine that the run was "
            "begun on, or start a run of another name (--name NAME)."
        )


def _finish(event: Ended, writer: Writer) -> None:
    """Store that a unit is done, or raise what it raised."""
    if event.error is not None:
        raise event.error
    writer.finish(event.unit.key)


def _begin_again(
    event: Ended,
    executor: Executor,
    writer: Writer,
    inputs: Handle | None,
    tries: dict[str, int],
    retries: int,
    lost: list[str],
) -> None:
    key = event.unit.key
    tries[key] += 1
    if tries[key] > retries:
        lost.append(f"{event.unit.config.kind} ({key})")
        return
    _LOG.warning("A worker ended while it worked on %s; it is begun again.", key)
    executor.submit(_resumed(event.unit, writer), inputs)
