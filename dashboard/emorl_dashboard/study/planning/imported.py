"""Responses of other people's systems, from CSV or JSONL.

One row per response, with these columns:

- ``system`` (text), ``prompt`` (text) and ``response`` (text, may be empty) are required;
- ``data_set`` (text): by default the name of the file;
- ``prompt_index`` (whole number, from 0 to 2**31 - 1): by default prompts are numbered in
  the order of their first row in the data set. One number stands for one prompt.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emorl.errors import DataError
from emorl_dashboard.study.protocol.guidelines import TOTAL

Row = dict[str, Any]

REQUIRED = ("system", "prompt", "response")
OPTIONAL = ("data_set", "prompt_index")
MAX_FILE_BYTES = 100_000_000
LONGEST_NAME = 80
LARGEST_INDEX = 2**31 - 1


def read_responses(path: Path, *, data_set: str = "") -> list[Row]:
    """Return the rows of a file with the columns system, data_set, prompt_index, prompt, text.

    Args:
        path: CSV or JSONL.
        data_set: Of rows that name none; empty: the name of the file.

    Raises:
        DataError: If the file cannot be read or a row does not fit; the message names the row.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(
            f"{path} has no rows. Expected one row per response with the columns "
            f"{', '.join(REQUIRED)}."
        )
    prompts: dict[tuple[str, int], str] = {}
    numbers: dict[str, dict[str, int]] = {}
    seen: dict[tuple[str, str, int], str] = {}
    found = []
    for where, row in rows:
        system, prompt, text = (_text(row, name, where) for name in REQUIRED)
        own = checked_name(row.get("data_set") or data_set or path.stem, "data_set", where)
        index = _index(row.get("prompt_index"), where)
        if index is None:
            known = numbers.setdefault(own, {})
            index = known.setdefault(prompt, len(known))
        if prompts.setdefault((own, index), prompt) != prompt:
            raise DataError(
                f"{where}: prompt {index} of data set {own!r} has two texts. Give each "
                "prompt a number of its own, or leave the column prompt_index out."
            )
        key = (checked_name(system, "system", where), own, index)
        if key in seen:
            raise DataError(
                f"{where}: system {system!r} answers prompt {index} of data set {own!r} "
                f"a second time; the first is in {seen[key]}. Keep one."
            )
        seen[key] = where
        found.append(
            {
                "system": key[0],
                "data_set": own,
                "prompt_index": index,
                "prompt": prompt,
                "text": text,
            }
        )
    return found


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(
                f"{path} has {path.stat().st_size} bytes, at most {MAX_FILE_BYTES} are read. "
                "Keep the rows that are to be rated."
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"Cannot read {path}: {error}. Expected a CSV or JSONL file in UTF-8."
        ) from error
    if path.suffix.lower() == ".csv":
        yield from _csv_rows(path, text)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _json_rows(path, text)
    else:
        raise DataError(f"{path.name} must end in .csv or .jsonl.")


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    # Not splitlines: a text may hold U+2028 or a form feed, which end no line of the file.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = reader.fieldnames or ()
        twice = [name for name in (*REQUIRED, *OPTIONAL) if list(names).count(name) > 1]
        if twice:
            raise DataError(
                f"{path.name} has more than one column {', '.join(twice)}. Keep one of each."
            )
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(
                f"{path.name} lacks the columns {', '.join(missing)}; it has "
                f"{', '.join(reader.fieldnames or ()) or 'none'}."
            )
        for number, row in enumerate(reader, start=1):
            if None in row:
                raise DataError(
                    f"{path.name}, row {number}: has more fields than the header. Put quotes "
                    "around texts with commas."
                )
            yield f"{path.name}, row {number}", row
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: is no CSV ({error}).") from error


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    # Not splitlines: a JSON text may hold U+2028, which ends no line of the file.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, row {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: is no JSON ({error}).") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}: must be an object with {', '.join(REQUIRED)}, got {line}.")
        yield where, row


def _text(row: Row, name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise DataError(f"{where}: {name} must be a text, got {value!r}.")
    if name != "response" and not value.strip():
        raise DataError(f"{where}: {name} is empty; only a response may be.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: {name} holds half of a character ({value[error.start]!r} at place "
            f"{error.start}), which no file can store. Write the whole character."
        ) from error
    return value


def checked_name(value: Any, column: str, where: str) -> str:
    """Return a name of a system or data set without blanks around it.

    Raises:
        DataError: If it is no text of one line, too long, or means something else.
    """
    if not isinstance(value, str) or not value.strip() or not value.strip().isprintable():
        raise DataError(f"{where}: {column} must be a text of one line, got {value!r}.")
    if len(value.strip()) > LONGEST_NAME:
        raise DataError(
            f"{where}: {column} has {len(value.strip())} characters, at most {LONGEST_NAME} fit."
        )
    if value.strip() == TOTAL:
        raise DataError(
            f"{where}: {column} must not be {TOTAL!r}: results call everything together so. "
            "Rename it."
        )
    return value.strip()


def _index(value: Any, where: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    is_broken = isinstance(value, bool) or (isinstance(value, float) and value != number)
    if is_broken or not 0 <= number <= LARGEST_INDEX:
        raise DataError(
            f"{where}: prompt_index must be a whole number from 0 to {LARGEST_INDEX}, got "
            f"{value!r}."
        )
    return number
