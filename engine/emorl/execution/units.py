"""Units of work: what a worker computes, named by its content, and the messages that it yields.

A unit is picklable and holds no store, lock, progress bar or live model. Its key hashes what its
result depends on, so that work that is done is found again, by whichever executor it was done.
Workers compute, the driver acknowledges: a message counts once its rows and its line of the
ledger are committed in one transaction (``driver``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Protocol

from emorl.errors import ConfigError, PlugInError
from emorl.registry import Registry

Row = Mapping[str, Any]

UNITS = Registry("units", "emorl.execution.work", "unit of work")
"""``Config`` is what a unit computes from, ``load(config, worker)`` makes its ``Work``."""

CHECKPOINTS = "checkpoints/"
"""Files of messages below this folder are checkpoints: replaced as work goes on, no results."""

_NOT_RESULTS = frozenset({"seconds", "stored_at"})
"""Columns that differ between two runs of one unit."""


@dataclass(frozen=True)
class Unit:
    """One piece of work that a worker can do alone."""

    config: Any
    """Settings of the unit's kind: a frozen data class of plain values, with a field ``kind``."""
    inputs_digest: str = ""
    """``digest_of`` the inputs (finished adapters), which travel apart from the unit."""
    checkpoint: bytes | None = field(default=None, compare=False, repr=False)
    """Where to go on from, as one of the unit's own messages had it; None: from the start."""
    first: int = field(default=0, compare=False)
    """Number of the first message that is still to come after ``checkpoint``."""

    @cached_property
    def key(self) -> str:
        """``u_`` and 16 hexadecimal digits; the same for whatever gives the same result."""
        return f"u_{content_key([asdict(self.config), self.inputs_digest])}"


@dataclass(frozen=True, slots=True)
class Output:
    """What a unit yields: rows and files that belong together."""

    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    """Rows by table of the run's store."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Contents by path relative to the run's folder."""
    note: str = ""
    """The latest figure in words, for people who wait."""
    done: int = 0
    """Steps of the unit's work that this output is."""


@dataclass(frozen=True, slots=True)
class Message:
    """A numbered output on its way to the driver."""

    unit: str
    """Key of the unit."""
    number: int
    """From 0, without gaps."""
    output: Output
    digest: str
    """Of the results in the output; timings and checkpoints do not count."""


class Work(Protocol):
    """What a kind of unit does."""

    def outputs(self, checkpoint: bytes | None, first: int) -> Iterator[Output]:
        """Yield the unit's outputs from number ``first`` on.

        Args:
            checkpoint: As an output of this unit had it in ``files``; None at the start.
            first: How many outputs an earlier try has stored up to that checkpoint.
        """


class Worker(Protocol):
    """What a process that runs units keeps between them: loaded models, the inputs."""

    @property
    def inputs(self) -> bytes | None:
        """What the driver shares with the unit that runs, e.g. adapters; None if nothing."""

    def keep(self, key: str, make: Callable[[], Any]) -> Any:
        """Return what was made under this key before; make it if it is not kept any more."""


def run_unit(unit: Unit, worker: Worker) -> Iterator[Message]:
    """Do a unit's work; this is all that a worker runs.

    Raises:
        EmorlError: What the work raises.
        PlugInError: If a plug-in's work yields something else than ``Output``.
    """
    work: Work = UNITS.load(unit.config, worker)
    for number, output in enumerate(work.outputs(unit.checkpoint, unit.first), unit.first):
        if not isinstance(output, Output):
            raise PlugInError(
                f"The unit of kind {unit.config.kind!r} must yield Output, got "
                f"{type(output).__name__}."
            )
        yield Message(unit.key, number, output, result_digest(output))


def result_digest(output: Output) -> str:
    """Return what two runs of one unit on one kind of machine have in common."""
    tables = {
        name: [_results(row) for row in rows] for name, rows in output.tables.items() if rows
    }
    files = {
        name: digest_of(content)
        for name, content in output.files.items()
        if not name.startswith(CHECKPOINTS)
    }
    return content_key([tables, files])


def content_key(value: Any) -> str:
    """Return 16 hexadecimal digits of a hash of plain values, whatever the order of keys.

    Raises:
        ConfigError: If a value is of a type that JSON has no form for.
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"What a unit, policy or system depends on must be plain values (texts, numbers, "
            f"lists, tables), got something else: {error}."
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def _results(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _NOT_RESULTS}
