"""Read a run's prompts: the embedded corpus or a file, split by prompt in file order.

Nothing is dropped in silence: a bad row refuses the file, or is listed in ``PromptData.skipped``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emorl.config import DataConfig
from emorl.data.readers import READERS
from emorl.data.rows import BadRow, Exchange
from emorl.data.splits import split_prompts
from emorl.errors import DataError
from emorl.records import Prompt, Split

_SHOWN_BAD_ROWS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptData:
    """The prompts of a run, and what was left out."""

    prompts: list[Prompt]
    """Train, then aggregation, then inference; within a split in file order."""
    skipped: list[BadRow]
    """Bad rows, in file order; empty unless ``data.on_bad_row`` is ``skip``."""
    n_repeated: int
    """Rows whose prompt an earlier row had; they count as that prompt."""

    def of(self, split: Split) -> list[Prompt]:
        """Return the prompts of one split, in order of ``index``."""
        return [prompt for prompt in self.prompts if prompt.split == split]


def load_prompts(config: DataConfig, *, seed: int) -> PromptData:
    """Read and split the prompts that ``config`` names.

    Args:
        config: The ``[data]`` settings.
        seed: Seed of the embedded corpus; files do not depend on it.

    Raises:
        DataError: If the file is missing or of another format, if a row is bad and
            ``on_bad_row`` is ``refuse``, or if a split would be empty.
    """
    if config.kind == "embedded":
        # Imported here: the corpus is not needed to read a file.
        from emorl.data.corpus import embedded_prompts

        return _prompt_data(embedded_prompts(config.n_prompts, seed), [], config)
    try:
        path = Path(config.path).expanduser()
        _check_file(path)
    except (OSError, RuntimeError) as error:
        raise DataError(f"Cannot look for the data file {config.path!r}: {error}.") from error
    try:
        rows = list(READERS[config.kind](path, config))
    except OSError as error:
        raise DataError(
            f"Cannot read the data file {path}: {error.strerror or error}. Check its permissions."
        ) from error
    good = [(row.prompt, row.reference) for row in rows if isinstance(row, Exchange)]
    bad = [row for row in rows if isinstance(row, BadRow)]
    _check_rows(path, good, bad, config)
    return _prompt_data(good, bad, config)


def _prompt_data(
    exchanges: Sequence[tuple[str, str]], skipped: list[BadRow], config: DataConfig
) -> PromptData:
    prompts = split_prompts(exchanges, config)
    return PromptData(prompts=prompts, skipped=skipped, n_repeated=len(exchanges) - len(prompts))


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"data.path must name a file, but {path} is a folder. Name a file in it.")
    if not path.exists():
        raise DataError(
            f"There is no data file {path}. Check data.path; a relative path starts at the "
            "working directory."
        )
    if path.stat().st_size == 0:
        raise DataError(f"The data file {path} is empty. Check that it was written completely.")


def _check_rows(
    path: Path, good: list[tuple[str, str]], bad: list[BadRow], config: DataConfig
) -> None:
    if not good and not bad:
        raise DataError(f"The data file {path} holds no rows. Check data.path and data.kind.")
    if not good:
        raise DataError(
            f"{path} has no usable row: {_bad_rows(bad)}. Check data.kind "
            f"({config.kind!r}) and the column settings."
        )
    if bad and config.on_bad_row == "refuse":
        number = "1 bad row" if len(bad) == 1 else f"{len(bad)} bad rows"
        raise DataError(
            f"{path} has {number} beside {len(good)} good: {_bad_rows(bad)}. Mend the file, or "
            'set on_bad_row = "skip" under [data] to leave such rows out.'
        )


def _bad_rows(bad: list[BadRow]) -> str:
    shown = "; ".join(
        f"line {row.line}: {row.reason} ({row.excerpt!r})" for row in bad[:_SHOWN_BAD_ROWS]
    )
    more = len(bad) - _SHOWN_BAD_ROWS
    return f"{shown}; and {more} more" if more > 0 else shown
