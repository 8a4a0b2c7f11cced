"""One reader per file format: each yields usable and bad rows in file order.

Readers know nothing of splits and never decide what a bad row does.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from emorl.config import DataConfig
from emorl.data.rows import BadRow, Exchange, checked_exchange, excerpt_of, is_utf8, too_long
from emorl.errors import DataError

Rows = Iterator[Exchange | BadRow]

PAIR_COLUMNS = ("prompt", "hq1", "hq2", "mq1", "lq1", "lq2", "lq3", "lq4", "lq5", "topic")
"""Columns of the PAIR file, which has no header; the reference is ``hq1``."""

_BINARY_BEGINNINGS = {
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a ZIP archive or spreadsheet",
    b"\x1f\x8b": "gzip",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
}


def read_pair(path: Path, config: DataConfig) -> Rows:
    """Read the PAIR CSV: no header, ten columns, of which prompt and ``hq1`` are used."""
    for line, cells in _csv_rows(_text_of(path, config), config):
        if isinstance(cells, BadRow):
            yield cells
        elif len(cells) != len(PAIR_COLUMNS):
            yield _wrong_width(line, cells, len(PAIR_COLUMNS))
        elif tuple(cell.strip().lower() for cell in cells) == PAIR_COLUMNS:
            yield BadRow(line, "is a header, which the PAIR file does not have", "prompt,hq1,...")
        else:
            yield checked_exchange(line, cells[0], cells[1], config)


def read_csv(path: Path, config: DataConfig) -> Rows:
    """Read a CSV whose first row names the columns."""
    rows = _csv_rows(_text_of(path, config), config)
    _, header = next(rows, (0, []))
    if isinstance(header, BadRow):
        raise DataError(
            f"{path}, line {header.line}: the header cannot be read: {header.reason}. The first "
            "row must name the columns."
        )
    names = [name.strip() for name in header]
    prompt = _column(path, names, config.prompt_column, "prompt_column")
    response = (
        _column(path, names, config.response_column, "response_column")
        if config.response_column
        else None
    )
    for line, cells in rows:
        if isinstance(cells, BadRow):
            yield cells
        elif len(cells) != len(names):
            yield _wrong_width(line, cells, len(names))
        else:
            reference = None if response is None else cells[response]
            yield checked_exchange(line, cells[prompt], reference, config)


def read_psych8k(path: Path, config: DataConfig) -> Rows:
    """Read a JSON list of objects; the prompt is ``input`` and the reference is ``output``."""
    for line, item in _json_items(path, _text_of(path, config)):
        yield _from_object(line, item, "input", "output", config)


def read_jsonl(path: Path, config: DataConfig) -> Rows:
    """Read one JSON object per line."""
    text = _text_of(path, config)
    if text.lstrip().startswith("["):
        raise DataError(
            f"{path} is one JSON list, but data.kind = 'jsonl' needs one object per line. Write "
            "each object on a line of its own, or use data.kind = 'psych8k' for Psych8k's file."
        )
    # Only \n ends a line: JSON texts may hold other separators, which splitlines() would cut.
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield _from_jsonl(line, content, config)


def read_parquet(path: Path, config: DataConfig) -> Rows:
    """Read two columns of a Parquet file; a bad row's ``line`` is its row number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        prompt = names[_column(path, names, config.prompt_column, "prompt_column")]
        response = (
            config.response_column
            and names[_column(path, names, config.response_column, "response_column")]
        )
        table = pq.read_table(path, columns=list(dict.fromkeys(filter(None, (prompt, response)))))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{path} cannot be read as Parquet: {str(error).rstrip('.')}. Check data.path and "
            "data.kind."
        ) from error
    prompts = _column_values(table[prompt])
    if not response:
        references: list[object] = [None] * len(prompts)
    else:
        references = [_blank_if_missing(value) for value in _column_values(table[response])]
    for row, texts in enumerate(zip(prompts, references, strict=True), start=1):
        yield checked_exchange(row, *texts, config)


READERS: dict[str, Callable[[Path, DataConfig], Rows]] = {
    "pair": read_pair,
    "psych8k": read_psych8k,
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
}
"""Readers by ``data.kind``; the embedded corpus is no file and has none."""


def _text_of(path: Path, config: DataConfig) -> str:
    content = path.read_bytes()
    for beginning, format_name in _BINARY_BEGINNINGS.items():
        if content.startswith(beginning):
            raise DataError(
                f"{path} is {format_name}, but data.kind = {config.kind!r} needs UTF-8 text. "
                "Set data.kind to the file's format, or save the file as UTF-8 text."
            )
    # Bytes that are not UTF-8 become surrogates, so that a bad row has a line number.
    return content.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")


def _csv_rows(text: str, config: DataConfig) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Yield each row with the physical line that it begins on; empty lines are passed over."""
    # The csv module refuses fields above its limit with an error that ends the reading. Our own
    # limit gives a bad row with a line number instead. The module's is global: only ever raise it.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    # Strict, because a quotation mark left open would silently swallow the rows behind it.
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = f"is not valid CSV ({error}); check its quotation marks"
            yield line, BadRow(line, reason, excerpt_of(lines[line - 1]))
            continue
        if cells:
            yield line, _cell_fault(line, cells, config) or cells


def _cell_fault(line: int, cells: list[str], config: DataConfig) -> BadRow | None:
    for number, cell in enumerate(cells, start=1):
        reason = too_long(f"column {number}", cell, config)
        if reason is None and not is_utf8(cell):
            reason = f"column {number} is not UTF-8"
        if reason:
            return BadRow(line, reason, excerpt_of(cells[0]))
    return None


def _wrong_width(line: int, cells: list[str], expected: int) -> BadRow:
    return BadRow(
        line, f"has {len(cells)} columns instead of {expected}", excerpt_of(",".join(cells))
    )


def _column(path: Path, names: list[str], name: str, setting: str) -> int:
    if names.count(name) == 1:
        return names.index(name)
    found = "twice or more" if name in names else "not at all"
    raise DataError(
        f"{path} must have the column {name!r} once (data.{setting}), and has it {found}. Its "
        f"columns are {_listed(names)}. Set data.{setting} to one of them."
    )


def _listed(names: Iterable[str]) -> str:
    names = [excerpt_of(name) for name in names]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _column_values(column: Any) -> list[object]:
    """Return a Parquet column as Python values, with texts that are not UTF-8 kept readable."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return list(column.to_pylist())
    raw = column.cast(kind).cast(pa.large_binary()).to_pylist()
    return [
        None if value is None else value.decode("utf-8", errors="surrogateescape") for value in raw
    ]


def _json_items(path: Path, text: str) -> Iterator[tuple[int, object]]:
    """Yield the items of a JSON list with the line that each begins on."""
    decoder = json.JSONDecoder()
    position = _next_token(text, 0)
    if text[position : position + 1] != "[":
        raise DataError(
            f"{path} must be a JSON list of objects, but begins with "
            f"{excerpt_of(text[position:])!r}. Check data.path and data.kind (one object per "
            "line is 'jsonl')."
        )
    line, counted = 1, 0
    separator = "["
    while True:
        position = _next_token(text, position + 1)
        if separator == "[" and text[position : position + 1] == "]":
            return
        line, counted = line + text.count("\n", counted, position), position
        try:
            item, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise DataError(_not_json(path, line, str(error))) from error
        yield line, item
        position = _next_token(text, position)
        separator = text[position : position + 1]
        if separator == "]":
            return
        if separator != ",":
            raise DataError(_not_json(path, line, "expected ',' or ']' behind this item"))


def _next_token(text: str, position: int) -> int:
    while text[position : position + 1] and text[position] in " \t\r\n":
        position += 1
    return position


def _not_json(path: Path, line: int, detail: str) -> str:
    return (
        f"{path} is not valid JSON: the item that begins on line {line}: {detail}. Mend the file "
        "or fetch it again (it may be cut off)."
    )


def _from_jsonl(line: int, content: str, config: DataConfig) -> Exchange | BadRow:
    try:
        item = json.loads(content)
    except json.JSONDecodeError as error:
        # Not the error's own text: its line number counts within this one line.
        reason = f"is not valid JSON ({error.msg} at character {error.pos + 1})"
        return BadRow(line, reason, excerpt_of(content))
    except (ValueError, RecursionError) as error:
        return BadRow(line, f"is not valid JSON ({error})", excerpt_of(content))
    return _from_object(line, item, config.prompt_column, config.response_column, config)


def _from_object(
    line: int, item: object, prompt_key: str, response_key: str, config: DataConfig
) -> Exchange | BadRow:
    if not isinstance(item, dict):
        reason = f"is not an object but {type(item).__name__}"
        return BadRow(line, reason, excerpt_of(json.dumps(item, ensure_ascii=False)))
    for key in filter(None, (prompt_key, response_key)):
        if key not in item:
            return BadRow(line, f"has no key {key!r}, only {_listed(item)}", excerpt_of(str(item)))
    if not response_key:
        return checked_exchange(line, item[prompt_key], None, config)
    return checked_exchange(line, item[prompt_key], _blank_if_missing(item[response_key]), config)


def _blank_if_missing(value: object) -> object:
    """Turn a null into a blank response; None alone would mean a data set without responses."""
    return "" if value is None else value
